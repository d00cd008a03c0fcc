//! A real control plane as a process, on a data folder of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, clippy::print_stderr)]

use crate::{
    client::Client,
    model_server::ModelServer,
    postgres::Database,
    processes, programs,
    sse::{DEADLINE, Event, EventStream},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::oneshot,
    time::timeout,
};

/// Where the log lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// The control plane. Dropping it ends it and every workspace that it made.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    database: Option<Arc<Database>>,
    /// Where the log and the views lie, when it is not a database of the shared cluster.
    url: Option<String>,
    /// The size of the data folder's own file system, in bytes.
    disk: Option<u64>,
    listen: SocketAddr,
    environment: Vec<(String, String)>,
    child: Option<Child>,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Without a provider: the scripted model answers.
    pub async fn start(backend: Backend) -> Self {
        Self::with(backend, &[]).await
    }

    /// With a provider.
    pub async fn with_model(backend: Backend, model: &ModelServer) -> Self {
        Self::with(backend, &[("OPENAI_BASE_URL", &model.base_url())]).await
    }

    /// With these variables and no others but the `PATH`.
    pub async fn with(backend: Backend, environment: &[(&str, &str)]) -> Self {
        let mut server = Self::prepare(backend, environment);
        server.restart().await;
        server
    }

    /// On a database of the test's own.
    #[must_use]
    pub fn on(mut self, url: String) -> Self {
        self.url = Some(url);
        self
    }

    /// With one more variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a data folder on a file system of its own, in memory, of so many bytes. It goes with the process.
    #[must_use]
    pub fn on_small_disk(mut self, bytes: u64) -> Self {
        fs::create_dir(self.data_dir()).unwrap();
        self.disk = Some(bytes);
        self
    }

    /// Another control plane on the same Postgres, with a data folder of its own.
    pub async fn replica(&self) -> Self {
        let mut replica = Self::prepare(Backend::Sqlite, &[]);
        replica.environment.clone_from(&self.environment);
        replica.database = Some(self.database.clone().expect("Postgres"));
        replica.restart().await;
        replica
    }

    /// Everything but the process.
    #[must_use]
    pub fn prepare(backend: Backend, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("docket-e2e-").tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        Self {
            folder,
            database: (backend == Backend::Postgres).then(|| Arc::new(Database::create())),
            url: None,
            disk: None,
            listen: SocketAddr::new(own_address().into(), 0),
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            child: None,
            log: Arc::default(),
        }
    }

    /// Starts the process on the same data folder and, from the second time on, the same port. Returns when it serves.
    pub async fn restart(&mut self) {
        assert!(self.child.is_none(), "it runs");
        let mut command = self.command();
        command.arg("serve").arg("--listen").arg(self.listen.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        self.child = Some(child);
        let (found, address) = oneshot::channel();
        tokio::spawn(follow(lines, self.log.clone(), found));
        let address = timeout(DEADLINE, address).await.expect("the server starts in time");
        self.listen = address.unwrap_or_else(|_| panic!("the server ended:\n{}", self.log()));
    }

    /// `docket` with the server's data folder and environment.
    fn command(&self) -> Command {
        let mut command = match self.disk {
            None => Command::new(programs::docket()),
            Some(bytes) => {
                let mut sandbox = Command::new("bwrap");
                sandbox.args(["--dev-bind", "/", "/", "--perms", "0700", "--size", &bytes.to_string()]);
                sandbox.arg("--tmpfs").arg(self.data_dir()).args(["--die-with-parent", "--"]).arg(programs::docket());
                sandbox
            }
        };
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.folder.path().join("home"));
        command.envs(self.environment.iter().cloned()).current_dir(self.folder.path()).kill_on_drop(true);
        command.arg("--data-dir").arg(self.data_dir());
        if let Some(url) = self.url.clone().or_else(|| Some(self.database.as_ref()?.url())) {
            command.arg("--database").arg(url);
        }
        command
    }

    /// Runs `docket` with these arguments to its end.
    pub async fn docket(&self, arguments: &[&str]) -> Output {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::null());
        timeout(DEADLINE, command.output()).await.expect("the command ends in time").unwrap()
    }

    /// The standard output of a command that succeeds.
    pub async fn docket_ok(&self, arguments: &[&str]) -> String {
        let output = self.docket(arguments).await;
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// SIGKILL, in whatever it is doing.
    pub async fn kill9(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().await.unwrap();
    }

    /// SIGTERM; how it ended.
    pub async fn terminate(&mut self) -> ExitStatus {
        processes::signal(self.pid(), Signal::TERM);
        self.ended().await
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        timeout(DEADLINE, child.wait()).await.expect("the server ends in time").unwrap()
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id().unwrap()
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The data folder as this process sees it.
    #[must_use]
    pub fn data_dir_from_here(&self) -> PathBuf {
        if self.disk.is_none() {
            return self.data_dir();
        }
        // The sandbox's own process stays outside; the one in it is its child.
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid())).unwrap();
        let child = children.split_ascii_whitespace().next().expect("a process in the sandbox");
        Path::new("/proc").join(child).join("root").join(self.data_dir().strip_prefix("/").unwrap())
    }

    /// What it wrote to standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    #[must_use]
    pub fn token(&self) -> String {
        fs::read_to_string(self.data_dir_from_here().join("owner.token")).unwrap().trim().to_owned()
    }

    /// The interface, as the owner.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(format!("http://{}", self.listen), Some(self.token()))
    }

    /// Makes a chat that begins with this prompt; its id.
    pub async fn chat(&self, prompt: &str) -> String {
        let chat = self.client().post("/chats", &json!({ "content": text(prompt) })).await.ok();
        chat["id"].as_str().unwrap().to_owned()
    }

    /// Sends a prompt; what came back.
    pub async fn say(&self, chat: &str, prompt: &str, delivery: &str) -> Value {
        let body = json!({ "content": text(prompt), "delivery": delivery });
        self.client().post(&format!("/chats/{chat}/messages"), &body).await.ok()
    }

    /// The stream of a chat: after a position, or beginning with a snapshot.
    pub async fn events(&self, chat: &str, after: Option<u64>) -> EventStream {
        EventStream::open(self.listen, &format!("/api/v1/chats/{chat}/events"), &self.token(), after).await
    }

    /// The chat's events from the first up to one that fits.
    pub async fn wait_for(&self, chat: &str, fits: impl Fn(&Event) -> bool) -> Vec<Event> {
        self.events(chat, Some(0)).await.until(fits).await
    }

    /// The chat's events from the first until so many turns have ended.
    pub async fn turns(&self, chat: &str, count: usize) -> Vec<Event> {
        let (mut stream, mut events, mut ended) = (self.events(chat, Some(0)).await, Vec::new(), 0);
        while ended < count {
            events.extend(stream.until(Event::ends_turn).await);
            ended += 1;
        }
        events
    }

    /// All events of the chat as of now.
    pub async fn history(&self, chat: &str) -> Vec<Event> {
        self.until_head(&format!("/chats/{chat}/events")).await
    }

    /// The whole log as of now.
    pub async fn whole_log(&self) -> Vec<Event> {
        self.until_head("/events").await
    }

    async fn until_head(&self, path: &str) -> Vec<Event> {
        let head = &self.client().get("/events/head").await.ok()["position"];
        let path = format!("/api/v1{path}?after=0&until={head}");
        EventStream::open(self.listen, &path, &self.token(), None).await.rest().await
    }

    /// The `local` template's id.
    pub async fn template(&self) -> String {
        self.client().get("/templates").await.ok()["items"][0]["id"].as_str().unwrap().to_owned()
    }

    /// The directory of the only workspace, when it has one.
    pub async fn workspace_directory(&self) -> PathBuf {
        let workspaces = self.data_dir().join("workspaces");
        let home = || Some(fs::read_dir(&workspaces).ok()?.next()?.ok()?.path().join("home"));
        until("the workspace's directory", || home().is_some_and(|home| home.is_dir())).await;
        home().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.start_kill();
        }
        processes::end(self.folder.path());
        if std::thread::panicking() {
            let log = self.log();
            let from = log.char_indices().rev().nth(8_000).map_or(0, |(at, _)| at);
            eprintln!("the server's log:\n{}", &log[from..]);
        }
    }
}

/// A prompt's content.
#[must_use]
pub fn text(text: &str) -> Value {
    json!([{ "type": "text", "text": text }])
}

/// Waits until a condition holds.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The lines of a file, none if it is not there.
#[must_use]
pub fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// A loopback address for one server alone: while it is down, nothing else on this machine takes its port.
fn own_address() -> Ipv4Addr {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // Neither the first nor the last of a network.
    let number = std::process::id() * 64 + 1 + COUNT.fetch_add(1, Ordering::Relaxed) % 62;
    let [_, b, c, d] = (number % 0x00fe_0000 + 0x0001_0000).to_be_bytes();
    Ipv4Addr::new(127, b, c, d)
}

async fn follow(
    mut lines: tokio::io::Lines<BufReader<tokio::process::ChildStderr>>,
    log: Arc<Mutex<String>>,
    found: oneshot::Sender<SocketAddr>,
) {
    let mut found = Some(found);
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(address) = line.strip_prefix("Docket listens on http://")
            && let Some(found) = found.take()
        {
            let _ = found.send(address.parse().unwrap());
        }
        let mut log = log.lock().unwrap();
        log.push_str(&line);
        log.push('\n');
    }
}
