//! The interface, as a document: a change of the wire is a visible diff.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::{env, fs, path::Path};

#[test]
fn the_document_is_the_one_that_is_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let document = docket_api::routes::openapi().to_pretty_json().unwrap() + "\n";
    if env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(&path, &document).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == document,
        "the interface changed; look at the diff after UPDATE_OPENAPI=1 cargo test -p docket-api --test openapi"
    );
}
