//! Which crate may know which.

use docket_tests::programs::cargo;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The arrows of ARCHITECTURE.md. A new one needs a reason there first.
const ALLOWED: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("wire", &[]),
    ("migrations", &[]),
    ("eventlog", &["domain", "migrations"]),
    ("providers", &["domain"]),
    ("workspaces", &["domain", "wire"]),
    ("workspaced", &["wire"]),
    ("projections", &["domain", "eventlog"]),
    ("replay", &["domain", "eventlog", "projections"]),
    ("commands", &["domain", "eventlog", "providers", "wire", "workspaces"]),
    ("api", &["commands", "domain", "eventlog", "projections", "providers", "replay", "wire", "workspaces"]),
];

/// What is not pure: clocks, randomness, I/O.
const IMPURE: &[&str] = &["tokio", "sqlx", "axum", "rand", "chrono", "reqwest", "hyper", "getrandom", "time", "tracing"];

/// Each crate of ours with what it depends on directly, tests aside.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = cargo().args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let direct = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|one| one["kind"] != "dev").map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    packages.map(|package| (package["name"].as_str().unwrap().to_owned(), direct(package))).collect()
}

#[test]
fn crates_depend_only_in_the_direction_that_was_decided() {
    let dependencies = dependencies();
    let known = |name: &str| ALLOWED.iter().any(|(crate_name, _)| name == format!("docket-{crate_name}"));
    for name in dependencies.keys() {
        assert!(known(name) || name == "docket-tests", "{name} has no place in the direction of dependencies");
    }
    for (name, allowed) in ALLOWED {
        let ours = dependencies[&format!("docket-{name}")].iter().filter_map(|name| name.strip_prefix("docket-"));
        for other in ours {
            assert!(allowed.contains(&other), "a new arrow: {name} -> {other}");
        }
    }
}

#[test]
fn the_domain_is_pure() {
    for name in &dependencies()["docket-domain"] {
        assert!(!IMPURE.contains(&name.as_str()), "the domain depends on {name}");
    }
}
