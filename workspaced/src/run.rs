//! The daemon itself.

use crate::{
    app::{self, App},
    calls::Calls,
    confine::Confinement,
    durable,
    enrol::Enrolment,
    identity::{self, Identity},
    link::{Ended, Link},
    metadata::About,
    process::{environment::Environment, launch, table::Table},
    root::Root,
    settings::{Settings, TOKEN_VARIABLE},
};
use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{File, OpenOptions},
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs until there is a reason to end. Called before any thread is started.
pub fn run(settings: &Settings) -> Result<Ended> {
    if settings.with_parent {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    }
    std::fs::create_dir_all(&settings.dir).context("the workspace's directory cannot be made")?;
    durable::private_dir(&settings.state).context("the state directory cannot be made")?;
    let (dir, state) = (settings.dir.canonicalize()?, settings.state.canonicalize()?);
    if state.starts_with(&dir) || dir.starts_with(&state) {
        bail!("the state directory and the workspace's directory must not contain one another");
    }
    let (confinement, commands) = confine(settings, &dir, &state)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let _lock = sole(&state)?;
        let root = Root::open(&dir)?;
        let calls = Arc::new(Calls::open(&state, &root)?);
        let processes = Table::open(&state, launch::own_program()?, Environment::new(std::env::vars_os()), commands)?;
        let app = Arc::new(App { root, calls, processes, about: About::new(confinement) });
        serve(settings, &state, app).await
    })
}

async fn serve(settings: &Settings, state: &Path, app: Arc<App>) -> Result<Ended> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let identity = Identity::open(state, settings.token_file.clone()).context("the daemon's key")?;
    let run = format!("{:032x}", rand::random::<u128>());
    let enrolment = Enrolment::new(&settings.url, identity.clone(), run)?;
    let link = Link::new(&settings.url, enrolment, identity, app::router(Arc::clone(&app)), settings.exit_after)?;
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    let ended = link.run(&stop).await;
    if ended != Ended::Told {
        app.processes.kill_all().await;
    }
    Ok(ended)
}

/// What is in force for the daemon, in words, and what more is for commands.
fn confine(settings: &Settings, dir: &Path, state: &Path) -> Result<(String, Option<Confinement>)> {
    if !settings.confine {
        return Ok(("none".to_owned(), None));
    }
    let program = std::env::current_exe().context("the daemon's own program")?;
    let mut write = vec![dir.to_owned()];
    write.extend(settings.allow_write.iter().cloned());
    write.extend(std::env::var_os("TMPDIR").map(PathBuf::from).filter(|path| path.is_dir()));
    if let Some(path) = write.iter().find(|path| state.starts_with(path.canonicalize().as_ref().unwrap_or(path))) {
        bail!("{} contains the state directory, so commands must not write it", path.display());
    }
    let commands = Confinement { read: settings.allow_read.clone(), write };
    let mut own = commands.clone();
    own.read.push(program);
    own.write.push(state.to_owned());
    let in_force = own.enforce()?;
    tracing::info!(in_force, "confined");
    Ok((in_force, Some(commands)))
}

/// Two daemons on one state directory would fight; the second waits for the first to end.
fn sole(state: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(state.join("daemon.lock"))?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

/// Moves a token out of the environment, where it would stay readable for as long as the process lives, into a file, and
/// starts this program anew without it.
pub fn hide_token(state: &Path) -> Result<()> {
    let Some(token) = std::env::var_os(TOKEN_VARIABLE) else { return Ok(()) };
    durable::private_dir(state)?;
    durable::write(&identity::state_token(state), token.as_encoded_bytes())?;
    let error = std::process::Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env_remove(TOKEN_VARIABLE)
        .exec();
    Err(error).context("the daemon could not be started anew")
}
