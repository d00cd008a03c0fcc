//! What a workspace on this machine can reach.

use crate::support::{Plane, binary, command, eventually, key};
use docket_domain::ids::WorkspaceId;
use docket_wire::{file::WriteFile, process::ProcessOutput};
use docket_workspaces::{Daemon, ProcessProvisioner, ProvisionError, ProvisionerConfig, StartSpec};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

struct Place {
    plane: Plane,
    provisioner: ProcessProvisioner,
    workspace: WorkspaceId,
    root: PathBuf,
    log: Vec<String>,
}

fn provisioner(plane: &Plane, bubblewrap: bool, landlock: bool) -> ProcessProvisioner {
    ProcessProvisioner::new(ProvisionerConfig {
        root: plane.data().join("workspaces"),
        daemon: binary(),
        hide: vec![plane.data().to_owned()],
        allow_unconfined: false,
    })
    .using(bubblewrap, landlock)
    .exit_after(Duration::from_secs(600))
}

async fn place(data: &Path, bubblewrap: bool, landlock: bool) -> Option<Place> {
    let plane = Plane::start_in(data).await;
    fs::write(plane.data().join("secret"), "hunter2").unwrap();
    let provisioner = provisioner(&plane, bubblewrap, landlock);
    let (token, workspace) = plane.token();
    let lines = Mutex::new(Vec::new());
    let spec = StartSpec { workspace_id: workspace, control_plane_url: plane.url(), token: Some(token) };
    match provisioner.start(spec, |line| lines.lock().unwrap().push(line)).await {
        Ok(()) => {}
        Err(ProvisionError::Unconfined(why)) => {
            println!("not tested here: {why}");
            return None;
        }
        Err(error) => panic!("{error}"),
    }
    let root = plane.data().join("workspaces").join(workspace.to_string());
    Some(Place { root, plane, provisioner, workspace, log: lines.into_inner().unwrap() })
}

async fn run(daemon: &Daemon, text: &str) -> ProcessOutput {
    daemon.start_process(&key(), &command(text, 60_000)).await.unwrap()
}

async fn check(place: Place) {
    let Place { plane, provisioner, workspace, root, log } = place;
    println!("{log:?}");
    assert!(log[0].starts_with("confinement: "), "{log:?}");
    let daemon = plane.daemon(workspace).await;
    let metadata = daemon.metadata().await.unwrap();
    assert_eq!(metadata.directory, root.join("home").display().to_string());
    let own = std::process::id();
    let secret = plane.data().join("secret").display().to_string();
    let key_file = plane.data().join("tunnel.key").display().to_string();
    let state = root.join("state").display().to_string();
    let control = root.join("control").display().to_string();
    for forbidden in [
        format!("cat {secret}"),
        format!("cat {key_file}"),
        format!("cat /proc/{own}/environ"),
        format!("head -c 1 /proc/{own}/mem"),
        format!("ls /proc/{own}/root/"),
        format!("readlink /proc/{own}/fd/0"),
        format!("kill -0 {own}"),
        format!("kill -TERM {own}"),
        format!("cat {state}/key"),
        format!("ls {state}"),
        format!("touch {state}/calls/forged"),
        format!("cat {control}/pid.json"),
        format!("ls {}", plane.data().display()),
        "touch /usr/forbidden".to_owned(),
        "touch /etc/forbidden".to_owned(),
        // The supervisor of this very command holds the daemon's records open.
        "cat /proc/$PPID/environ".to_owned(),
        "readlink /proc/$PPID/fd/0".to_owned(),
        "kill -9 $PPID".to_owned(),
        format!("ln -s {secret} link; cat link"),
        "ls ~root/.ssh".to_owned(),
    ] {
        let done = run(&daemon, &forbidden).await;
        assert_ne!(done.exit_code, Some(0), "{forbidden}: {}", done.output);
        assert!(!done.output.contains("hunter2"), "{forbidden}: {}", done.output);
    }
    // What people need works.
    let home = root.join("home").display().to_string();
    let script = "set -e; echo $HOME; pwd; mktemp; echo x > f; mkdir -p a/b; mv f a/b/g; cat a/b/g; ls /usr/bin >/dev/null; \
                  echo hi | cat | cat; [ -r /dev/urandom ]; echo y > /dev/null; cat /etc/hostname >/dev/null; ln a/b/g h; sleep 0.01 & wait";
    let done = run(&daemon, script).await;
    assert_eq!(done.exit_code, Some(0), "{}", done.output);
    assert!(done.output.starts_with(&format!("{home}\n{home}\n")), "{}", done.output);
    let variables = run(&daemon, "env | cut -d= -f1 | sort").await.output;
    let inherited = std::env::vars().filter(|(name, _)| name.starts_with("CARGO"));
    assert!(inherited.into_iter().all(|(name, _)| !variables.lines().any(|have| have == name)), "{variables}");
    // Its own three, and the directory that is being listed.
    let open = run(&daemon, "ls -l /proc/self/fd").await.output;
    assert_eq!(open.lines().filter(|line| line.contains("->")).count(), 4, "{open}");

    survives(&plane, &provisioner, workspace, &root).await;
}

