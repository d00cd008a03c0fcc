//! Reading and writing.

use crate::support::{Local, code, key};
use docket_wire::{
    file::{ReadFile, WriteFile},
    limits::{READ_BYTES, WRITE_BYTES},
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

fn read(path: &str) -> ReadFile {
    ReadFile { path: path.to_owned(), offset: None, limit: None }
}

fn write(path: &str, content: &str) -> WriteFile {
    WriteFile { path: path.to_owned(), content: content.to_owned() }
}

#[tokio::test]
async fn a_file_is_written_and_read_back_in_pages() {
    let local = Local::new();
    let written = local.daemon.write_file(&key(), &write("a/b/c.txt", "eins\nzwei ü\r\ndrei")).await.unwrap();
    assert_eq!((written.path.as_str(), written.bytes, written.created), ("a/b/c.txt", 18, true));
    let all = local.daemon.read_file(&read("a/b/c.txt")).await.unwrap();
    assert_eq!(all.content, "1\teins\n2\tzwei ü\n3\tdrei\n");
    assert_eq!((all.file_size, all.lines_read, all.total_lines), (18, 3, 3));
    let absolute = local.dir.join("a/b/c.txt").display().to_string();
    let page = local.daemon.read_file(&ReadFile { path: absolute, offset: Some(2), limit: Some(1) }).await.unwrap();
    assert_eq!(page.content, "2\tzwei ü\n");
    local.put("empty", "");
    assert_eq!(local.daemon.read_file(&read("empty")).await.unwrap().total_lines, 0);
    assert_eq!(fs::metadata(local.dir.join("a")).unwrap().permissions().mode() & 0o777, 0o755);
}

#[tokio::test]
async fn writing_keeps_the_mode_and_follows_links_inside() {
    let local = Local::new();
    local.put("script", "#!/bin/sh\n");
    fs::set_permissions(local.dir.join("script"), fs::Permissions::from_mode(0o750)).unwrap();
    symlink("script", local.dir.join("link")).unwrap();
    let written = local.daemon.write_file(&key(), &write("link", "new")).await.unwrap();
    assert_eq!((written.path.as_str(), written.created), ("script", false));
    assert_eq!(local.get("script"), "new");
    assert_eq!(fs::metadata(local.dir.join("script")).unwrap().permissions().mode() & 0o7777, 0o750);
    assert!(fs::symlink_metadata(local.dir.join("link")).unwrap().is_symlink());
    symlink("later/made", local.dir.join("dangling")).unwrap();
    assert!(local.daemon.write_file(&key(), &write("dangling", "x")).await.unwrap().created);
    assert_eq!(local.get("later/made"), "x");
    let names: Vec<_> = fs::read_dir(&local.dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{names:?}");
}

#[tokio::test]
async fn what_is_no_text_file_is_a_clear_error() {
    let local = Local::new();
    local.put("nul", b"a\0b");
    local.put("latin1", b"caf\xe9");
    local.put("dir/x", "");
    fs::File::create(local.dir.join("sparse")).unwrap().set_len(1 << 30).unwrap();
    let fifo = local.dir.join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (path, expected) in [
        ("nul", "binary_file"),
        ("latin1", "binary_file"),
        ("dir", "is_a_directory"),
        ("sparse", "file_too_large"),
        ("fifo", "not_a_file"),
        ("missing", "not_found"),
        ("nul/x", "not_a_directory"),
        ("", "invalid_path"),
    ] {
        assert_eq!(code(local.daemon.read_file(&read(path)).await), expected, "{path}");
    }
    for (path, expected) in
        [("dir", "is_a_directory"), ("new/", "is_a_directory"), (".", "is_a_directory"), ("fifo", "not_a_file")]
    {
        assert_eq!(code(local.daemon.write_file(&key(), &write(path, "x")).await), expected, "{path}");
    }
    assert_eq!(code(local.daemon.write_file(&key(), &write("nul/x", "x")).await), "not_a_directory");
}

#[tokio::test]
async fn bounds_are_errors_and_not_cuts() {
    let local = Local::new();
    local.put("long", format!("{}\n", "x".repeat(200)).repeat(1_000));
    assert_eq!(code(local.daemon.read_file(&read("long")).await), "response_too_large");
    let page = ReadFile { path: "long".into(), offset: Some(900), limit: Some(101) };
    assert!(local.daemon.read_file(&page).await.unwrap().content.len() <= READ_BYTES);
    local.put("many", "\n".repeat(3_000));
    assert_eq!(local.daemon.read_file(&read("many")).await.unwrap().lines_read, 2_000);
    let beyond = ReadFile { path: "many".into(), offset: Some(3_001), limit: None };
    assert_eq!(code(local.daemon.read_file(&beyond).await), "invalid_offset");
    let largest = "\u{1}".repeat(WRITE_BYTES);
    local.daemon.write_file(&key(), &write("largest", &largest)).await.unwrap();
    assert_eq!(code(local.daemon.write_file(&key(), &write("larger", &(largest + "x"))).await), "content_too_large");
    assert!(!local.dir.join("larger").exists());
}

#[tokio::test]
async fn nothing_outside_can_be_named() {
    let local = Local::new();
    let secret = local.state.join("secret");
    fs::write(&secret, "s").unwrap();
    symlink(&secret, local.dir.join("link")).unwrap();
    symlink("..", local.dir.join("up")).unwrap();
    let absolute = secret.display().to_string();
    for path in ["../state/secret", "link", "up/state/secret", "/etc/passwd", "/proc/self/environ", &absolute] {
        assert_eq!(code(local.daemon.read_file(&read(path)).await), "outside_workspace", "{path}");
        assert_eq!(code(local.daemon.write_file(&key(), &write(path, "x")).await), "outside_workspace", "{path}");
    }
    assert_eq!(fs::read_to_string(secret).unwrap(), "s");
}

#[tokio::test]
async fn permissions_are_heeded() {
    let local = Local::new();
    local.put("closed", "x");
    fs::set_permissions(local.dir.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser may read and write everything; the errors' words are tested on their own.
    if fs::read(local.dir.join("closed")).is_err() {
        assert_eq!(code(local.daemon.read_file(&read("closed")).await), "permission_denied");
        assert_eq!(code(local.daemon.write_file(&key(), &write("closed", "y")).await), "permission_denied");
    }
    let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    assert_eq!(docket_workspaced::refusal::Refusal::io("p", &denied).code, "permission_denied");
}

#[tokio::test]
async fn unknown_fields_kinds_and_routes_are_refused() {
    use docket_wire::preface::Kind;
    use docket_workspaces::tunnel::TunnelError;
    let local = Local::new();
    for kind in [Kind::Ssh, Kind::Tcp, Kind::Admit] {
        match local.daemon.tunnel().open(kind, b"127.0.0.1:22").await {
            Err(TunnelError::Refused(message)) => assert!(message.contains("does not offer streams of kind"), "{message}"),
            other => panic!("{:?}", other.map(drop)),
        }
    }
    assert!(serde_json::from_str::<ReadFile>(r#"{"path":"a","depth":1}"#).is_err());
    local.daemon.ping().await.unwrap();
    let metadata = local.daemon.metadata().await.unwrap();
    assert_eq!(metadata.directory, local.dir.display().to_string());
    assert!(metadata.cpus > 0 && metadata.disk_bytes > 0 && metadata.memory_bytes.is_some());
}
