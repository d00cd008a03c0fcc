//! Kills at any point.

use crate::support::{DaemonProcess, Plane, eventually, key};
use docket_wire::file::{Edit, EditFiles};
use std::{
    fs,
    time::{Duration, Instant},
};

const FILES: usize = 48;
const ROUNDS: u64 = 24;

fn generation(text: &str) -> u64 {
    text.trim().rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_many_files_is_made_whole_or_not_at_all() {
    let plane = Plane::start().await;
    let (token, workspace) = plane.token();
    let mut process = DaemonProcess::start(&plane, &token);
    plane.daemon(workspace).await;
    let name = |n: usize| format!("d{n}/file");
    let filling = "some text that takes its time\n".repeat(1_000);
    for n in 0..FILES {
        fs::create_dir_all(process.dir().join(name(n)).parent().unwrap()).unwrap();
        fs::write(process.dir().join(name(n)), format!("{filling}generation 0")).unwrap();
    }
    let look = |process: &DaemonProcess| -> Vec<u64> {
        (0..FILES).map(|n| generation(&fs::read_to_string(process.dir().join(name(n))).unwrap())).collect()
    };
    let (mut before, mut after) = (0, 0);
    let mut whole = Duration::ZERO;
    for round in 1..=ROUNDS {
        let daemon = plane.daemon(workspace).await;
        let key = key();
        let edit = |n| Edit {
            path: name(n),
            old_text: format!("generation {}", round - 1),
            new_text: format!("generation {round}"),
            replace_all: false,
        };
        let request = EditFiles { edits: (0..FILES).map(edit).collect() };
        let (first_key, first) = (key.clone(), request.clone());
        let begun = Instant::now();
        let call = tokio::spawn(async move { daemon.edit_files(&first_key, &first).await });
        if round == 1 {
            // How long it takes, undisturbed.
            call.await.unwrap().unwrap();
            whole = begun.elapsed();
            continue;
        }
        // Somewhere between the request and the end.
        tokio::time::sleep(whole.mul_f64(1.1 * (round - 1) as f64 / (ROUNDS - 1) as f64)).await;
        process.restart();
        let _ = call.await.unwrap();
        eventually("the restarted daemon", async || {
            plane.daemon(workspace).await.metadata().await.ok().filter(|metadata| metadata.uptime_ms < 5_000)
        })
        .await;
        let now = look(&process);
        assert!(now.iter().all(|generation| *generation == now[0]), "round {round}: {now:?}");
        if now[0] == round {
            after += 1
        } else {
            before += 1
        }
        let edited = plane.ask(workspace, async |daemon| daemon.edit_files(&key, &request).await).await.unwrap();
        assert_eq!(edited.files.len(), FILES);
        assert_eq!(look(&process), vec![round; FILES]);
    }
    println!("{whole:?} undisturbed; killed before the decision {before} times, after it {after} times");
    let litter = eventually("no litter", async || {
        let mut all = (0..FILES).flat_map(|n| fs::read_dir(process.dir().join(format!("d{n}"))).unwrap());
        (!all.any(|entry| entry.unwrap().file_name() != "file")).then_some(())
    });
    litter.await;
}
