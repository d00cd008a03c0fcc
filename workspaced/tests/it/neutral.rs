//! A workspace knows nothing of what it is used for.

use crate::support::{DaemonProcess, Plane, command, key};
use std::{fs, path::Path};

/// Spelt so that this file does not hold them.
fn words() -> Vec<String> {
    let reversed =
        ["ledom", "tnega", "redivorp", "tpmorp", "mll", "tahc", "ciporhtna", "ianepo", "inimeg", "edualc", "nekot_xam"];
    reversed.iter().map(|word| word.chars().rev().collect()).collect()
}

/// Whole words only: `fragments` holds none of them.
fn found(text: &str) -> Option<String> {
    let parts: Vec<String> = text.to_lowercase().split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_owned).collect();
    words().into_iter().find(|word| parts.iter().any(|part| part == word || *part == format!("{word}s")))
}

#[tokio::test(flavor = "multi_thread")]
async fn environment_processes_and_files_are_neutral() {
    let plane = Plane::start().await;
    let (token, workspace) = plane.token();
    let process = DaemonProcess::start(&plane, &token);
    let daemon = plane.daemon(workspace).await;
    let mut request = command("env; cat /proc/$PPID/cmdline; tr '\\0' '\\n' < /proc/self/environ", 20_000);
    request.owner = Some("7f3a".to_owned());
    let done = daemon.start_process(&key(), &request).await.unwrap();
    let inherited: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    let own: Vec<&str> = done.output.lines().filter(|line| !inherited.iter().any(|have| have == line)).collect();
    assert_eq!(found(&own.join("\n").replace("GIT_TERMINAL_PROMPT", "")), None, "{own:?}");
    let cmdline = fs::read(format!("/proc/{}/cmdline", process.pid())).unwrap();
    assert_eq!(found(&String::from_utf8_lossy(&cmdline)), None);
    look(process.temp.path());
}

#[test]
fn sources_are_neutral() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    look(&here.join("src"));
    look(&here.join("../workspaces/wire/src"));
}

fn look(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(found(path.file_name().unwrap().to_str().unwrap()), None, "{}", path.display());
        if path.is_dir() {
            look(&path);
        } else if let Ok(text) = fs::read_to_string(&path) {
            for line in text.lines() {
                // Names of other libraries' functions and of git's variable.
                assert_eq!(
                    found(&line.replace("user_agent", "").replace("GIT_TERMINAL_PROMPT", "").replace("default_provider", "")),
                    None,
                    "{}: {line}",
                    path.display()
                );
            }
        }
    }
}