async fn survives(plane: &Plane, provisioner: &ProcessProvisioner, workspace: WorkspaceId, root: &Path) {
    let daemon = plane.daemon(workspace).await;
    // Another provisioner, as after the control plane's restart.
    let next = self::provisioner(plane, true, true);
    assert!(next.is_running(workspace).await && provisioner.is_running(workspace).await);
    let again = StartSpec { workspace_id: workspace, control_plane_url: plane.url(), token: None };
    next.start(again.clone(), |line| assert_eq!(line, "the daemon runs already")).await.unwrap();
    // A crashed daemon is started again, and its commands go on.
    let key = key();
    let request = command("echo x >> count; while [ ! -e go ]; do sleep 0.02; done; echo done", 60_000);
    let (first_key, first) = (key.clone(), request.clone());
    let call = tokio::spawn(async move { daemon.start_process(&first_key, &first).await });
    let home = root.join("home");
    eventually("the effect", async || home.join("count").exists().then_some(())).await;
    let running = daemon_pid(root);
    assert!(std::process::Command::new("kill").args(["-9", &running.to_string()]).status().unwrap().success());
    assert!(call.await.unwrap().is_err());
    fs::write(home.join("go"), "").unwrap();
    let done = plane.ask(workspace, async |daemon| daemon.start_process(&key, &request).await).await.unwrap();
    assert_eq!((done.output.as_str(), fs::read_to_string(home.join("count")).unwrap().as_str()), ("done\n", "x\n"));
    // Stopping ends all of it; the files stay; starting again needs no token.
    let daemon = plane.daemon(workspace).await;
    let write = WriteFile { path: "kept".into(), content: "1".into() };
    daemon.write_file(&self::key(), &write).await.unwrap();
    let marker = uuid::Uuid::now_v7().to_string();
    let stubborn = format!("setsid sh -c ': {marker}; sleep 98765; :' & trap '' TERM; while true; do sleep 0.1; done");
    let mut background = command(&stubborn, 0);
    background.background = true;
    daemon.start_process(&self::key(), &background).await.unwrap();
    eventually("the command", async || find(&marker).map(drop)).await;
    next.stop(workspace).await.unwrap();
    assert!(!provisioner.is_running(workspace).await);
    assert_eq!(find(&marker), None);
    assert_eq!(find(&root.display().to_string()), None);
    provisioner.start(again, |_| {}).await.unwrap();
    eventually("the daemon", async || plane.daemon(workspace).await.ping().await.ok()).await;
    assert!(home.join("kept").exists());
    provisioner.delete(workspace).await.unwrap();
    assert!(!root.exists() && !provisioner.is_running(workspace).await);
    provisioner.delete(workspace).await.unwrap();
}

fn daemon_pid(root: &Path) -> u32 {
    let state = root.join("state").display().to_string();
    processes().find(|(_, words)| words.iter().any(|word| word == "run") && words.contains(&state)).unwrap().0
}

fn find(word: &str) -> Option<(u32, Vec<String>)> {
    processes().find(|(_, words)| words.iter().any(|have| have.contains(word)))
}

fn processes() -> impl Iterator<Item = (u32, Vec<String>)> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let words = fs::read(entry.path().join("cmdline")).ok()?;
        Some((pid, words.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn landlock_alone_confines() {
    if let Some(place) = place(&std::env::temp_dir(), false, true).await {
        assert!(place.log[0].contains("landlock") && !place.log[0].contains("bubblewrap"));
        check(place).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bubblewrap_and_landlock_confine() {
    // Data folders in /tmp and elsewhere: a workspace has a /tmp of its own.
    for data in [std::env::temp_dir(), env!("CARGO_TARGET_TMPDIR").into()] {
        if let Some(place) = place(&data, true, true).await.filter(|place| place.log[0].contains("bubblewrap")) {
            if !place.root.starts_with("/tmp") {
                let daemon = place.plane.daemon(place.workspace).await;
                let done = run(&daemon, "echo x > /tmp/own && ls -A /tmp").await;
                assert_eq!((done.exit_code, done.output.as_str()), (Some(0), "own\n"));
                assert!(place.root.join("tmp/own").exists() && !Path::new("/tmp/own").exists());
            }
            check(place).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_confinement_there_is_no_workspace_unless_allowed() {
    let plane = Plane::start().await;
    let (token, workspace) = plane.token();
    let spec = StartSpec { workspace_id: workspace, control_plane_url: plane.url(), token: Some(token) };
    let refused = provisioner(&plane, false, false).start(spec.clone(), |_| {}).await.unwrap_err();
    assert!(matches!(refused, ProvisionError::Unconfined(_)), "{refused}");
    let config =
        ProvisionerConfig { root: plane.data().join("workspaces"), daemon: binary(), hide: vec![], allow_unconfined: true };
    let allowed = ProcessProvisioner::new(config.clone()).using(false, false);
    let lines = Mutex::new(Vec::new());
    allowed.start(spec.clone(), |line| lines.lock().unwrap().push(line)).await.unwrap();
    assert!(lines.into_inner().unwrap()[0].starts_with("confinement: none"));
    plane.daemon(workspace).await.ping().await.unwrap();
    allowed.delete(workspace).await.unwrap();
    let exposed = ProvisionerConfig { hide: vec!["/etc/docket".into()], allow_unconfined: false, ..config.clone() };
    let refused = ProcessProvisioner::new(exposed).using(false, true).start(spec.clone(), |_| {}).await.unwrap_err();
    assert!(refused.to_string().contains("stays readable"), "{refused}");
    let missing = ProvisionerConfig { daemon: "/nowhere/docket-workspaced".into(), ..config };
    let refused = ProcessProvisioner::new(missing).start(spec, |_| {}).await.unwrap_err();
    assert!(refused.to_string().contains("cargo build -p docket-workspaced"), "{refused}");
}
