//! A real Postgres for tests: one cluster, shared by all test processes that run at the same time; one database for each test.
//!
//! Every process that uses the cluster holds a shared lock on its `users` file, which the operating system gives up however the
//! process ends. A keeper, a shell that outlives the tests, stops and removes the cluster when it gets that lock for itself. So
//! nothing stays behind, whether a test passes, panics or is killed.

use std::{
    fs::{File, OpenOptions},
    io::Read,
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};
use uuid::Uuid;

/// An empty database of one's own, dropped with this.
#[derive(Debug)]
pub struct Database {
    name: String,
    cluster: &'static Cluster,
}

#[derive(Debug)]
struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    /// The shared lock on the cluster.
    _user: File,
}

impl Database {
    /// # Panics
    /// When Postgres is not installed or does not start.
    #[must_use]
    pub fn create() -> Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        let cluster = CLUSTER.get_or_init(Cluster::join);
        let name = format!("test_{}", Uuid::now_v7().simple());
        run(cluster.client("createdb").arg(&name));
        Self { name, cluster }
    }

    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}", self.cluster.port, self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // What cannot be dropped now goes with the cluster.
        let _ = self.cluster.client("dropdb").args(["--force", "--if-exists", &self.name]).status();
    }
}

impl Cluster {
    /// Joins the running cluster, or starts one.
    fn join() -> Self {
        let programs = programs();
        let root = root_folder();
        // One process at a time looks or starts.
        let gate = lock_file(&root.join("gate"));
        gate.lock().unwrap_or_else(|error| panic!("the gate: {error}"));
        let current = root.join("current");
        if let Some(cluster) = std::fs::read_to_string(&current).ok().and_then(|text| Self::running(&programs, &text)) {
            return cluster;
        }
        let cluster = Self::start(programs, root.join(Uuid::now_v7().simple().to_string()));
        let text = format!("{}\n{}", cluster.port, cluster.folder.display());
        std::fs::write(&current, text).unwrap_or_else(|error| panic!("{}: {error}", current.display()));
        cluster
    }

    /// The cluster that the text names, if it runs and is not about to be stopped.
    fn running(programs: &Path, text: &str) -> Option<Self> {
        let (port, folder) = text.split_once('\n')?;
        let folder = PathBuf::from(folder);
        let user = File::open(folder.join("users")).ok()?;
        // The keeper has it for itself while it stops the cluster, and then the folder goes.
        user.try_lock_shared().ok()?;
        let cluster = Self { programs: programs.to_owned(), folder, port: port.parse().ok()?, _user: user };
        cluster.client("pg_isready").status().ok()?.success().then_some(cluster)
    }

