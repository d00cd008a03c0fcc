//! A Postgres for one test alone, so that it can be stopped, started, filled up, and replaced by its replica.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

use crate::postgres::{keep, lock_file, new_data_folder, privilege_drop, programs, root_folder, run, server, start_server};
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use uuid::Uuid;

/// A running cluster, or one that was stopped. It goes when the test's process does, however that ends.
#[derive(Debug)]
pub struct OwnPostgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    /// Variables of the server's environment.
    environment: Vec<(String, String)>,
    /// The size of the file system, in memory, that its folder `small` is, in bytes.
    disk: Option<u64>,
    /// The lock that keeps the cluster.
    _user: File,
}

impl OwnPostgres {
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With these variables in the server's environment.
    #[must_use]
    pub fn with(environment: &[(&str, &str)]) -> Self {
        let mut postgres = Self::empty();
        postgres.environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        postgres.begin();
        postgres
    }

    /// With a file system of so many bytes at [`small`](Self::small), for a tablespace. It goes when the server stops.
    #[must_use]
    pub fn with_small_disk(bytes: u64) -> Self {
        let mut postgres = Self::empty();
        fs::create_dir(postgres.small()).unwrap();
        postgres.disk = Some(bytes);
        postgres.begin();
        postgres
    }

    fn begin(&mut self) {
        let mut initdb = server(&self.programs, "initdb");
        initdb.arg("-D").arg(self.data());
        run(initdb.args(["--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]));
        self.restart();
    }

    /// The small file system as the server sees it; a folder `space` of the server's own is in it.
    #[must_use]
    pub fn small(&self) -> PathBuf {
        self.folder.join("small")
    }

    /// The same as this process sees it.
    #[must_use]
    pub fn small_from_here(&self) -> PathBuf {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let root = Path::new("/proc").join(file.lines().next().unwrap()).join("root");
        root.join(self.small().strip_prefix("/").unwrap())
    }

    fn empty() -> Self {
        let (programs, folder) = (programs(), root_folder().join(Uuid::now_v7().simple().to_string()));
        std::fs::create_dir_all(&folder).unwrap();
        let user = lock_file(&folder.join("users"));
        user.lock_shared().unwrap();
        new_data_folder(&folder);
        keep(&programs, &folder);
        Self { programs, folder, port: 0, environment: Vec::new(), disk: None, _user: user }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the stopped server, on whatever port is free.
    pub fn restart(&mut self) {
        self.port = start_server(&self.folder, &self.data(), || self.pg_ctl());
    }

    fn pg_ctl(&self) -> Command {
        let Some(bytes) = self.disk else {
            let mut command = server(&self.programs, "pg_ctl");
            command.envs(self.environment.iter().cloned());
            return command;
        };
        let mut sandbox = Command::new("bwrap");
        sandbox.args(["--dev-bind", "/", "/", "--perms", "0777", "--size", &bytes.to_string()]);
        sandbox.arg("--tmpfs").arg(self.small()).arg("--").args(privilege_drop());
        sandbox.args(["sh", "-c", "mkdir \"$0/space\" && exec \"$@\""]).arg(self.small()).arg(self.programs.join("pg_ctl"));
        sandbox.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        sandbox
    }

    /// Stops the server: `fast` ends the sessions, `immediate` is a crash.
    pub fn stop(&self, mode: &str) {
        run(server(&self.programs, "pg_ctl").arg("-D").arg(self.data()).args(["-w", "-m", mode, "stop"]));
    }

    /// A replica that follows this server; from now on a commit waits for it.
    #[must_use]
    pub fn standby(&self) -> Self {
        let mut standby = Self::empty();
        let mut copy = server(&self.programs, "pg_basebackup");
        copy.args(["--host=127.0.0.1", "--username=postgres", &format!("--port={}", self.port)]);
        run(copy.arg("-D").arg(standby.data()).args(["--checkpoint=fast", "--no-sync", "--write-recovery-conf"]));
        standby.restart();
        let mut settings = File::options().append(true).open(self.data().join("postgresql.auto.conf")).unwrap();
        settings.write_all(b"synchronous_standby_names = '*'\n").unwrap();
        run(server(&self.programs, "pg_ctl").arg("-D").arg(self.data()).arg("reload"));
        standby
    }

    /// Makes the replica the server.
    pub fn promote(&self) {
        run(server(&self.programs, "pg_ctl").arg("-D").arg(self.data()).args(["-w", "promote"]));
    }
}
