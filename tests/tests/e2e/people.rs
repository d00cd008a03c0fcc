//! Who may see and do what.

use docket_tests::{
    client::Client,
    server::{Backend, Server, text},
};
use reqwest::Method;
use serde_json::json;

/// A new account with a token.
async fn person(owner: &Client, name: &str, role: &str) -> Client {
    let user = owner.post("/users", &json!({ "name": name, "role": role })).await.ok();
    let token = owner.post("/tokens", &json!({ "name": "test", "user_id": user["id"] })).await.ok();
    owner.with_token(token["token"].as_str().unwrap())
}

async fn chat_of(client: &Client) -> String {
    let chat = client.post("/chats", &json!({ "content": text("@say Mine.") })).await.ok();
    chat["id"].as_str().unwrap().to_owned()
}

async fn listed(client: &Client) -> Vec<String> {
    let chats = client.get("/chats").await.ok();
    let mut ids: Vec<_> =
        chats["items"].as_array().unwrap().iter().map(|chat| chat["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// Everything that changes a chat.
fn changes(chat: &str) -> Vec<(Method, String, serde_json::Value)> {
    let path = |rest: &str| format!("/chats/{chat}{rest}");
    let id = "01890000-0000-7000-8000-000000000000";
    vec![
        (Method::PATCH, path(""), json!({ "title": "Taken" })),
        (Method::POST, path("/messages"), json!({ "content": text("x") })),
        (Method::POST, path("/interrupt"), json!({})),
        (Method::PATCH, path("/queue"), json!({ "order": [] })),
        (Method::PATCH, path(&format!("/queue/{id}")), json!({ "content": text("x") })),
        (Method::DELETE, path(&format!("/queue/{id}")), json!({})),
        (Method::POST, path(&format!("/queue/{id}/promote")), json!({})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_reaches_only_their_own_chats() {
    let server = Server::start(Backend::Sqlite).await;
    let owner = server.client();
    let (anna, ben) = (person(&owner, "Anna", "member").await, person(&owner, "Ben", "member").await);
    let (hers, his) = (chat_of(&anna).await, chat_of(&ben).await);
    assert_eq!(listed(&anna).await, std::slice::from_ref(&hers));
    assert_eq!(listed(&ben).await, std::slice::from_ref(&his));
    let mut both = vec![hers.clone(), his.clone()];
    both.sort();
    assert_eq!(listed(&owner).await, both);

    // What is not theirs does not exist for them.
    let head = owner.get("/events/head").await.ok()["position"].clone();
    for rest in ["", "/messages", "/queue", "/events", &format!("?at={head}")] {
        ben.get(&format!("/chats/{hers}{rest}")).await.problem(404);
        assert!(rest == "/events" || anna.get(&format!("/chats/{hers}{rest}")).await.status == 200);
    }
    ben.get(&format!("/stream?chats={hers}")).await.problem(404);
    for (method, path, body) in changes(&hers) {
        ben.send(method, &path, &[], body.to_string()).await.problem(404);
    }
    for path in ["/events", "/audit", "/policy", "/users"] {
        anna.get(path).await.problem(403);
    }
    anna.patch("/policy", &json!({ "step_limit": 1 })).await.problem(403);
    anna.post("/users", &json!({ "name": "x", "role": "member" })).await.problem(403);
    anna.post("/templates", &json!({ "name": "x" })).await.problem(403);
    let users = owner.get("/users").await.ok();
    let ben_id = users["items"].as_array().unwrap().iter().find(|user| user["name"] == "Ben").unwrap()["id"].clone();
    anna.post("/tokens", &json!({ "name": "x", "user_id": ben_id })).await.problem(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_reads_everything_and_changes_nothing() {
    let server = Server::start(Backend::Sqlite).await;
    let owner = server.client();
    let (anna, auditor) = (person(&owner, "Anna", "member").await, person(&owner, "Otto", "auditor").await);
    let hers = chat_of(&anna).await;
    server.turns(&hers, 1).await;
    assert_eq!(listed(&auditor).await, std::slice::from_ref(&hers));
    for path in [
        format!("/chats/{hers}"),
        format!("/chats/{hers}/messages"),
        format!("/chats/{hers}/queue"),
        format!("/chats/{hers}/events?after=0&until=1"),
        "/events?after=0&until=1".to_owned(),
        "/audit".to_owned(),
        "/policy".to_owned(),
        "/users".to_owned(),
        "/usage".to_owned(),
    ] {
        assert_eq!(auditor.get(&path).await.status, 200, "{path}");
    }
    let head = |client: &Client| {
        let client = client.clone();
        async move { client.get("/events/head").await.ok()["position"].clone() }
    };
    let before = head(&owner).await;
    for (method, path, body) in changes(&hers) {
        auditor.send(method, &path, &[], body.to_string()).await.problem(403);
    }
    auditor.post("/chats", &json!({})).await.problem(403);
    auditor.patch("/policy", &json!({ "step_limit": 1 })).await.problem(403);
    auditor.post("/templates", &json!({ "name": "x" })).await.problem(403);
    auditor.post("/users", &json!({ "name": "x", "role": "owner" })).await.problem(403);
    let template = server.template().await;
    auditor.post("/workspaces", &json!({ "template_id": template })).await.problem(403);
    assert_eq!(head(&owner).await, before, "an auditor left an event");
    // Every act names who did it, and for whom.
    let audit = auditor.get(&format!("/audit?chat={hers}")).await.ok();
    let acts = audit["items"].as_array().unwrap();
    assert!(acts.iter().any(|act| act["action"] == "chat.created" && act["actor_kind"] == "user"), "{audit}");
    assert!(acts.iter().all(|act| act["on_behalf_of"].is_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_themselves_more_than_they_are() {
    let server = Server::start(Backend::Sqlite).await;
    let owner = server.client();
    let administrator = person(&owner, "Ada", "administrator").await;
    administrator.post("/users", &json!({ "name": "x", "role": "owner" })).await.problem(403);
    let users = owner.get("/users").await.ok();
    let users = users["items"].as_array().unwrap();
    let id = |role: &str| users.iter().find(|user| user["role"] == role).unwrap()["id"].as_str().unwrap().to_owned();
    let (first, ada) = (id("owner"), id("administrator"));
    administrator.post("/tokens", &json!({ "name": "x", "user_id": first })).await.problem(403);
    administrator.patch(&format!("/users/{ada}"), &json!({ "role": "owner" })).await.problem(403);
    administrator.patch(&format!("/users/{first}"), &json!({ "role": "member" })).await.problem(403);
    // An administrator does not see what people say.
    let hers = chat_of(&owner).await;
    administrator.get(&format!("/chats/{hers}")).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_stops_at_once() {
    let server = Server::start(Backend::Sqlite).await;
    let owner = server.client();
    let made = owner.post("/tokens", &json!({ "name": "short-lived", "expires_in_days": 1 })).await.ok();
    let other = owner.with_token(made["token"].as_str().unwrap());
    for _ in 0..3 {
        other.get("/chats").await.ok();
    }
    let revoked = owner.delete(&format!("/tokens/{}", made["id"].as_str().unwrap())).await;
    assert_eq!(revoked.status, 204);
    other.get("/chats").await.problem(401);
    other.post("/chats", &json!({})).await.problem(401);
    owner.get("/chats").await.ok();
    // The secret is nowhere in the record.
    let log = server.docket_ok(&["events", "tail", "--no-follow", "--json"]).await;
    assert!(!log.contains(made["token"].as_str().unwrap()) && !log.contains(&server.token()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_taken_away_is_gone_at_once() {
    let server = Server::start(Backend::Sqlite).await;
    let owner = server.client();
    let auditor = person(&owner, "Otto", "auditor").await;
    auditor.get("/audit").await.ok();
    let users = owner.get("/users").await.ok();
    let otto = users["items"].as_array().unwrap().iter().find(|user| user["name"] == "Otto").unwrap()["id"].clone();
    owner.patch(&format!("/users/{}", otto.as_str().unwrap()), &json!({ "role": "member" })).await.ok();
    auditor.get("/audit").await.problem(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_token_holds_as_soon_as_the_server_listens_on_sqlite() {
    the_owners_token_holds_as_soon_as_the_server_listens(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_token_holds_as_soon_as_the_server_listens_on_postgres() {
    the_owners_token_holds_as_soon_as_the_server_listens(Backend::Postgres).await;
}

async fn the_owners_token_holds_as_soon_as_the_server_listens(backend: Backend) {
    let mut server = Server::start(backend).await;
    server.client().get("/chats").await.ok();
    // Nor does one that was made just before a crash have to wait for the views.
    let made = server.client().post("/tokens", &json!({ "name": "another" })).await.ok();
    server.kill9().await;
    server.restart().await;
    server.client().with_token(made["token"].as_str().unwrap()).get("/chats").await.ok();
}
