//! The HTTP client.

use crate::{config::ConfigError, limits::Limits};
use reqwest::{Client, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::CryptoProvider};
use rustls_platform_verifier::Verifier;
use std::{sync::Arc, time::Duration};

/// A client that goes where it was told and nowhere else: no redirects (they would carry the key along), no proxy from the
/// environment, no retries behind our back (each is an event of its own), no limit on the whole duration.
pub(crate) fn client(limits: &Limits) -> Result<Client, ConfigError> {
    let built = Client::builder()
        .tls_backend_preconfigured(tls()?)
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .retry(reqwest::retry::never())
        .connect_timeout(limits.connect)
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_keepalive(Duration::from_secs(30))
        .tcp_nodelay(true)
        .user_agent(concat!("docket/", env!("CARGO_PKG_VERSION")))
        .build();
    built.map_err(|error| ConfigError::Client(error.to_string()))
}

fn tls() -> Result<ClientConfig, ConfigError> {
    let provider: Arc<CryptoProvider> = rustls::crypto::ring::default_provider().into();
    let failed = |error: rustls::Error| ConfigError::Client(error.to_string());
    let config = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().map_err(failed)?;
    match Verifier::new(provider) {
        Ok(verifier) => Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()),
        Err(error) => {
            // A bare container has no certificates, and may need none: a model on the local network is plain HTTP.
            tracing::warn!(%error, "no certificate authorities were found: model providers over HTTPS cannot be reached");
            Ok(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
        }
    }
}
