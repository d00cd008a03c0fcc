//! The chats and their messages as rows. The tables also serve the list of chats: its row is a column of the chat's.

use super::{
    document::ChatDocument,
    message::{MessageDocument, MessageRole},
    summary::ChatSummary,
    view::ChatView,
};
use crate::{
    database::{Row, Transaction, Upsert, Value, parameters},
    error::ApplyError,
    projection::{Projection, Table},
    stream_uuid::stream_uuid,
};
use docket_domain::{chat::ChatEvent, ids::ChatId};
use docket_eventlog::{Filter, Recorded};
use lru::LruCache;
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    sync::Arc,
};
use uuid::Uuid;

/// Chats that are kept in memory from batch to batch.
const CACHE: NonZeroUsize = NonZeroUsize::new(512).unwrap();
const SELECT_CHUNK: usize = 256;

const CHATS: Upsert = Upsert {
    table: "chats@",
    columns: &[
        "id",
        "owner",
        "status",
        "title",
        "preview",
        "pinned",
        "archived",
        "last_activity_at",
        "last_assistant",
        "document",
        "summary",
    ],
    key: &["id"],
    replace: &[
        "owner",
        "status",
        "title",
        "preview",
        "pinned",
        "archived",
        "last_activity_at",
        "last_assistant",
        "document",
        "summary",
    ],
    add: &[],
};
const MESSAGES: Upsert = Upsert {
    table: "messages@",
    columns: &["chat_id", "ordinal", "id", "role", "document"],
    key: &["chat_id", "ordinal"],
    replace: &["document"],
    add: &[],
};
const LABELS: Upsert = Upsert {
    table: "chat_labels@",
    columns: &["chat_id", "name", "value"],
    key: &["chat_id", "name"],
    replace: &["value"],
    add: &[],
};

/// Persists the fold of [`ChatView`]. Deltas never get here: a streamed answer is written when it is complete.
#[derive(Debug)]
pub struct Chats {
    cache: LruCache<Uuid, ChatView>,
}

impl Default for Chats {
    fn default() -> Self {
        Self { cache: LruCache::new(CACHE) }
    }
}

/// What a batch has to write of a chat.
struct Touched {
    view: ChatView,
    messages: BTreeSet<usize>,
    labels: BTreeMap<String, String>,
}

impl Projection for Chats {
    const NAME: &'static str = "chat";
    const VERSION: u32 = 1;
    const TABLES: &'static [Table] = &[
        Table {
            name: "chats",
            key: &["id"],
            // `title` and `preview` are in lower case, for search. `last_assistant` is where the messages begin that an event
            // can still change.
            columns: "id TEXT PRIMARY KEY, owner TEXT NOT NULL, status TEXT NOT NULL, title TEXT NOT NULL, preview TEXT \
                NOT NULL, pinned BIGINT NOT NULL, archived BIGINT NOT NULL, last_activity_at BIGINT NOT NULL, \
                last_assistant BIGINT NOT NULL, document TEXT NOT NULL, summary TEXT NOT NULL",
            indexes: &[("owner", "owner, pinned, last_activity_at, id"), ("activity", "pinned, last_activity_at, id")],
        },
        Table {
            name: "messages",
            key: &["chat_id", "ordinal"],
            columns: "chat_id TEXT NOT NULL, ordinal BIGINT NOT NULL, id TEXT NOT NULL, role TEXT NOT NULL, document TEXT \
                NOT NULL, PRIMARY KEY (chat_id, ordinal)",
            indexes: &[],
        },
        Table {
            name: "chat_labels",
            key: &["chat_id", "name"],
            columns: "chat_id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (chat_id, name)",
            indexes: &[("name", "name, value, chat_id")],
        },
    ];

    fn filter() -> Filter {
        Filter::all().aggregates(["chat"])
    }

    async fn apply(&mut self, tx: &mut Transaction, events: &[Arc<Recorded>]) -> Result<(), ApplyError> {
        let decoded = events.iter().map(|event| Ok((stream_uuid(event)?, event, event.decode::<ChatEvent>()?)));
        let decoded: Vec<_> = decoded.collect::<Result<_, ApplyError>>()?;
        let mut touched = self.load(tx, decoded.iter().map(|(id, ..)| *id).collect()).await?;
        for (id, recorded, event) in &decoded {
            if let Some(chat) = touched.get_mut(id) {
                chat.messages.extend(chat.view.apply(recorded.position, recorded.recorded_at, event));
            }
        }
        write(tx, &touched).await?;
        for (id, mut chat) in touched {
            chat.view.forget_settled();
            self.cache.put(id, chat.view);
        }
        Ok(())
    }
}

