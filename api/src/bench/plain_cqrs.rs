//! The peer: cqrs-es with postgres-es as they come, one event a command.

use super::load::{Done, Load, context, metadata, requested, together, tokens};
use crate::bench::samples::Samples;
use anyhow::{Result, bail};
use cqrs_es::{Aggregate, DomainEvent};
use docket_domain::{
    ids::ChatId,
    model_call::{ModelCall, ModelCallCommand},
};
use docket_eventlog::{DatabaseUrl, metadata_map};
use postgres_es::postgres_cqrs;
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::{collections::HashMap, future::ready, sync::Arc, time::Instant};
use uuid::Uuid;

/// The table as postgres-es' own `db/init.sql` makes it.
const TABLE: &str = "CREATE TABLE events (aggregate_type text NOT NULL, aggregate_id text NOT NULL, \
    sequence bigint CHECK (sequence >= 0) NOT NULL, event_type text NOT NULL, event_version text NOT NULL, \
    payload json NOT NULL, metadata json NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, sequence))";
/// As `default_postgress_pool` has it.
const CONNECTIONS: u32 = 10;

/// Records the same events of the same aggregates as [`super::load::drive`] into an empty database, each aggregate having so many
/// tokens already.
pub(super) async fn drive(url: &DatabaseUrl, load: Load, streamed: u64) -> Result<Done> {
    let DatabaseUrl::Postgres(url) = url else { bail!("postgres-es needs Postgres") };
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?;
    sqlx::raw_sql(TABLE).execute(&pool).await?;
    let cqrs = Arc::new(postgres_cqrs::<ModelCall>(pool.clone(), vec![], context()));
    let done = together(load.chats, 1, ready(Ok(())), |start| {
        let (cqrs, pool) = (cqrs.clone(), pool.clone());
        async move {
            let (chat, id) = (ChatId(Uuid::now_v7()), Uuid::now_v7().to_string());
            let metadata = metadata_map(&metadata(Uuid::now_v7(), chat))?;
            let request = ModelCallCommand::Request(requested(chat)?);
            cqrs.execute_with_metadata(&id, request, metadata.clone()).await?;
            stream(&pool, &id, &metadata, streamed).await?;
            let until = start.together().await? + load.time;
            let (mut index, mut requests) = (streamed, Samples::default());
            while Instant::now() < until {
                let one = Instant::now();
                cqrs.execute_with_metadata(&id, ModelCallCommand::Record(tokens(index, 1)), metadata.clone()).await?;
                requests.add(one.elapsed());
                index += 1;
            }
            Ok(requests)
        }
    });
    let done = done.await;
    pool.close().await;
    done
}

/// Tokens that came before, after the call's first event: the rows that the same commands would have left.
async fn stream(pool: &PgPool, id: &str, metadata: &HashMap<String, String>, count: u64) -> Result<()> {
    const INSERT: &str = "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
        SELECT $1, $2, place + 1, $3, $4, payload::json, $5 FROM unnest($6::text[]) WITH ORDINALITY AS token (payload, place)";
    let tokens = tokens(0, count);
    let Some(first) = tokens.first() else { return Ok(()) };
    let payloads: Vec<String> = tokens.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    let insert = sqlx::query(INSERT).bind(ModelCall::TYPE).bind(id).bind(first.event_type()).bind(first.event_version());
    insert.bind(serde_json::to_value(metadata)?).bind(payloads).execute(pool).await?;
    Ok(())
}
