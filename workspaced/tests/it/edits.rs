//! Editing several files.

use crate::support::{Local, code, key};
use docket_wire::file::{Edit, EditFiles};
use docket_workspaces::CallError;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

fn edit(path: &str, old: &str, new: &str) -> Edit {
    Edit { path: path.to_owned(), old_text: old.to_owned(), new_text: new.to_owned(), replace_all: false }
}

fn edits(edits: Vec<Edit>) -> EditFiles {
    EditFiles { edits }
}

#[tokio::test]
async fn edits_are_made_in_order_and_answered_with_differences() {
    let local = Local::new();
    local.put("a.txt", "one\ntwo\nthree\n");
    local.put("b/b.txt", "x\r\ny\r\n");
    fs::set_permissions(local.dir.join("a.txt"), fs::Permissions::from_mode(0o640)).unwrap();
    let request = edits(vec![
        edit("a.txt", "two", "TWO"),
        edit("b/b.txt", "x\ny\n", "x\nz\n"),
        edit("./b/../a.txt", "TWO\nthree", "2\n3"),
    ]);
    let edited = local.daemon.edit_files(&key(), &request).await.unwrap();
    assert_eq!(local.get("a.txt"), "one\n2\n3\n");
    assert_eq!(local.get("b/b.txt"), "x\r\nz\r\n");
    assert_eq!(fs::metadata(local.dir.join("a.txt")).unwrap().permissions().mode() & 0o7777, 0o640);
    let paths: Vec<&str> = edited.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a.txt", "b/b.txt"]);
    let diff = &edited.files[0].diff;
    assert!(diff.starts_with("--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n-three\n+2\n+3\n"), "{diff}");
}

#[tokio::test]
async fn one_failure_leaves_every_file_alone() {
    let local = Local::new();
    local.put("a", "a\n");
    local.put("b", "b\n");
    let request = edits(vec![edit("a", "a", "A"), edit("b", "nothing", "B")]);
    match local.daemon.edit_files(&key(), &request).await {
        Err(CallError::Refused { code, message }) => {
            assert_eq!(code, "text_not_found");
            assert!(message.starts_with("edit 2 of 2: b: ") && message.ends_with("No file was changed."), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((local.get("a"), local.get("b")), ("a\n".into(), "b\n".into()));
}

#[tokio::test]
async fn what_cannot_be_edited_is_a_clear_error() {
    let local = Local::new();
    local.put("a", "a\na\n");
    local.put("bin", b"\0");
    local.put("dir/x", "");
    symlink("/etc/passwd", local.dir.join("out")).unwrap();
    for (edit, expected) in [
        (edit("a", "a", "b"), "text_not_unique"),
        (edit("a", "", "b"), "empty_old_text"),
        (edit("a", "x", "x"), "no_change"),
        (edit("missing", "a", "b"), "not_found"),
        (edit("bin", "a", "b"), "binary_file"),
        (edit("dir", "a", "b"), "is_a_directory"),
        (edit("out", "root", "b"), "outside_workspace"),
        (edit("a", &"x".repeat(1024 * 1024 + 1), "b"), "edit_too_large"),
    ] {
        assert_eq!(code(local.daemon.edit_files(&key(), &edits(vec![edit])).await), expected);
    }
    assert_eq!(code(local.daemon.edit_files(&key(), &edits(vec![])).await), "no_edits");
    assert_eq!(code(local.daemon.edit_files(&key(), &edits(vec![edit("a", "a", "b"); 257])).await), "too_many_edits");
    assert_eq!(local.get("a"), "a\na\n");
}

#[tokio::test]
async fn a_huge_difference_is_cut_and_says_so() {
    let local = Local::new();
    let text: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    local.put("big", &text);
    let mut edit = edit("big", "line", "zeile");
    edit.replace_all = true;
    let edited = local.daemon.edit_files(&key(), &edits(vec![edit])).await.unwrap();
    assert!(edited.files[0].diff.len() < 70_000);
    assert!(edited.files[0].diff.ends_with("bytes cut]\n"));
    assert_eq!(local.get("big"), text.replace("line", "zeile"));
}
