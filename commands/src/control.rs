//! Everything that a command handler or a process manager works with, in one cheap handle.

use crate::{
    builds::Builds, clock::Clock, directory::Directory, enrolment::Enrolment, error::CommandError, settings::Settings,
    turn::Worker,
};
use docket_domain::{
    Metadata,
    actor::Actor,
    chat::{Chat, ChatCommand, ChatEvent},
    ids::{ChatId, ModelCallId, TemplateId, UserId, WorkerId, WorkspaceId},
    model_call::{ModelCall, ModelCallCommand, ModelCallEvent},
    policy::{POLICY_ID, Policy, PolicyCommand, PolicyEvent},
    template::{Template, TemplateCommand, TemplateEvent},
    user::{User, UserCommand, UserEvent},
    workspace::{Workspace, WorkspaceCommand, WorkspaceEvent},
};
use docket_eventlog::{Aggregates, Blob, Executed, Log};
use docket_providers::Providers;
use docket_workspaces::{Hub, ProcessProvisioner};
use std::{sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long the end of work is waited for at shutdown.
const PATIENCE: Duration = Duration::from_secs(20);

/// The write side of Docket.
#[derive(Clone, Debug)]
pub struct Control {
    pub log: Log,
    pub clock: Clock,
    pub settings: Arc<Settings>,
    pub chats: Arc<Aggregates<Chat>>,
    pub model_calls: Arc<Aggregates<ModelCall>>,
    pub workspaces: Arc<Aggregates<Workspace>>,
    pub templates: Arc<Aggregates<Template>>,
    pub users: Arc<Aggregates<User>>,
    pub policies: Arc<Aggregates<Policy>>,
    pub providers: Providers,
    pub hub: Arc<Hub>,
    pub provisioner: Arc<ProcessProvisioner>,
    pub directory: Arc<Directory>,
    pub(crate) builds: Arc<Builds>,
    /// Fires when the process is to end.
    pub shutdown: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// What [`Control::start`] is made of.
#[derive(Debug)]
pub struct Parts {
    pub log: Log,
    pub clock: Clock,
    pub settings: Settings,
    pub providers: Providers,
    pub hub: Arc<Hub>,
    pub enrolment: Arc<Enrolment>,
    pub provisioner: ProcessProvisioner,
}

impl Control {
    /// Starts the process managers: what the log says is unfinished goes on.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn start(parts: Parts) -> Result<Self, CommandError> {
        let Parts { log, clock, settings, providers, hub, enrolment, provisioner } = parts;
        let directory = Arc::new(Directory::open(&log).await?);
        let control = Self {
            chats: Arc::new(Aggregates::new(log.clone())),
            model_calls: Arc::new(Aggregates::new(log.clone())),
            workspaces: Arc::new(Aggregates::new(log.clone())),
            templates: Arc::new(Aggregates::new(log.clone())),
            users: Arc::new(Aggregates::new(log.clone())),
            policies: Arc::new(Aggregates::new(log.clone())),
            log,
            clock,
            settings: Arc::new(settings),
            providers,
            hub,
            provisioner: Arc::new(provisioner),
            directory,
            builds: Arc::new(Builds::default()),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        enrolment.attach(control.clone());
        control.tasks.spawn(control.directory.clone().follow(control.log.clone(), control.shutdown.clone()));
        control.resume_builds();
        Worker::start(&control);
        Ok(control)
    }

    /// Ends the process managers: model calls under way are recorded as far as they came, and go on at the next start.
    pub async fn stop(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        if tokio::time::timeout(PATIENCE, self.tasks.wait()).await.is_err() {
            tracing::warn!("some work did not end in time; it goes on at the next start");
        }
        if let Err(error) = self.directory.save(&self.log).await {
            tracing::warn!(%error, "the directory's bookmark was not saved; the next start reads more of the log");
        }
    }

    /// This process, as the one who acts on behalf of somebody.
    #[must_use]
    pub fn worker(&self) -> WorkerId {
        WorkerId(self.log.worker())
    }

    /// What stands beside the events that this process appends for a chat.
    #[must_use]
    pub fn acting_for(&self, user: UserId, chat: ChatId) -> Metadata {
        Metadata::new(Actor::Worker(self.worker()), user).correlated(chat.0)
    }

    /// Carries out a command on a chat.
    ///
    /// # Errors
    /// A refusal, or a fault of the log.
    pub async fn chat(
        &self,
        id: ChatId,
        metadata: Metadata,
        command: ChatCommand,
        blobs: Vec<Blob>,
    ) -> Result<Executed<ChatEvent>, CommandError> {
        let metadata = metadata.correlated(id.0);
        Ok(self.chats.execute(id.0, Some(id.0), metadata, &self.clock.context(), command, blobs).await?)
    }

    pub(crate) async fn model_call(
        &self,
        id: ModelCallId,
        chat: ChatId,
        metadata: Metadata,
        command: ModelCallCommand,
        blobs: Vec<Blob>,
    ) -> Result<Executed<ModelCallEvent>, CommandError> {
        Ok(self.model_calls.execute(id.0, Some(chat.0), metadata, &self.clock.context(), command, blobs).await?)
    }

    /// Carries out a command on a workspace.
    ///
    /// # Errors
    /// A refusal, or a fault of the log.
    pub async fn workspace(
        &self,
        id: WorkspaceId,
        metadata: Metadata,
        command: WorkspaceCommand,
    ) -> Result<Executed<WorkspaceEvent>, CommandError> {
        Ok(self.workspaces.execute(id.0, Some(id.0), metadata, &self.clock.context(), command, vec![]).await?)
    }

    /// Carries out a command on a template.
    ///
    /// # Errors
    /// A refusal, or a fault of the log.
    pub async fn template(
        &self,
        id: TemplateId,
        metadata: Metadata,
        command: TemplateCommand,
    ) -> Result<Executed<TemplateEvent>, CommandError> {
        Ok(self.templates.execute(id.0, None, metadata, &self.clock.context(), command, vec![]).await?)
    }

    /// Carries out a command on a person's account.
    ///
    /// # Errors
    /// A refusal, or a fault of the log.
    pub async fn user(
        &self,
        id: UserId,
        metadata: Metadata,
        command: UserCommand,
    ) -> Result<Executed<UserEvent>, CommandError> {
        Ok(self.users.execute(id.0, None, metadata, &self.clock.context(), command, vec![]).await?)
    }

    /// Carries out a command on the policy.
    ///
    /// # Errors
    /// A refusal, or a fault of the log.
    pub async fn policy(&self, metadata: Metadata, command: PolicyCommand) -> Result<Executed<PolicyEvent>, CommandError> {
        Ok(self.policies.execute(POLICY_ID, None, metadata, &self.clock.context(), command, vec![]).await?)
    }

    /// The policy as it is now.
    ///
    /// # Errors
    /// A fault of the log.
    pub async fn current_policy(&self) -> Result<Policy, CommandError> {
        Ok(self.policies.read(POLICY_ID, |policy, _| policy.clone()).await?)
    }
}