impl Chats {
    async fn load(&mut self, tx: &mut Transaction, ids: BTreeSet<Uuid>) -> sqlx::Result<BTreeMap<Uuid, Touched>> {
        let mut views = BTreeMap::new();
        let mut missing = Vec::new();
        for id in ids {
            match self.cache.pop(&id) {
                Some(view) => drop(views.insert(id, view)),
                None => missing.push(id),
            }
        }
        for ids in missing.chunks(SELECT_CHUNK) {
            let list = parameters(1, ids.len());
            let values = || ids.iter().map(Value::id).collect();
            for row in tx.fetch(&format!("SELECT document FROM chats@ WHERE id IN ({list})"), values()).await? {
                let chat: ChatDocument = row.document(0)?;
                views.insert(chat.id.0, ChatView { chat, messages: Vec::new() });
            }
            let sql = format!(
                "SELECT m.document FROM chats@ c JOIN messages@ m ON m.chat_id = c.id AND m.ordinal >= c.last_assistant \
                 WHERE c.id IN ({list}) ORDER BY m.chat_id, m.ordinal"
            );
            for row in tx.fetch(&sql, values()).await? {
                let message: MessageDocument = row.document(0)?;
                if let Some(view) = views.get_mut(&message.chat_id.0) {
                    view.messages.push(message);
                }
            }
            for id in ids {
                views.entry(*id).or_insert_with(|| ChatView::new(ChatId(*id)));
            }
        }
        let touched = |view: ChatView| Touched { messages: BTreeSet::new(), labels: view.chat.labels.clone(), view };
        Ok(views.into_iter().map(|(id, view)| (id, touched(view))).collect())
    }
}

impl ChatView {
    /// Where the messages begin that an event can still change.
    fn last_assistant(&self) -> Option<usize> {
        self.messages.iter().rposition(|message| message.role == MessageRole::Assistant)
    }

    fn forget_settled(&mut self) {
        if let Some(last) = self.last_assistant() {
            self.messages.drain(..last);
        }
    }
}

async fn write(tx: &mut Transaction, touched: &BTreeMap<Uuid, Touched>) -> sqlx::Result<()> {
    let mut chats = Vec::with_capacity(touched.len());
    let mut messages = Vec::new();
    let mut relabelled = Vec::new();
    let mut labels = Vec::new();
    for (id, chat) in touched {
        chats.push(chat_row(&chat.view)?);
        for message in chat.messages.iter().filter_map(|index| chat.view.messages.get(*index)) {
            messages.push(message_row(message)?);
        }
        if chat.view.chat.labels != chat.labels {
            relabelled.push(Value::id(id));
            let row = |(name, value): (&String, &String)| vec![Value::id(id), Value::text(name), Value::text(value)];
            labels.extend(chat.view.chat.labels.iter().map(row));
        }
    }
    CHATS.write(tx, chats).await?;
    MESSAGES.write(tx, messages).await?;
    for ids in relabelled.chunks(SELECT_CHUNK) {
        let sql = format!("DELETE FROM chat_labels@ WHERE chat_id IN ({})", parameters(1, ids.len()));
        tx.execute(&sql, ids.to_vec()).await?;
    }
    LABELS.write(tx, labels).await
}

fn chat_row(view: &ChatView) -> sqlx::Result<Vec<Value>> {
    let chat = &view.chat;
    let last_assistant = view.last_assistant().and_then(|index| view.messages.get(index));
    Ok(vec![
        Value::id(chat.id),
        Value::id(chat.owner),
        Value::id(chat.status),
        Value::text(chat.title.as_deref().unwrap_or_default().to_lowercase()),
        Value::text(chat.preview.to_lowercase()),
        Value::flag(chat.pinned),
        Value::flag(chat.archived),
        Value::int(chat.last_activity_at),
        Value::count(last_assistant.map_or(0, |message| message.ordinal)),
        Value::document(chat)?,
        Value::document(&ChatSummary::from(chat))?,
    ])
}

fn message_row(message: &MessageDocument) -> sqlx::Result<Vec<Value>> {
    Ok(vec![
        Value::id(message.chat_id),
        Value::count(message.ordinal),
        Value::id(message.id),
        Value::text(<&str>::from(message.role)),
        Value::document(message)?,
    ])
}

/// The documents in rows that have one each, in their first column.
pub(super) fn messages(rows: &[Row]) -> sqlx::Result<Vec<MessageDocument>> {
    rows.iter().map(|row| row.document(0)).collect()
}
