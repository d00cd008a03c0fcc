//! Data written by an older version stays readable: recorded logs are opened, decoded and projected by today's code.

use crate::backend::PATIENCE;
use docket_domain::{
    chat::ChatEvent, model_call::ModelCallEvent, policy::PolicyEvent, template::TemplateEvent, user::UserEvent,
    workspace::WorkspaceEvent,
};
use docket_eventlog::{DatabaseUrl, Filter, Log, Options, Recorded};
use docket_projections::{Database, Projections, chat::ChatQuery};
use std::{collections::BTreeSet, fs, path::Path};

fn decodes(event: &Recorded) {
    let decoded = match &*event.stream.aggregate_type {
        "chat" => event.decode::<ChatEvent>().map(drop),
        "model_call" => event.decode::<ModelCallEvent>().map(drop),
        "policy" => event.decode::<PolicyEvent>().map(drop),
        "template" => event.decode::<TemplateEvent>().map(drop),
        "user" => event.decode::<UserEvent>().map(drop),
        "workspace" => event.decode::<WorkspaceEvent>().map(drop),
        other => panic!("an aggregate of type {other}"),
    };
    decoded.unwrap();
    event.metadata().unwrap();
}

async fn opens(version: &str, folder: &Path) -> (Vec<u64>, BTreeSet<String>, Projections) {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("histories").join(version).join("docket.db");
    let path = folder.join("docket.db");
    fs::copy(recorded, &path).unwrap();
    let log = Log::open(&DatabaseUrl::Sqlite(path), Options::default()).await.unwrap();
    let head = log.head().await.unwrap();
    let (mut positions, mut types) = (vec![], BTreeSet::new());
    while (positions.len() as u64) < head {
        for event in log.read_all(positions.len() as u64, &Filter::all(), 1_000).await.unwrap().events {
            decodes(&event);
            assert_eq!(event.leaf_hash, event.computed_leaf_hash(), "position {}", event.position);
            positions.push(event.position);
            types.insert(event.event_type.to_string());
        }
    }
    let views = Database::open(&DatabaseUrl::Sqlite(folder.join("views.db"))).await.unwrap();
    let projections = Projections::start(log.clone(), views).await.unwrap();
    projections.wait_for(head, PATIENCE).await.unwrap();
    assert_eq!(projections.failures(None, 10).await.unwrap(), []);
    projections.stop().await;
    log.close().await;
    (positions, types, projections)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_version_0_1_opens_and_replays() {
    let folder = tempfile::tempdir().unwrap();
    let (positions, types, projections) = opens("0.1", folder.path()).await;
    assert!(positions.iter().copied().eq(1..=407));
    assert_eq!(types.len(), 45);
    let query = ChatQuery { limit: 10, archived: true, ..ChatQuery::default() };
    let archived = projections.chats().list(&query).await.unwrap();
    assert_eq!(archived.items[0].title.as_deref(), Some("Queue"));
    let answers = archived.items[0].message_count;
    assert_eq!(answers, 8, "four prompts, each with its answer");
}
