//! A history of the world: random commands, decided by the real aggregates, appended to a real log. The seed gives all of it.

use crate::traffic::{ChatLife, Streamed};
use docket_domain::{
    Context, Decide, Metadata, Timestamp,
    actor::Actor,
    ids::{BuildId, ChatId, TemplateId, TokenId, UserId, WorkerId, WorkspaceId},
    policy::{Policy, PolicyCommand, event::Subject},
    template::{Provisioner, Template, TemplateCommand},
    user::{Role, User, UserCommand},
    workspace::{Transition, Workspace, WorkspaceCommand, event::ConnectionPath},
};
use docket_eventlog::{Append, Expected, Log, NewEvent, StreamId};
use rand::{Rng as _, SeedableRng, rngs::StdRng};
use serde::Serialize;
use uuid::Uuid;

pub struct World {
    pub log: Log,
    pub rng: StdRng,
    pub chats: Vec<ChatLife>,
    pub users: Vec<(UserId, User)>,
    pub workspaces: Vec<(WorkspaceId, Workspace)>,
    pub templates: Vec<(TemplateId, Template)>,
    policy: Policy,
    pub worker: WorkerId,
    now: i64,
    /// Events appended.
    pub events: u64,
}

impl World {
    pub fn new(seed: u64, log: Log) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let worker = WorkerId(Uuid::from_u128(rng.random()));
        Self {
            log,
            rng,
            chats: Vec::new(),
            users: Vec::new(),
            workspaces: Vec::new(),
            templates: Vec::new(),
            policy: Policy::default(),
            worker,
            now: 1_795_305_600_000_000,
            events: 0,
        }
    }

    pub fn id(&mut self) -> Uuid {
        Uuid::from_u128(self.rng.random())
    }

    pub fn context(&mut self) -> Context {
        self.now += self.rng.random_range(1..50_000);
        Context { now: Timestamp(self.now), id: self.id() }
    }

    pub fn user(&mut self) -> UserId {
        let index = self.rng.random_range(0..self.users.len());
        self.users[index].0
    }

    pub fn by_user(&mut self) -> Metadata {
        let user = self.user();
        Metadata::new(Actor::User(user), user)
    }

    /// Something happens. What is refused happens not, and something else is tried at the next call.
    pub async fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..=1 => self.user_step().await,
            2..=3 => self.template_step().await,
            4..=9 => self.workspace_step().await,
            10 => self.policy_step().await,
            _ => self.chat_step().await,
        }
    }

    /// Goes on until so many events are in the log.
    pub async fn run(&mut self, events: u64) {
        let target = self.events + events;
        while self.events < target {
            self.step().await;
        }
    }

    pub async fn append<E: Serialize + cqrs_es::DomainEvent>(
        &mut self,
        kind: &str,
        id: &str,
        scope: Option<Uuid>,
        metadata: Metadata,
        events: &[E],
    ) -> u64 {
        let new = |event: &E| NewEvent {
            event_type: event.event_type().into(),
            event_version: event.event_version().into(),
            payload: serde_json::to_vec(event).unwrap().into(),
        };
        let append = Append {
            stream: StreamId::new(kind, id),
            scope,
            expected: Expected::Any,
            events: events.iter().map(new).collect(),
            blobs: Vec::new(),
            metadata,
        };
        self.events += events.len() as u64;
        self.log.append(append).await.unwrap().last_position
    }

    async fn decide<A: Decide<Event: Serialize>>(
        &mut self,
        state: &mut A,
        id: String,
        metadata: Metadata,
        command: A::Command,
    ) {
        let context = self.context();
        let Ok(events) = state.decide(command, &context) else { return };
        if !events.is_empty() {
            self.append(A::KIND, &id, None, metadata, &events).await;
            events.iter().for_each(|event| state.apply_event(event));
        }
    }

    async fn user_step(&mut self) {
        let role = [Role::Owner, Role::Administrator, Role::Auditor, Role::Member][self.rng.random_range(0..4)];
        if self.users.len() < 6 {
            let (id, mut user) = (UserId(self.id()), User::default());
            let command = UserCommand::Create { name: format!("user {}", self.users.len()), role };
            self.decide(&mut user, id.to_string(), Metadata::system(), command).await;
            self.users.push((id, user));
            return;
        }
        let index = self.rng.random_range(0..self.users.len());
        let (id, mut user) = self.users[index].clone();
        let token = user.tokens.first().map(|token| token.id);
        let command = match (self.rng.random_range(0..3), token) {
            (0, Some(token_id)) => UserCommand::RevokeToken { token_id },
            (1, _) => UserCommand::ChangeRole { role },
            _ => UserCommand::IssueToken {
                token_id: TokenId(self.id()),
                name: "token".to_owned(),
                sha256: self.id().simple().to_string(),
                expires_at: None,
            },
        };
        let metadata = self.by_user();
        self.decide(&mut user, id.to_string(), metadata, command).await;
        self.users[index].1 = user;
    }

    async fn template_step(&mut self) {
        if self.users.is_empty() {
            return;
        }
        let metadata = self.by_user();
        if self.templates.len() < 4 {
            let (id, mut template) = (TemplateId(self.id()), Template::default());
            let name = format!("template-{}", self.templates.len());
            let command = TemplateCommand::Create { name, description: String::new(), provisioner: Provisioner::Process };
            self.decide(&mut template, id.to_string(), metadata, command).await;
            self.templates.push((id, template));
            return;
        }
        let index = self.rng.random_range(0..self.templates.len());
        let (id, mut template) = self.templates[index].clone();
        let command = if self.rng.random_bool(0.5) {
            TemplateCommand::SetArchived { archived: !template.archived }
        } else {
            TemplateCommand::Describe { description: format!("described {}", self.events) }
        };
        self.decide(&mut template, id.to_string(), metadata, command).await;
        self.templates[index].1 = template;
    }

    async fn workspace_step(&mut self) {
        if self.users.is_empty() || self.templates.is_empty() {
            return;
        }
        if self.workspaces.len() < 8 || self.rng.random_bool(0.02) {
            let (id, mut workspace) = (WorkspaceId(self.id()), Workspace::default());
            let template = self.rng.random_range(0..self.templates.len());
            let command = WorkspaceCommand::Create {
                name: format!("workspace-{}", self.workspaces.len()),
                owner: self.user(),
                template_id: self.templates[template].0,
                chat_id: self.chats.first().map(|chat| ChatId(chat.id.0)),
                parameters: [].into(),
            };
            let metadata = self.by_user();
            self.decide(&mut workspace, id.to_string(), metadata, command).await;
            self.workspaces.push((id, workspace));
            return;
        }
        let index = self.rng.random_range(0..self.workspaces.len());
        let (id, mut workspace) = self.workspaces[index].clone();
        let command = match (&workspace.build, self.rng.random_range(0..10)) {
            (Some(build), 0..=6) => {
                let line = format!("line {} \u{0}of the build", self.events);
                WorkspaceCommand::Log { build_id: build.id, line }
            }
            (Some(build), 7) => WorkspaceCommand::FailBuild { build_id: build.id, message: "broken".to_owned() },
            (Some(build), _) => WorkspaceCommand::FinishBuild { build_id: build.id, directory: "/work".to_owned() },
            (None, 0) => WorkspaceCommand::Connect { path: ConnectionPath::Relay },
            (None, 1) => WorkspaceCommand::Disconnect { reason: "gone".to_owned() },
            (None, 2) => WorkspaceCommand::IssueEnrolment { token_sha256: "aa".to_owned() },
            (None, 3) => WorkspaceCommand::Enrol { token_sha256: "aa".to_owned(), public_key: "key".to_owned() },
            (None, n) => {
                let transition = if n == 9 && self.rng.random_bool(0.1) {
                    Transition::Delete
                } else if n > 6 {
                    Transition::Stop
                } else {
                    Transition::Start
                };
                WorkspaceCommand::StartBuild { build_id: BuildId(self.id()), transition }
            }
        };
        let metadata = Metadata::new(Actor::Workspace(id), workspace.owner.unwrap_or(UserId::SYSTEM));
        self.decide(&mut workspace, id.to_string(), metadata, command).await;
        self.workspaces[index].1 = workspace;
    }

    async fn policy_step(&mut self) {
        if self.users.is_empty() {
            return;
        }
        let name = ["execute", "read_file"][self.rng.random_range(0..2)].to_owned();
        let subject = Subject::Tool;
        let command = if self.policy.allows(subject, &name) {
            PolicyCommand::Withdraw { subject, name }
        } else {
            PolicyCommand::Restore { subject, name }
        };
        let metadata = self.by_user();
        let mut policy = self.policy.clone();
        self.decide(&mut policy, "policy".to_owned(), metadata, command).await;
        self.policy = policy;
    }

    /// A chat's snapshot position and the events of its stream and calls, for those who fold them.
    pub async fn events_of(&self, chat: ChatId, after: u64) -> Vec<Streamed> {
        crate::traffic::events_of(&self.log, chat, after).await
    }
}
