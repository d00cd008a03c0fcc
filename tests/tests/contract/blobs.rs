//! Content that events name.

use crate::fixture::*;
use docket_eventlog::{Append, Blob, Expected};
use rand::{RngCore, SeedableRng, rngs::SmallRng};
use uuid::Uuid;

on_all! {
    are_kept_with_the_event_that_names_them
    large_ones_are_kept_whole
}

async fn are_kept_with_the_event_that_names_them(fixture: Fixture) {
    let log = fixture.open().await;
    let own = Uuid::now_v7().to_string();
    let (text, noise) = (Blob::new(own.repeat(10_000)), Blob::new(Vec::from(*Uuid::now_v7().as_bytes())));
    let blobs = vec![text.clone(), noise.clone(), Blob::new("")];
    log.append(Append { blobs: blobs.clone(), ..append(&fixture.chat("a"), "{}") }).await.unwrap();
    // The same content again is no mistake.
    log.append(Append { blobs: blobs.clone(), ..append(&fixture.chat("b"), "{}") }).await.unwrap();
    let unwritten = Blob::new(format!("of a refused append {own}"));
    let refused = expecting(Expected::Exact(9), Append { blobs: vec![unwritten.clone()], ..append(&fixture.chat("b"), "{}") });
    assert!(log.append(refused).await.is_err());

    assert_eq!(log.blob(&text.sha256()).await.unwrap().unwrap(), own.repeat(10_000));
    assert_eq!(log.blob(&noise.sha256()).await.unwrap().unwrap().len(), 16);
    assert_eq!(log.blob(&Blob::new("").sha256()).await.unwrap().unwrap(), "");
    for absent in [&*unwritten.sha256(), "", "zz", "00"] {
        assert_eq!(log.blob(absent).await, Ok(None));
    }
    // Nor is it one to a process that has not seen it before; and none of it is an event.
    log.close().await;
    let log = fixture.open().await;
    log.append(Append { blobs, ..append(&fixture.chat("c"), "{}") }).await.unwrap();
    assert_eq!(log.blob(&noise.sha256()).await.unwrap().unwrap().len(), 16);
    assert_eq!(fixture.assert_sound(&log).await.len(), 3);
}

async fn large_ones_are_kept_whole(fixture: Fixture) {
    let log = fixture.open().await;
    let mut random = SmallRng::from_os_rng();
    let blobs: Vec<_> = [512 << 10, (512 << 10) + 1, 5_000_000]
        .map(|size| {
            let mut bytes = vec![0; size];
            random.fill_bytes(&mut bytes);
            Blob::new(bytes)
        })
        .into();
    let writers = (0..3).map(|writer| {
        let (log, blobs) = (log.clone(), blobs.clone());
        let request = Append { blobs, ..append(&fixture.chat(writer), "{}") };
        tokio::spawn(async move { log.append(request).await })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    log.close().await;
    let log = fixture.open().await;
    for blob in &blobs {
        assert_eq!(log.blob(&blob.sha256()).await.unwrap().unwrap().len(), blob.size());
    }
    log.append(Append { blobs, ..append(&fixture.chat("again"), "{}") }).await.unwrap();
    assert_eq!(fixture.assert_sound(&log).await.len(), 4);
}
