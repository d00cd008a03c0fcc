//! The control plane's side of workspaces: the hub that daemons dial into, the client of a daemon, and what makes
//! workspaces as processes on this machine.

mod call_error;
mod daemon;
mod hub;
mod provisioner;
mod registry;
mod serve;
pub mod tunnel;

pub use call_error::{CallError, ConnectError};
pub use daemon::Daemon;
pub use hub::{Hub, HubError, bootstrap::BootstrapError};
pub use provisioner::{ProcessProvisioner, ProvisionError, ProvisionerConfig, StartSpec};
pub use registry::{PathKind, Refused, Registry};
pub use serve::{Limit, serve};

pub use docket_wire::bootstrap::{BootstrapAnswer, BootstrapRequest};
