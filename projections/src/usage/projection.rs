//! Tokens per chat, person, model and day, as rows.

use super::day::day;
use crate::{
    database::{Transaction, Upsert, Value, parameters},
    error::ApplyError,
    projection::{Projection, Table},
};
use docket_domain::{chat::ChatEvent, usage::Usage as Tokens};
use docket_eventlog::{Filter, Recorded};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use uuid::Uuid;

/// What one call can have used at most. No model comes near; a provider that reports more is not to spoil the sums.
const MOST: u64 = 1 << 40;
const SELECT_CHUNK: usize = 256;

const TOTALS: Upsert = Upsert {
    table: "usage@",
    columns: &[
        "chat_id",
        "user_id",
        "model",
        "day",
        "model_calls",
        "failed_calls",
        "input",
        "cache_read",
        "cache_write",
        "output",
        "reasoning",
    ],
    key: &["chat_id", "user_id", "model", "day"],
    replace: &[],
    add: &["model_calls", "failed_calls", "input", "cache_read", "cache_write", "output", "reasoning"],
};
const OPEN: Upsert = Upsert {
    table: "usage_open@",
    columns: &["model_call_id", "chat_id", "user_id", "model"],
    key: &["model_call_id"],
    replace: &["chat_id", "user_id", "model"],
    add: &[],
};

/// Counts a model call when it ends, on the day it ends. The table of open calls remembers whose they are, because the event
/// of a failure does not say.
#[derive(Debug, Default)]
pub struct Usage;

/// A model call: whose it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Account {
    chat: String,
    user: String,
    model: String,
}

impl Projection for Usage {
    const NAME: &'static str = "usage";
    const VERSION: u32 = 1;
    const TABLES: &'static [Table] = &[
        Table {
            name: "usage",
            key: &["chat_id", "user_id", "model", "day"],
            columns: "chat_id TEXT NOT NULL, user_id TEXT NOT NULL, model TEXT NOT NULL, day TEXT NOT NULL, model_calls \
                BIGINT NOT NULL, failed_calls BIGINT NOT NULL, input BIGINT NOT NULL, cache_read BIGINT NOT NULL, \
                cache_write BIGINT NOT NULL, output BIGINT NOT NULL, reasoning BIGINT NOT NULL, PRIMARY KEY \
                (chat_id, user_id, model, day)",
            indexes: &[("user", "user_id, day"), ("day", "day")],
        },
        Table {
            name: "usage_open",
            key: &["model_call_id"],
            columns: "model_call_id TEXT PRIMARY KEY, chat_id TEXT NOT NULL, user_id TEXT NOT NULL, model TEXT NOT NULL",
            indexes: &[],
        },
    ];

    fn filter() -> Filter {
        Filter::all().types(["chat.model_call_started", "chat.model_call_completed", "chat.model_call_failed"])
    }

    async fn apply(&mut self, tx: &mut Transaction, events: &[Arc<Recorded>]) -> Result<(), ApplyError> {
        let decoded = events.iter().map(|event| Ok((event, event.decode::<ChatEvent>()?)));
        let decoded: Vec<_> = decoded.collect::<Result<_, ApplyError>>()?;
        let mut open = open_calls(tx, decoded.iter().filter_map(|(_, event)| ended(event)).collect()).await?;
        let (mut started, mut closed) = (BTreeSet::new(), BTreeSet::new());
        let mut sums: BTreeMap<(Account, String), [u64; 7]> = BTreeMap::new();
        for (recorded, event) in &decoded {
            match event {
                ChatEvent::ModelCallStarted { model_call_id, model, .. } => {
                    let account = Account {
                        chat: recorded.stream.aggregate_id.to_string(),
                        user: recorded.metadata()?.on_behalf_of.to_string(),
                        model: model.to_string(),
                    };
                    open.insert(model_call_id.0, account);
                    started.insert(model_call_id.0);
                }
                ChatEvent::ModelCallCompleted { model_call_id, usage, .. } => {
                    if let Some(account) = open.remove(&model_call_id.0) {
                        add(sums.entry((account, day(recorded.recorded_at))).or_default(), 0, usage);
                        closed.insert(model_call_id.0);
                    }
                }
                ChatEvent::ModelCallFailed { model_call_id, usage, .. } => {
                    if let Some(account) = open.remove(&model_call_id.0) {
                        add(sums.entry((account, day(recorded.recorded_at))).or_default(), 1, usage);
                        closed.insert(model_call_id.0);
                    }
                }
                _ => {}
            }
        }
        let still_open = started.iter().filter_map(|id| open.get_key_value(id)).map(|(id, account)| {
            vec![Value::id(id), Value::text(&account.chat), Value::text(&account.user), Value::text(&account.model)]
        });
        OPEN.write(tx, still_open).await?;
        let closed: Vec<_> = closed.difference(&started).map(Value::id).collect();
        for ids in closed.chunks(SELECT_CHUNK) {
            let sql = format!("DELETE FROM usage_open@ WHERE model_call_id IN ({})", parameters(1, ids.len()));
            tx.execute(&sql, ids.to_vec()).await?;
        }
        let rows = sums.into_iter().map(|((account, day), sums)| {
            let key = [Value::text(account.chat), Value::text(account.user), Value::text(account.model), Value::text(day)];
            key.into_iter().chain(sums.map(Value::count)).collect()
        });
        Ok(TOTALS.write(tx, rows).await?)
    }
}

fn ended(event: &ChatEvent) -> Option<Uuid> {
    match event {
        ChatEvent::ModelCallCompleted { model_call_id, .. } | ChatEvent::ModelCallFailed { model_call_id, .. } => {
            Some(model_call_id.0)
        }
        _ => None,
    }
}

async fn open_calls(tx: &mut Transaction, ids: Vec<Uuid>) -> sqlx::Result<BTreeMap<Uuid, Account>> {
    let mut open = BTreeMap::new();
    for ids in ids.chunks(SELECT_CHUNK) {
        let sql = format!(
            "SELECT model_call_id, chat_id, user_id, model FROM usage_open@ WHERE model_call_id IN ({})",
            parameters(1, ids.len())
        );
        for row in tx.fetch(&sql, ids.iter().map(Value::id).collect()).await? {
            open.insert(row.parsed(0)?, Account { chat: row.text(1)?, user: row.text(2)?, model: row.text(3)? });
        }
    }
    Ok(open)
}

/// Adds a call to sums in the order of the columns.
fn add(sums: &mut [u64; 7], failed: u64, tokens: &Tokens) {
    let counts = [tokens.input, tokens.cache_read, tokens.cache_write, tokens.output, tokens.reasoning];
    let counts = counts.map(|count| count.unwrap_or(0).min(MOST));
    sums[0] += 1;
    sums[1] += failed;
    for (sum, count) in sums[2..].iter_mut().zip(counts) {
        *sum += count;
    }
}
