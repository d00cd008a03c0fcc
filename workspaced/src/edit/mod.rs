//! Editing text files: everything is computed in memory, from the edits of one request, before any file is touched.

mod hint;
mod indent;
mod matching;
mod newline;

use crate::{
    file::{diff::Budget, open, transaction::Change, write::writable},
    refusal::Refusal,
    root::{Inside, Root},
};
use docket_wire::{
    file::{Edit, EditFiles, Edited, EditedFile},
    limits::{EDIT_FILE_BYTES, EDIT_FILES, EDIT_TEXT_BYTES, EDIT_TOTAL_BYTES, EDITS},
};
use newline::Text;
use std::os::unix::fs::MetadataExt;

struct Open {
    path: Inside,
    before: String,
    now: Text,
    mode: u32,
}

/// What has to change, and the answer once it has.
pub fn plan(root: &Root, request: &EditFiles) -> Result<(Vec<Change>, Edited), Refusal> {
    check(request)?;
    let mut files: Vec<Open> = Vec::new();
    let mut total = 0;
    for (index, edit) in request.edits.iter().enumerate() {
        let path = root.resolve(&edit.path)?;
        let at = match files.iter().position(|file| file.path == path) {
            Some(at) => at,
            None => {
                if files.len() == EDIT_FILES {
                    return Err(Refusal::with(
                        413,
                        "too_many_files",
                        format!("at most {EDIT_FILES} files are edited at a time"),
                    ));
                }
                let file = load(root, edit, path)?;
                total += 2 * file.before.len();
                files.push(file);
                files.len() - 1
            }
        };
        let old = files[at].now.len();
        let edited = matching::apply(&files[at].now, edit);
        files[at].now = edited.map_err(|refusal| name(refusal, index, edit, request.edits.len()))?;
        total = (total + files[at].now.len()).saturating_sub(old);
        if total > EDIT_TOTAL_BYTES {
            return Err(Refusal::with(413, "edit_too_large", format!("one request edits at most {EDIT_TOTAL_BYTES} bytes")));
        }
    }
    let mut budget = Budget::default();
    let mut answer = Edited { files: Vec::with_capacity(files.len()) };
    let mut changes = Vec::with_capacity(files.len());
    for file in files {
        let after = file.now.into_string();
        let path = file.path.display();
        answer.files.push(EditedFile { diff: budget.diff(&path, &file.before, &after), path });
        let (content, before) = (after.into_bytes(), Some(file.before.into_bytes()));
        changes.push(Change { path: file.path, content, mode: Some(file.mode), before });
    }
    Ok((changes, answer))
}

fn check(request: &EditFiles) -> Result<(), Refusal> {
    if request.edits.is_empty() {
        return Err(Refusal::invalid("no_edits", "edits is empty"));
    }
    if request.edits.len() > EDITS {
        return Err(Refusal::with(413, "too_many_edits", format!("at most {EDITS} edits are made at a time")));
    }
    for edit in &request.edits {
        if edit.old_text.len() > EDIT_TEXT_BYTES || edit.new_text.len() > EDIT_TEXT_BYTES {
            let message = format!("old_text and new_text have at most {EDIT_TEXT_BYTES} bytes each; write the file instead");
            return Err(Refusal::with(413, "edit_too_large", message));
        }
    }
    Ok(())
}

fn load(root: &Root, edit: &Edit, path: Inside) -> Result<Open, Refusal> {
    let shown = &edit.path;
    let (file, metadata) = open::regular(root, shown, &path, EDIT_FILE_BYTES, "Use a command such as sed on it")?;
    let before = open::text(file, shown, EDIT_FILE_BYTES)?;
    writable(root, shown, &path)?;
    Ok(Open { path, now: Text::new(before.clone()), before, mode: metadata.mode() & 0o7777 })
}

fn name(refusal: Refusal, index: usize, edit: &Edit, count: usize) -> Refusal {
    let which = if count == 1 { String::new() } else { format!("edit {} of {count}: ", index + 1) };
    let message = format!("{which}{}: {} No file was changed.", edit.path, refusal.message);
    Refusal { message, ..refusal }
}
