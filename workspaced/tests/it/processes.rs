//! Commands.

use crate::support::{Local, code, command, eventually, key};
use docket_wire::{
    limits::{ENV_COUNT, OUTPUT_HEAD_BYTES, OUTPUT_TAIL_BYTES},
    process::{ListQuery, OutputQuery, Signal, SignalProcess, StartProcess},
};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

fn wait(ms: u64) -> OutputQuery {
    OutputQuery { wait_ms: Some(ms), owner: None }
}

fn kill() -> SignalProcess {
    SignalProcess { signal: Signal::Kill, owner: None }
}

#[tokio::test]
async fn a_command_runs_to_its_end() {
    let local = Local::new();
    let done = local.daemon.start_process(&key(), &command("echo out; echo err >&2; pwd; exit 3", 20_000)).await.unwrap();
    assert_eq!((done.running, done.exit_code, done.signal), (false, Some(3), None));
    assert_eq!(done.output, format!("out\nerr\n{}\n", local.dir.display()));
    assert_eq!(done.truncated, None);
    let killed = local.daemon.start_process(&key(), &command("kill -9 $$", 20_000)).await.unwrap();
    assert_eq!((killed.exit_code, killed.signal), (None, Some(9)));
    let none = local.daemon.start_process(&key(), &command("cat; true", 20_000)).await.unwrap();
    assert_eq!((none.exit_code, none.output.as_str()), (Some(0), ""), "there is no input");
    let odd = local.daemon.start_process(&key(), &command(r"printf 'a\377\376b'", 20_000)).await.unwrap();
    assert_eq!(odd.output, "a\u{fffd}\u{fffd}b");
}

#[tokio::test]
async fn the_environment_suits_a_machine_without_a_terminal() {
    let local = Local::new();
    let mut request = command("env", 20_000);
    request.env.insert("MINE".into(), "1".into());
    request.env.insert("EDITOR".into(), "own".into());
    let done = local.daemon.start_process(&key(), &request).await.unwrap();
    for line in [
        "TERM=dumb",
        "NO_COLOR=1",
        "GIT_TERMINAL_PROMPT=0",
        "PAGER=cat",
        "GIT_PAGER=cat",
        "MINE=1",
        "EDITOR=own",
        "VISUAL=true",
    ] {
        assert!(done.output.lines().any(|have| have == line), "{line} in {}", done.output);
    }
    assert!(!done.output.contains("DOCKET_WORKSPACED"));
    request.env.insert("A=B".into(), "1".into());
    assert_eq!(code(local.daemon.start_process(&key(), &request).await), "invalid_environment");
    request.env = (0..=ENV_COUNT).map(|n| (format!("V{n}"), String::new())).collect();
    assert_eq!(code(local.daemon.start_process(&key(), &request).await), "environment_too_large");
}

#[tokio::test]
async fn a_slow_command_goes_on_and_can_be_ended_with_its_whole_group() {
    let local = Local::new();
    let begun = Instant::now();
    let slow =
        local.daemon.start_process(&key(), &command("echo begun; sleep 1000 & sleep 1000; echo never", 300)).await.unwrap();
    assert!(slow.running && slow.exit_code.is_none() && begun.elapsed() < Duration::from_secs(20));
    let id = slow.process_id;
    eventually("output", async || {
        (local.daemon.process_output(&id, &wait(0)).await.unwrap().output == "begun\n").then_some(())
    })
    .await;
    let list = local.daemon.process_list(&ListQuery::default()).await.unwrap().processes;
    assert!(list[0].running && list[0].process_id == id && !list[0].background);
    let group = fs::read_to_string(local.state.join("processes").join(&id).join("started.json")).unwrap();
    let group = serde_json::from_str::<serde_json::Value>(&group).unwrap()["pid"].as_i64().unwrap();
    local.daemon.process_signal(&key(), &id, &SignalProcess { signal: Signal::Terminate, owner: None }).await.unwrap();
    let ended = local.daemon.process_output(&id, &wait(20_000)).await.unwrap();
    assert_eq!((ended.running, ended.signal, ended.output.as_str()), (false, Some(15), "begun\n"));
    eventually("the group's end", async || members(group).is_empty().then_some(())).await;
    assert_eq!(code(local.daemon.process_signal(&key(), &id, &kill()).await), "not_running");
    assert_eq!(code(local.daemon.process_signal(&key(), "0123", &kill()).await), "no_such_process");
}

