//! Lists, filters, pages, totals.

use crate::{
    backend::{Backend, Kind, PATIENCE},
    history::World,
};
use docket_domain::{
    Metadata,
    actor::Actor,
    chat::{ChatEvent, Status},
    ids::{ChatId, MessageId, UserId},
};
use docket_eventlog::Log;
use docket_projections::{
    ProjectionError, Projections,
    audit_log::{AuditEntry, AuditQuery},
    chat::{ChatQuery, ChatSummary},
    templates::TemplateList,
    usage::{UsageCounts, UsageQuery, UsageRow},
    workspaces::{MAX_LOG_LINES, WorkspaceQuery},
};
use std::time::Duration;
use uuid::Uuid;

async fn world(kind: Kind, seed: u64, events: u64) -> (Backend, Log, World, Projections) {
    let backend = Backend::new(kind);
    let log = backend.log().await;
    let mut world = World::new(seed, log.clone());
    world.run(events).await;
    let projections = Projections::start(log.clone(), backend.views("views").await).await.unwrap();
    projections.wait_for(log.head().await.unwrap(), PATIENCE).await.unwrap();
    (backend, log, world, projections)
}

async fn chats(projections: &Projections, query: &ChatQuery) -> Vec<ChatSummary> {
    let (mut query, mut all) = (query.clone(), Vec::new());
    loop {
        let page = projections.chats().list(&query).await.unwrap();
        assert!(page.items.len() <= query.limit);
        all.extend(page.items);
        match page.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => return all,
        }
    }
}

