//! The peer: cqrs-es with postgres-es as they come, one event a command.

use super::load::{Done, Load, context, metadata, requested, together, tokens};
use crate::bench::samples::Samples;
use anyhow::{Result, bail};
use docket_domain::{
    ids::ChatId,
    model_call::{ModelCall, ModelCallCommand},
};
use docket_eventlog::{DatabaseUrl, metadata_map};
use postgres_es::postgres_cqrs;
use sqlx::postgres::PgPoolOptions;
use std::{sync::Arc, time::Instant};
use uuid::Uuid;

/// The table as postgres-es' own `db/init.sql` makes it.
const TABLE: &str = "CREATE TABLE events (aggregate_type text NOT NULL, aggregate_id text NOT NULL, \
    sequence bigint CHECK (sequence >= 0) NOT NULL, event_type text NOT NULL, event_version text NOT NULL, \
    payload json NOT NULL, metadata json NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, sequence))";
/// As `default_postgress_pool` has it.
const CONNECTIONS: u32 = 10;

/// Records the same events of the same aggregates as [`super::load::drive`] into an empty database.
pub(super) async fn drive(url: &DatabaseUrl, load: Load) -> Result<Done> {
    let DatabaseUrl::Postgres(url) = url else { bail!("postgres-es needs Postgres") };
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?;
    sqlx::raw_sql(TABLE).execute(&pool).await?;
    let cqrs = Arc::new(postgres_cqrs::<ModelCall>(pool.clone(), vec![], context()));
    let done = together(load.chats, 1, |start| {
        let cqrs = cqrs.clone();
        async move {
            let (chat, id) = (ChatId(Uuid::now_v7()), Uuid::now_v7().to_string());
            let metadata = metadata_map(&metadata(Uuid::now_v7(), chat))?;
            let request = ModelCallCommand::Request(requested(chat)?);
            cqrs.execute_with_metadata(&id, request, metadata.clone()).await?;
            let until = start.together().await? + load.time;
            let (mut index, mut requests) = (0, Samples::default());
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