#[tokio::test]
async fn what_a_command_leaves_running_does_not_hold_the_answer() {
    let local = Local::new();
    let begun = Instant::now();
    let done = local
        .daemon
        .start_process(
            &key(),
            &command("touch alive; (while [ -e alive ]; do sleep 0.02; done; echo late) & echo done", 60_000),
        )
        .await
        .unwrap();
    assert_eq!((done.exit_code, done.output.as_str()), (Some(0), "done\n"));
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn the_background_the_list_and_owners() {
    let local = Local::new();
    let start = |text: &str, owner: Option<&str>| StartProcess {
        background: true,
        owner: owner.map(str::to_owned),
        ..command(text, 0)
    };
    let mine = local.daemon.start_process(&key(), &start("sleep 1000", Some("a b/ü"))).await.unwrap();
    assert!(mine.running);
    for _ in 0..11 {
        local.daemon.start_process(&key(), &command("true", 20_000)).await.unwrap();
    }
    let list = local.daemon.process_list(&ListQuery::default()).await.unwrap().processes;
    assert_eq!(list.len(), 10);
    assert!(list[0].running && list[0].background && list[0].process_id == mine.process_id, "running ones first");
    assert!(list[1..].windows(2).all(|pair| pair[0].started_at_ms >= pair[1].started_at_ms), "newest first");
    let owned = |owner: &str| ListQuery { owner: Some(owner.to_owned()) };
    assert_eq!(local.daemon.process_list(&owned("a b/ü")).await.unwrap().processes.len(), 1);
    assert_eq!(local.daemon.process_list(&owned("other")).await.unwrap().processes.len(), 0);
    let other = OutputQuery { wait_ms: Some(0), owner: Some("other".into()) };
    assert_eq!(code(local.daemon.process_output(&mine.process_id, &other).await), "no_such_process");
    let signal = SignalProcess { signal: Signal::Kill, owner: Some("other".into()) };
    assert_eq!(code(local.daemon.process_signal(&key(), &mine.process_id, &signal).await), "no_such_process");
    local.daemon.process_signal(&key(), &mine.process_id, &kill()).await.unwrap();
    assert_eq!(local.daemon.process_output(&mine.process_id, &wait(20_000)).await.unwrap().signal, Some(9));
}

#[tokio::test]
async fn what_cannot_run_is_a_clear_error() {
    let local = Local::new();
    local.put("file", "");
    let at = |workdir: &str| StartProcess { workdir: Some(workdir.to_owned()), ..command("pwd", 20_000) };
    assert_eq!(code(local.daemon.start_process(&key(), &at("..")).await), "outside_workspace");
    assert_eq!(code(local.daemon.start_process(&key(), &at("/")).await), "outside_workspace");
    assert_eq!(code(local.daemon.start_process(&key(), &at("missing")).await), "not_found");
    assert_eq!(code(local.daemon.start_process(&key(), &at("file")).await), "not_a_directory");
    assert_eq!(code(local.daemon.start_process(&key(), &command(" ", 0)).await), "invalid_command");
    assert_eq!(code(local.daemon.start_process(&key(), &command(&"x".repeat(70_000), 0)).await), "command_too_large");
    fs::create_dir(local.dir.join("sub")).unwrap();
    let done = local.daemon.start_process(&key(), &at("sub")).await.unwrap();
    assert_eq!(done.output, format!("{}/sub\n", local.dir.display()));
}

#[tokio::test]
async fn a_gigabyte_of_output_takes_little_memory_and_disk() {
    let local = Local::new();
    let request = command("echo first; head -c 1G /dev/zero | tr '\\0' x; echo; echo last", 600_000);
    let daemon = local.daemon.clone();
    let running = tokio::spawn(async move { daemon.start_process(&key(), &request).await.unwrap() });
    let supervisor = eventually("the supervisor", async || supervisor(&local.state)).await;
    let mut peak = 0;
    let mut disk = 0;
    while !running.is_finished() {
        peak = peak.max(status_kib(supervisor, "VmHWM").unwrap_or(0));
        disk = disk.max(bytes_below(&local.state));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let done = running.await.unwrap();
    let truncated = done.truncated.unwrap();
    assert_eq!(truncated.original_bytes, (1 << 30) + 12);
    assert_eq!(truncated.original_bytes, truncated.retained_bytes + truncated.omitted_bytes);
    assert!(done.output.starts_with("first\nxxx") && done.output.ends_with("xxx\nlast\n"));
    assert!(done.output.len() <= OUTPUT_HEAD_BYTES + OUTPUT_TAIL_BYTES);
    println!("1 GiB of output: supervisor's peak {peak} KiB, state's peak {disk} bytes, {} ms", done.wall_ms);
    assert!(peak > 0 && peak < 64 * 1024, "{peak} KiB");
    assert!(disk < 256 * 1024, "{disk} bytes");
}

fn members(group: i64) -> Vec<i64> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
        if fields[2] == group.to_string() && fields[0] != "Z" {
            all.push(group);
        }
    }
    all
}

fn supervisor(state: &Path) -> Option<u32> {
    let wanted = state.join("processes").display().to_string();
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let command = fs::read(entry.path().join("cmdline")).ok()?;
        let text = String::from_utf8_lossy(&command).into_owned();
        (text.contains("supervise") && text.contains(&wanted)).then(|| entry.file_name().to_str()?.parse().ok()).flatten()
    })
}

pub(crate) fn status_kib(pid: u32, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn bytes_below(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
