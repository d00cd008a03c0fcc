//! Views as an operator has them: seen, built anew while the server serves, and whole after any crash.

use docket_tests::{
    client::Client,
    server::{Backend, Server},
};
use serde_json::{Value, json};

async fn at_root(server: &Server, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://{}{path}", server.address())).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// What people see of the views.
async fn shown(client: &Client) -> [Value; 4] {
    let get = async |path: &str| client.get(path).await.ok();
    [get("/chats").await, get("/audit?limit=200").await, get("/usage").await, get("/users").await]
}

fn generations(list: &Value) -> Vec<u64> {
    list["items"].as_array().unwrap().iter().map(|one| one["live"]["generation"].as_u64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_the_views_and_has_them_built_anew() {
    let server = Server::start(Backend::Sqlite).await;
    let chat = server.chat("@say Once upon a time.\n@step\n@say The end.").await;
    server.turns(&chat, 1).await;
    let owner = server.client();
    let before = shown(&owner).await;

    let list = owner.get("/projections").await.ok();
    assert_eq!(generations(&list), [1; 6]);
    assert!(list["items"].as_array().unwrap().iter().all(|one| one["state"] == "live"), "{list}");
    let told = server.docket(&["projections", "rebuild"]).await;
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert!(String::from_utf8_lossy(&told.stderr).contains("audit_log: generation 2 is live"));
    assert_eq!(generations(&owner.get("/projections").await.ok()), [2; 6]);
    assert_eq!(shown(&owner).await, before, "nobody sees a difference");
    server.docket_ok(&["projections", "rebuild", "chat"]).await;
    let lines = server.docket_ok(&["projections", "list"]).await;
    assert!(lines.contains("chat: live, 0 behind; live generation 3 (version 1) at "), "{lines}");

    // There is nothing to try again.
    let (code, _) = owner.post("/projections/chat/retry", &json!({})).await.problem(409);
    assert_eq!(code, "nothing_to_retry");
    owner.post("/projections/chats/rebuild", &json!({})).await.problem(404);
    owner.post("/projections/chat/retry?at=1", &json!({})).await.problem(422);
    let refused = server.docket(&["projections", "retry", "chat", "--position", "1"]).await;
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("no such failure"));

    // An auditor sees them, only who administers has them built, and a member neither.
    for (role, sees) in [("auditor", 200), ("member", 403)] {
        let user = owner.post("/users", &json!({ "name": role, "role": role })).await.ok();
        let token = owner.post("/tokens", &json!({ "name": "test", "user_id": user["id"] })).await.ok();
        let person = owner.with_token(token["token"].as_str().unwrap());
        assert_eq!(person.get("/projections").await.status, sees);
        person.post("/projections/chat/rebuild", &json!({})).await.problem(403);
        person.post("/projections/chat/retry", &json!({})).await.problem(403);
    }
    owner.without_token().get("/projections").await.problem(401);

    assert_eq!(at_root(&server, "/readyz").await, (200, "ready\n".to_owned()));
    let (_, metrics) = at_root(&server, "/metrics").await;
    for line in [
        "docket_projection_generation{projection=\"chat\"} 3",
        "docket_projection_failures{projection=\"usage\"} 0",
        "docket_projection_fault{projection=\"users\"} 0",
        "docket_projection_lag_seconds{projection=\"audit_log\"} 0",
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line} is not in\n{metrics}");
    }
}

async fn killed_while_views_are_built(backend: Backend) {
    let mut server = Server::start(backend).await;
    for number in 0..3 {
        let chat = server.chat(&format!("@say Story {number}.")).await;
        server.turns(&chat, 1).await;
    }
    let before = shown(&server.client()).await;
    for _ in 0..6 {
        let client = server.client();
        for name in ["chat", "audit_log", "usage", "users"] {
            client.post(&format!("/projections/{name}/rebuild"), &json!({})).await.ok();
        }
        // Somewhere in the middle of it.
        server.kill9().await;
        server.restart().await;
        let now = shown(&server.client()).await;
        assert_eq!(now[0], before[0]);
        assert_eq!(now[2..], before[2..]);
    }
    // What was begun is ended, and can be done once more.
    server.docket_ok(&["projections", "rebuild"]).await;
    let list = server.client().get("/projections").await.ok();
    assert!(generations(&list).iter().all(|generation| *generation >= 2), "{list}");
    assert_eq!(list["failures"], json!([]));
    assert_eq!(shown(&server.client()).await[0], before[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn views_are_whole_after_a_kill_in_mid_build_on_sqlite() {
    killed_while_views_are_built(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn views_are_whole_after_a_kill_in_mid_build_on_postgres() {
    killed_while_views_are_built(Backend::Postgres).await;
}