async fn chats_are_listed(kind: Kind) {
    let (_backend, log, mut world, projections) = world(kind, 71, 1_500).await;
    let (mine, other) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
    let prompt = |id: u128, text: &str| ChatEvent::PromptSubmitted {
        message_id: MessageId(Uuid::from_u128(id)),
        by: mine,
        content: vec![docket_domain::conversation::PromptPart::Text { text: text.to_owned() }],
    };
    let created = |owner, title: Option<&str>, labels: &[(&str, &str)]| ChatEvent::Created {
        owner,
        title: title.map(str::to_owned),
        model: None,
        workspace_id: None,
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    };
    let ids: Vec<_> = (100..106).map(|n| ChatId(Uuid::from_u128(n))).collect();
    let histories = [
        vec![created(mine, Some("Élan 100%_"), &[("team", "a")]), ChatEvent::Pinned],
        vec![created(mine, None, &[("team", "a"), ("x", "1")]), prompt(1, "Fix THE élan\u{0}bug")],
        vec![created(other, Some("élan of another"), &[])],
        vec![created(mine, Some("archived élan"), &[]), ChatEvent::Archived],
        vec![created(mine, Some("100x_"), &[("team", "b")])],
        vec![
            created(mine, Some("relabelled"), &[("team", "a")]),
            ChatEvent::Labelled { labels: [("team".to_owned(), "c".to_owned())].into() },
        ],
    ];
    let by = Metadata::new(Actor::User(mine), mine);
    let mut last = 0;
    for (id, events) in ids.iter().zip(&histories) {
        last = world.append("chat", &id.to_string(), Some(id.0), by.clone(), events).await;
    }
    projections.wait_for(last, PATIENCE).await.unwrap();

    let base = ChatQuery { limit: 200, ..ChatQuery::default() };
    let everything = chats(&projections, &base).await;
    let mut sorted = everything.clone();
    sorted.sort_by_key(|chat| std::cmp::Reverse((chat.pinned, chat.last_activity_at, chat.id)));
    assert_eq!(everything, sorted);
    assert_eq!(chats(&projections, &ChatQuery { limit: 2, ..base.clone() }).await, everything, "pages are the whole");

    let of_mine = ChatQuery { owner: Some(mine), ..base.clone() };
    let found =
        async |query: ChatQuery| -> Vec<ChatId> { chats(&projections, &query).await.iter().map(|chat| chat.id).collect() };
    assert_eq!(found(of_mine.clone()).await, [ids[0], ids[5], ids[4], ids[1]]);
    let q = |q: &str| ChatQuery { q: Some(q.to_owned()), ..of_mine.clone() };
    assert_eq!(found(q("éLAN")).await, [ids[0], ids[1]], "title and first prompt, whatever the case");
    assert_eq!(found(q("100%_")).await, [ids[0]], "no wildcards");
    assert_eq!(found(ChatQuery { archived: true, ..q("élan") }).await, [ids[3]]);
    assert_eq!(found(ChatQuery { status: Some(Status::Running), ..of_mine.clone() }).await, []);
    let labels = |labels: &[(&str, &str)]| ChatQuery {
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..of_mine.clone()
    };
    assert_eq!(found(labels(&[("team", "a")])).await, [ids[0], ids[1]]);
    assert_eq!(found(labels(&[("team", "a"), ("x", "1")])).await, [ids[1]]);
    assert_eq!(found(labels(&[("team", "c")])).await, [ids[5]]);
    let wrong = ChatQuery { cursor: Some("abc".to_owned()), ..base };
    assert!(matches!(projections.chats().list(&wrong).await, Err(ProjectionError::Cursor)));
    projections.stop().await;
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_are_listed_on_sqlite() {
    chats_are_listed(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_are_listed_on_postgres() {
    chats_are_listed(Kind::Postgres).await;
}

async fn audit(projections: &Projections, query: AuditQuery) -> Vec<AuditEntry> {
    let (mut query, mut all) = (query, Vec::new());
    loop {
        let page = projections.audit_log().query(&query).await.unwrap();
        all.extend(page.items);
        match page.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => return all,
        }
    }
}

async fn the_audit_log_answers(kind: Kind) {
    let (_backend, log, world, projections) = world(kind, 73, 2_500).await;
    let base = AuditQuery { limit: 1_000, ..AuditQuery::default() };
    let all = audit(&projections, base.clone()).await;
    assert!(all.iter().is_sorted_by_key(|entry| std::cmp::Reverse(entry.position)));
    assert_eq!(audit(&projections, AuditQuery { limit: 7, ..base.clone() }).await, all, "pages are the whole");

    // Every act is there, and nothing else.
    let mut acts = Vec::new();
    let mut after = 0;
    while after < log.head().await.unwrap() {
        let page = log.read_all(after, &docket_eventlog::Filter::all(), 1_000).await.unwrap();
        after = page.through;
        let is_act = |name: &str| {
            !(name.ends_with("_streamed") || name.ends_with("_received") || name.ends_with("usage_reported"))
                && name != "workspace.build_logged"
        };
        acts.extend(page.events.iter().filter(|event| is_act(&event.event_type)).map(|event| event.position));
    }
    acts.reverse();
    assert!(all.iter().map(|entry| entry.position).eq(acts));

    let check = async |query: AuditQuery, wanted: &dyn Fn(&AuditEntry) -> bool| {
        let found = audit(&projections, query).await;
        assert!(!found.is_empty() && found.len() < all.len());
        assert!(found.iter().eq(all.iter().filter(|entry| wanted(entry))));
    };
    let user = world.users[0].0;
    check(AuditQuery { actor: Some(user.0), ..base.clone() }, &|entry| {
        entry.actor_id == Some(user.0) || entry.on_behalf_of == user
    })
    .await;
    let chat = world.chats[0].id;
    check(AuditQuery { chat: Some(chat), ..base.clone() }, &|entry| entry.chat_id == Some(chat)).await;
    check(AuditQuery { action: Some("model_call.".to_owned()), ..base.clone() }, &|entry| {
        entry.action.starts_with("model_call.")
    })
    .await;
    check(AuditQuery { action: Some("chat.turn_claimed".to_owned()), ..base.clone() }, &|entry| {
        entry.action == "chat.turn_claimed"
    })
    .await;
    let (from, to) = (all[all.len() * 2 / 3].recorded_at, all[all.len() / 3].recorded_at);
    check(AuditQuery { from: Some(from), to: Some(to), ..base.clone() }, &|entry| (from..to).contains(&entry.recorded_at))
        .await;
    assert!(all.iter().any(|entry| entry.action == "chat.turn_failed" || entry.outcome == "failed"));
    assert!(all.iter().all(|entry| !entry.summary.contains("word")), "nobody's words");
    projections.stop().await;
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_answers_on_sqlite() {
    the_audit_log_answers(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_answers_on_postgres() {
    the_audit_log_answers(Kind::Postgres).await;
}

async fn usage_adds_up(kind: Kind) {
    let (_backend, log, world, projections) = world(kind, 79, 4_000).await;
    let usage = projections.usage();
    let all = usage.query(&UsageQuery { limit: 1_000, ..UsageQuery::default() }).await.unwrap();
    assert_eq!(all.next_cursor, None);
    let sum = |rows: &[UsageRow]| {
        rows.iter().fold(UsageCounts::default(), |mut sum, row| {
            sum.model_calls += row.counts.model_calls;
            sum.failed_calls += row.counts.failed_calls;
            sum.input += row.counts.input;
            sum.cache_read += row.counts.cache_read;
            sum.output += row.counts.output;
            sum
        })
    };
    assert_eq!(all.totals, sum(&all.items));
    assert!(all.totals.failed_calls > 0 && all.totals.model_calls > all.totals.failed_calls);
    let mut of_chats = 0;
    for chat in &world.chats {
        of_chats += projections.chats().get(chat.id).await.unwrap().unwrap().usage.output;
        let page = usage.query(&UsageQuery { chat: Some(chat.id), limit: 1_000, ..UsageQuery::default() }).await.unwrap();
        assert_eq!(page.totals, sum(&page.items));
        assert!(page.items.iter().eq(all.items.iter().filter(|row| row.chat_id == chat.id)));
    }
    assert_eq!(of_chats, all.totals.output, "the chats say the same");
    let mut paged = Vec::new();
    let mut query = UsageQuery { limit: 3, ..UsageQuery::default() };
    loop {
        let page = usage.query(&query).await.unwrap();
        assert_eq!(page.totals, all.totals, "of everything, on every page");
        paged.extend(page.items);
        match page.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(paged, all.items);
    let other = UsageQuery { model: Some("test/other".to_owned()), limit: 1_000, ..UsageQuery::default() };
    assert!(usage.query(&other).await.unwrap().items.iter().all(|row| row.model == "test/other"));
    let long_ago = UsageQuery { to: Some(0), ..UsageQuery::default() };
    assert_eq!(usage.query(&long_ago).await.unwrap().totals, UsageCounts::default());
    projections.stop().await;
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_adds_up_on_sqlite() {
    usage_adds_up(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_adds_up_on_postgres() {
    usage_adds_up(Kind::Postgres).await;
}

async fn accounts_templates_and_workspaces(kind: Kind) {
    let (_backend, log, mut world, projections) = world(kind, 83, 5_000).await;
    let users = projections.users();
    assert_eq!(users.list().await.unwrap().len(), world.users.len());
    for (id, user) in &world.users {
        let document = users.get(*id).await.unwrap().unwrap();
        assert_eq!((document.name.as_str(), Some(document.role)), (user.name.as_str(), user.role));
        assert_eq!(users.tokens(*id).await.unwrap().len(), user.tokens.len());
        for token in &user.tokens {
            let found = users.token(&token.sha256).await.unwrap().unwrap();
            assert_eq!((found.id, found.user, Some(found.role)), (token.id, *id, user.role));
        }
    }
    assert_eq!(users.token("00").await.unwrap(), None);

    let templates = projections.templates();
    let all = templates.list(TemplateList::All).await.unwrap();
    assert_eq!(all.iter().map(|template| template.popularity).sum::<u64>(), world.workspaces.len() as u64);
    assert!(all.iter().is_sorted_by_key(|template| std::cmp::Reverse(template.popularity)));
    let offered = templates.list(TemplateList::Offered).await.unwrap();
    assert!(offered.iter().eq(all.iter().filter(|template| !template.archived)));
    for template in &all {
        assert_eq!(templates.by_name(&template.name).await.unwrap().as_ref(), Some(template));
        assert_eq!(templates.get(template.id).await.unwrap().as_ref(), Some(template));
    }

    let workspaces = projections.workspaces();
    for (id, state) in &world.workspaces {
        let document = workspaces.get(*id).await.unwrap().unwrap();
        assert_eq!((document.status, document.connected), (state.status, state.connected));
        assert_eq!((&document.failure, &document.directory), (&state.failure, &state.directory));
    }
    let mut found = Vec::new();
    let mut query = WorkspaceQuery { owner: world.workspaces[0].1.owner, limit: 1, ..WorkspaceQuery::default() };
    loop {
        let page = workspaces.list(&query).await.unwrap();
        found.extend(page.items.iter().map(|workspace| workspace.id));
        match page.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => break,
        }
    }
    let deleted = docket_domain::workspace::WorkspaceStatus::Deleted;
    let mine = world.workspaces.iter().filter(|(_, state)| state.owner == query.owner && state.status != deleted);
    let mut mine: Vec<_> = mine.map(|(id, _)| *id).collect();
    mine.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, mine);

    // A talkative build: the newest lines stay.
    let id = world.workspaces[0].0;
    let line = |n: usize| docket_domain::workspace::WorkspaceEvent::BuildLogged {
        build_id: docket_domain::ids::BuildId(Uuid::nil()),
        line: n.to_string(),
    };
    let mut last = 0;
    for start in (0..2_500).step_by(500) {
        let lines: Vec<_> = (start..start + 500).map(line).collect();
        last = world.append("workspace", &id.to_string(), None, Metadata::system(), &lines).await;
    }
    projections.wait_for_one("workspaces", last, PATIENCE).await.unwrap();
    let kept = workspaces.build_log(id).await.unwrap();
    assert_eq!(kept.len(), MAX_LOG_LINES);
    assert!(kept.iter().map(|line| line.line.clone()).eq((500..2_500).map(|n| n.to_string())));

    let behind = projections.wait_for(u64::MAX, Duration::from_millis(1)).await.unwrap_err();
    assert_eq!((behind.code(), behind.wanted), ("views_behind", u64::MAX));
    projections.stop().await;
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_templates_and_workspaces_on_sqlite() {
    accounts_templates_and_workspaces(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_templates_and_workspaces_on_postgres() {
    accounts_templates_and_workspaces(Kind::Postgres).await;
}