    fn start(programs: PathBuf, folder: PathBuf) -> Self {
        std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let user = lock_file(&folder.join("users"));
        user.lock_shared().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let data = new_data_folder(&folder);
        // The keeper is there first, so that a failed start leaves nothing either.
        keep(&programs, &folder);
        run(server(&programs, "initdb").arg("-D").arg(&data).args([
            "--no-sync", // of the empty cluster only; the server itself syncs
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
        ]));
        let port = start_server(&folder, &data, || server(&programs, "pg_ctl"));
        Self { programs, folder, port, _user: user }
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.args(["--host=127.0.0.1", "--username=postgres", &format!("--port={}", self.port)]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// Where all clusters of this user lie.
pub(crate) fn root_folder() -> PathBuf {
    let root = std::env::temp_dir().join(format!("docket-postgres-{}", owner_of_this_process()));
    std::fs::create_dir_all(&root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
    root
}

/// Makes the folder of a cluster's data, the server's own.
pub(crate) fn new_data_folder(folder: &Path) -> PathBuf {
    let data = folder.join("data");
    std::fs::create_dir(&data).unwrap_or_else(|error| panic!("{}: {error}", data.display()));
    // Postgres wants a folder that nobody else can read.
    let _ = std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700));
    if let Some((uid, gid)) = unprivileged() {
        let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755));
        for path in [folder, &data] {
            chown(path, Some(uid), Some(gid)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
    data
}

/// Starts the server on a port that is free; somebody else may take it in between, so more than once.
/// `pg_ctl` is how that program is run.
pub(crate) fn start_server(folder: &Path, data: &Path, pg_ctl: impl Fn() -> Command) -> u16 {
    for _ in 0..5 {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.unwrap_or_else(|error| panic!("no free port: {error}")).port();
        let options =
            format!("-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' -c max_connections=300");
        let mut start = pg_ctl();
        start.arg("-D").arg(data).arg("-l").arg(data.join("log")).args(["-w", "-o", &options, "start"]);
        if start.status().is_ok_and(|status| status.success()) {
            return port;
        }
    }
    let mut log = String::new();
    let _ = File::open(data.join("log")).and_then(|mut file| file.read_to_string(&mut log));
    panic!("Postgres in {} does not start: {log}", folder.display())
}

/// Stops and removes the cluster when nobody uses it any more. It looks now and then instead of waiting for the lock, so that the
/// cluster lives on from one test process to the next.
pub(crate) fn keep(programs: &Path, folder: &Path) {
    const SCRIPT: &str = r#"
        while sleep 2; do
            flock --nonblock --exclusive --conflict-exit-code 9 "$2/users" sh -c '
                if test -f "$2/data/postmaster.pid"; then $3 "$1/pg_ctl" -D "$2/data" -m immediate stop; fi
                rm -rf "$2"
            ' stop "$1" "$2" "$3"
            test $? = 9 || exit 0
        done
    "#;
    let mut keeper = Command::new("sh");
    keeper.args(["-c", SCRIPT, "keeper"]).arg(programs).arg(folder).arg(privilege_drop().join(" "));
    // In a group of its own: what ends the tests must not end it.
    keeper.process_group(0).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = keeper.spawn() {
        panic!("the keeper of the test database does not start: {error}");
    }
}

/// Where Postgres' programs are: `$DOCKET_PG_BIN`, the PATH, or the newest in Debian's place.
pub(crate) fn programs() -> PathBuf {
    let mut places: Vec<PathBuf> = std::env::var_os("DOCKET_PG_BIN").map(PathBuf::from).into_iter().collect();
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    places.extend(versions.into_iter().rev());
    let complete = |place: &PathBuf| {
        ["initdb", "pg_ctl", "pg_basebackup", "createdb", "dropdb", "pg_isready"].iter().all(|name| place.join(name).exists())
    };
    let found = places.into_iter().find(complete);
    found.unwrap_or_else(|| panic!("Postgres is not installed, and this test needs it: run scripts/setup-tests"))
}

/// A program of the server's. Postgres refuses to run as root.
pub(crate) fn server(programs: &Path, program: &str) -> Command {
    let program = programs.join(program);
    let drop = privilege_drop();
    let mut command = match drop.split_first() {
        Some((setpriv, arguments)) => {
            let mut command = Command::new(setpriv);
            command.args(arguments).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

pub(crate) fn privilege_drop() -> Vec<String> {
    let Some((uid, gid)) = unprivileged() else { return Vec::new() };
    vec!["setpriv".into(), format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".into()]
}

/// Whom the server runs as when the caller is root: `postgres`, or `nobody`.
fn unprivileged() -> Option<(u32, u32)> {
    if owner_of_this_process() != 0 {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    account("postgres").or_else(|| account("nobody")).or(Some((65534, 65534)))
}

fn owner_of_this_process() -> u32 {
    std::fs::metadata("/proc/self").map_or_else(|error| panic!("/proc/self: {error}"), |process| process.uid())
}

pub(crate) fn lock_file(path: &Path) -> File {
    let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path);
    opened.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn run(command: &mut Command) {
    let output = command.stderr(Stdio::piped()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
