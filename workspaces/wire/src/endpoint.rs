//! The settings of the tunnel's two endpoints. They reach nothing but the control plane's own port: no public relay, no
//! discovery, no port probing, no name server but the system's.

use crate::limits::STREAMS;
use iroh::{
    NetReportConfig, RelayConfig, RelayMap, RelayMode, RelayUrl, SecretKey,
    dns::DnsResolver,
    endpoint::{Builder, IdleTimeout, QuicTransportConfig, VarInt, presets},
    tls::CaTlsConfig,
};
use std::time::Duration;

/// The tunnel's protocol and its version.
pub const ALPN: &[u8] = b"docket/workspace/1";

/// Streams outlive a network that is gone this long. The smaller of both sides' counts; heartbeats find a dead peer far sooner.
pub const IDLE: Duration = Duration::from_secs(120);
/// How often a daemon asks for a sign of life, and how long it waits for one.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);
/// See [`HEARTBEAT_INTERVAL`].
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(2);

/// An endpoint that is reached through one relay only.
pub fn builder(key: SecretKey, relay: RelayUrl, relay_token: &str) -> Builder {
    let relay = RelayConfig::new(relay, None).with_auth_token(relay_token);
    // Without these probes an endpoint has no home relay, and the control plane's must stay on its own.
    let mut report = NetReportConfig::minimal();
    report.https_probes = true;
    let transport = QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(120_000))))
        .default_path_max_idle_timeout(Duration::from_secs(5))
        .default_path_keep_alive_interval(Duration::from_secs(1))
        .build();
    iroh::Endpoint::builder(presets::Minimal)
        .secret_key(key)
        .alpns(vec![ALPN.to_vec()])
        .relay_mode(RelayMode::Custom(RelayMap::from(relay)))
        .net_report_config(report)
        .dns_resolver(DnsResolver::builder().with_system_defaults().disable_fallback().build())
        .ca_tls_config(CaTlsConfig::system())
        .transport_config(transport)
        .clear_ip_transports()
}
