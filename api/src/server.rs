//! A whole control plane: log, views, hub, process managers, HTTP.

use crate::{config::Config, descriptors, owner_token, problem::Problem, routes, sealing, state::AppState};
use anyhow::{Context, Result, bail};
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use docket_commands::{Clock, Control, control::Parts, enrolment::Enrolment, settings::Settings};
use docket_eventlog::{DatabaseUrl, Log, Options};
use docket_projections::{Database, Projections};
use docket_providers::Providers;
use docket_workspaces::{Hub, Limit, ProcessProvisioner, ProvisionerConfig};
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long a start waits for the view of users and tokens: it may have to be rebuilt.
const TOKENS_KNOWN: Duration = Duration::from_secs(300);

/// A view that is so many events behind is not ready.
const MAX_LAG: u64 = 100_000;
/// What a short event takes in KurrentDB, about.
const EVENT_BYTES: u64 = 600;

/// A control plane that is up and not yet serving.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    state: AppState,
    hub: Arc<Hub>,
    data_dir: PathBuf,
    address: SocketAddr,
}

/// The file that tells where the server of a data folder listens, while it runs.
fn address_file(data_dir: &Path) -> PathBuf {
    data_dir.join("server.address")
}

/// Where the server of this data folder listens, if its file says so. Whether it still does, a request tells.
#[must_use]
pub fn announced(data_dir: &Path) -> Option<SocketAddr> {
    fs::read_to_string(address_file(data_dir)).ok()?.trim().parse().ok()
}

impl Server {
    /// Opens everything. Migrations run here; unfinished work goes on.
    ///
    /// # Errors
    /// When something cannot be opened; the message says what.
    pub async fn start(config: &Config) -> Result<Self> {
        prepare_cryptography(config).await?;
        let providers = Providers::from_env(|name| std::env::var(name).ok()).context("the model providers' configuration")?;
        Self::start_with(config, providers).await
    }

    /// The same with these model providers, whatever the environment names.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(config: &Config, providers: Providers) -> Result<Self> {
        prepare_cryptography(config).await?;
        private_folder(&config.data_dir)?;
        let views = config.views_url()?;
        let seal_after = config.seal_after()?;
        let segments = Some(config.segment_store()?);
        let options = Options { durability: config.log_durability(), segments, ..Options::default() };
        let log = Log::open(&config.database_url()?, options).await.context("the log cannot be opened")?;
        let views = Database::open(&views).await.context("the views' database cannot be opened")?;
        let projections = Projections::start(log.clone(), views).await.context("the views cannot be built")?;

        let listener = TcpListener::bind(config.listen).await;
        let listener = listener.with_context(|| format!("cannot listen on {}", config.listen))?;
        let address = listener.local_addr()?;
        let enrolment = Arc::new(Enrolment::default());
        let hub = Hub::start(&config.data_dir, enrolment.clone()).await.context("the tunnel's hub cannot be started")?;
        let hub = Arc::new(hub);
        let provisioner = ProcessProvisioner::new(ProvisionerConfig {
            root: config.data_dir.join("workspaces"),
            daemon: daemon_program(config)?,
            hide: vec![config.data_dir.clone()],
            allow_unconfined: config.allow_unconfined,
        });
        let url = config.url.clone().unwrap_or_else(|| format!("http://{}", reachable(address)));
        let control = Control::start(Parts {
            log,
            clock: Clock::System,
            settings: Settings::new(url),
            providers,
            hub: hub.clone(),
            enrolment,
            provisioner,
        });
        let control = control.await.context("the log cannot be read")?;
        control.set_up().await.context("the first account cannot be made")?;
        owner_token::ensure(&control, &config.data_dir).await?;
        // Who reads the address may use a token at once.
        let head = control.log.head().await.context("the log cannot be read")?;
        if let Err(error) = projections.wait_for_one("users", head, TOKENS_KNOWN).await {
            tracing::warn!(%error, "tokens are not known yet; requests are refused until they are");
        }
        fs::write(address_file(&config.data_dir), address.to_string())?;
        let max_lag = match config.database_url()? {
            // Its positions count bytes.
            DatabaseUrl::Kurrentdb(_) => MAX_LAG * EVENT_BYTES,
            DatabaseUrl::Sqlite(_) | DatabaseUrl::Postgres(_) => MAX_LAG,
        };
        let state = AppState { control, projections: Arc::new(projections), ending: CancellationToken::new(), max_lag };
        if let Some(age) = seal_after {
            tokio::spawn(sealing::run(state.control.log.clone(), age, state.ending.clone()));
        }
        Ok(Self { listener, state, hub, data_dir: config.data_dir.clone(), address })
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Serves until `stop` fires, then ends cleanly: streams are told, turns under way are recorded, everything is flushed.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, stop: CancellationToken) -> Result<()> {
        let router = routes::router(self.state.clone());
        let ending = self.state.ending.clone();
        tokio::spawn({
            let (stop, ending) = (stop.clone(), ending.clone());
            async move {
                stop.cancelled().await;
                ending.cancel();
            }
        });
        let limit = Limit { connections: descriptors::connections(), beyond: too_many_connections };
        let served = docket_workspaces::serve(self.listener, router, self.hub.clone(), limit, stop).await;
        let _ = fs::remove_file(address_file(&self.data_dir));
        self.state.control.stop().await;
        self.hub.close().await;
        self.state.projections.stop().await;
        self.state.control.log.close().await;
        served.context("the server failed")
    }
}

/// The same, but the log's client comes first: that of KurrentDB insists on a provider of its own.
async fn prepare_cryptography(config: &Config) -> Result<()> {
    Log::prepare(&config.database_url()?).await.context("the log cannot be opened")?;
    install_cryptography();
    Ok(())
}

/// One provider of cryptography for the whole process; a second call is no error.
pub(crate) fn install_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn too_many_connections() -> Response<Body> {
    let detail = "the server has as many connections as it may have open files; try again in a moment";
    let mut response = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", detail).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Workspaces on this machine reach an unspecified address at the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), address.port());
    }
    address
}

fn private_folder(path: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot make the data folder {}", path.display()))?;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o022 != 0 {
        bail!("the data folder {} can be written by others (mode {:o}): chmod go-w it", path.display(), mode & 0o777);
    }
    Ok(())
}

fn daemon_program(config: &Config) -> Result<PathBuf> {
    match &config.workspaced {
        Some(path) => Ok(path.clone()),
        None => Ok(std::env::current_exe()?.with_file_name("docket-workspaced")),
    }
}
