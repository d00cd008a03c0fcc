//! Backup, restore and sealing through the real program.

use docket_tests::server::{Backend, Server};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text.trim()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_backed_up_while_it_is_in_use_and_moved_to_postgres_and_back() {
    let mut server = Server::start(Backend::Sqlite).await;
    let chat = server.chat("@say One two three four five six seven.\n@step").await;
    server.turns(&chat, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("backup");
    let place = place.to_str().unwrap();

    // The server has the file.
    let first = json(&server.docket_ok(&["backup", place, "--json"]).await);
    assert!(first["events"].as_u64().unwrap() > 7);
    server.say(&chat, "@say Eight nine ten.\n@step", "turn_end").await;
    server.turns(&chat, 2).await;
    let second = json(&server.docket_ok(&["backup", place, "--json"]).await);
    let head = second["head"].as_u64().unwrap();
    assert_eq!(first["head"].as_u64().unwrap() + second["events"].as_u64().unwrap(), head);
    let verified = json(&server.docket_ok(&["backup", "verify", place, "--json"]).await);
    assert_eq!((verified["events"].as_u64(), verified["head"].as_u64()), (Some(head), Some(head)));
    let occupied = server.docket(&["restore", place]).await;
    assert_eq!(occupied.status.code(), Some(1));

    let mut history = server.whole_log().await;
    history.truncate(usize::try_from(head).unwrap());
    server.terminate().await;
    let refused = server.docket(&["restore", place]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not empty"), "{}", String::from_utf8_lossy(&refused.stderr));

    for backend in [Backend::Postgres, Backend::Sqlite] {
        let mut other = Server::prepare(backend, &[]);
        let restored = json(&other.docket_ok(&["restore", place, "--json"]).await);
        assert_eq!(restored["events"].as_u64(), Some(head));
        other.restart().await;
        let moved = other.whole_log().await;
        for (moved, event) in moved.iter().zip(&history) {
            assert_eq!((&moved.id, &moved.name, &moved.data), (&event.id, &event.name, &event.data));
        }
        assert!(moved.len() >= history.len());
        // The chat goes on where it was.
        other.say(&chat, "@say Eleven.\n@step", "turn_end").await;
        other.turns(&chat, 3).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_calls_are_read_like_any_other() {
    let mut server = Server::start(Backend::Sqlite).await;
    let chat = server.chat("@say One two three four five six seven.\n@step").await;
    server.turns(&chat, 1).await;
    let before = server.history(&chat).await;
    let running = server.docket(&["segments", "seal"]).await;
    assert_eq!(running.status.code(), Some(1), "the server has the file");
    server.terminate().await;

    let sealed = json(&server.docket_ok(&["segments", "seal", "--vacuum", "--json"]).await);
    assert!(sealed["sealed"]["events"].as_u64().unwrap() >= 7, "{sealed}");
    let list = server.docket_ok(&["segments", "list"]).await;
    assert_eq!(list.lines().count(), 1);
    server.docket_ok(&["segments", "verify"]).await;

    server.restart().await;
    let history = server.history(&chat).await;
    assert_eq!(history.len(), before.len());
    for (now, then) in history.iter().zip(&before) {
        assert_eq!((&now.id, &now.name, &now.data), (&then.id, &then.name, &then.data));
    }
    server.say(&chat, "@say Eight.\n@step", "turn_end").await;
    server.turns(&chat, 2).await;

    let file = server.data_dir().join("segments").join(list.split(' ').next().unwrap());
    std::fs::remove_file(file).unwrap();
    let verified = server.docket(&["segments", "verify"]).await;
    assert_eq!(verified.status.code(), Some(1));
}
