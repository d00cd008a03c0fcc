//! One model call: request, stream, record, complete.

use super::{Worker, recorder::Recorder, request::RequestError};
use crate::{control::Control, error::CommandError};
use docket_domain::{
    Metadata, Timestamp,
    chat::{ChatCommand, command::Partial},
    failure::{Failure, FailureClass},
    ids::{ChatId, ModelCallId, TurnId},
    model_call::{Assembly, ModelCallCommand, ModelCallEvent},
};
use docket_eventlog::{Blob, StreamId};
use docket_providers::{EncodedRequest, ModelStream};
use std::time::Duration;
use tokio::sync::watch;

/// How a stream came to its end.
enum End {
    /// The terminal is in the assembly.
    Terminal,
    Interrupted,
    ShuttingDown,
}

/// A turn's signal that a person asked to interrupt.
pub(super) type Interrupted = watch::Receiver<Option<TurnId>>;

/// Resolves when the turn is interrupted.
pub(super) async fn interrupted(signal: &mut Interrupted, turn: TurnId) {
    if signal.wait_for(|interrupted| *interrupted == Some(turn)).await.is_err() {
        // The worker lets go of the chat only when its task rests.
        std::future::pending::<()>().await;
    }
}

impl Worker {
    pub(super) async fn call_model(
        &self,
        chat: ChatId,
        turn: TurnId,
        not_before: Option<Timestamp>,
        metadata: &Metadata,
        signal: &mut Interrupted,
    ) -> Result<(), CommandError> {
        let control = &self.control;
        if let Some(at) = not_before {
            let wait = at.since(control.clock.now());
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = interrupted(signal, turn) => return Ok(()),
                () = control.shutdown.cancelled() => return Ok(()),
            }
        }
        let request = match control.next_request(chat).await {
            Ok(request) => request,
            Err(RequestError::Failed(failure)) => {
                let command = ChatCommand::FailTurn { worker: self.id(), failure };
                return control.chat(chat, metadata.clone(), command, vec![]).await.map(drop);
            }
            Err(RequestError::Command(error)) => return Err(error),
        };
        let id = ModelCallId(control.clock.context().id);
        self.announce(chat, turn, id, &request, metadata).await?;

        let recorder = Recorder::start(control.clone(), id, chat, metadata.clone());
        let mut assembly = Assembly::default();
        let sent = tokio::select! {
            sent = control.providers.send(&request) => sent,
            () = interrupted(signal, turn) => return self.interrupt(chat, id, recorder, assembly, metadata).await,
            () = control.shutdown.cancelled() => return self.let_go(chat, id, recorder, assembly, metadata).await,
        };
        let end = match sent {
            Ok(stream) => self.stream(id, turn, stream, &recorder, &mut assembly, signal).await,
            Err(failure) => {
                let event = ModelCallEvent::Failed { failure, response_sha256: None };
                assembly.add(id, &event);
                recorder.record(vec![event], vec![]).await;
                End::Terminal
            }
        };
        match end {
            End::Terminal => {
                recorder.finish().await?;
                self.conclude(chat, id, assembly, metadata).await
            }
            End::Interrupted => self.interrupt(chat, id, recorder, assembly, metadata).await,
            End::ShuttingDown => self.let_go(chat, id, recorder, assembly, metadata).await,
        }
    }

    /// Makes durable what is about to be sent, before it is.
    async fn announce(
        &self,
        chat: ChatId,
        turn: TurnId,
        id: ModelCallId,
        request: &EncodedRequest,
        metadata: &Metadata,
    ) -> Result<(), CommandError> {
        let control = &self.control;
        let blobs: Vec<_> = request.parts.iter().map(|part| Blob::new(part.clone())).collect();
        let requested = ModelCallEvent::Requested {
            chat_id: chat,
            turn_id: turn,
            model: request.model.clone(),
            body_sha256: request.body_sha256(),
            body_bytes: request.body_bytes(),
            parts: blobs.iter().map(Blob::sha256).collect(),
        };
        let start = ChatCommand::StartModelCall {
            worker: self.id(),
            model_call_id: id,
            model: request.model.clone(),
            request_sha256: request.body_sha256(),
        };
        tokio::try_join!(
            control.model_call(id, chat, metadata.clone(), ModelCallCommand::Request(requested), blobs),
            control.chat(chat, metadata.clone(), start, vec![]),
        )?;
        Ok(())
    }

    async fn stream(
        &self,
        id: ModelCallId,
        turn: TurnId,
        mut stream: ModelStream,
        recorder: &Recorder,
        assembly: &mut Assembly,
        signal: &mut Interrupted,
    ) -> End {
        loop {
            let frame = tokio::select! {
                frame = stream.next() => frame,
                () = interrupted(signal, turn) => return End::Interrupted,
                () = self.control.shutdown.cancelled() => return End::ShuttingDown,
            };
            // A stream ends with a terminal; `None` without one would be a fault of the decoder.
            let Some(mut events) = frame else {
                let failure = Failure::new(FailureClass::Truncated, "the stream ended without a terminal");
                let event = ModelCallEvent::Failed { failure, response_sha256: None };
                assembly.add(id, &event);
                recorder.record(vec![event], vec![]).await;
                return End::Terminal;
            };
            let mut blobs = Vec::new();
            let mut ended = false;
            for event in &mut events {
                if let ModelCallEvent::Finished { response_sha256, .. } | ModelCallEvent::Failed { response_sha256, .. } = event
                {
                    ended = true;
                    if !stream.raw().is_empty() {
                        let raw = Blob::new(stream.raw().to_vec());
                        *response_sha256 = Some(raw.sha256());
                        blobs.push(raw);
                    }
                }
                assembly.add(id, event);
            }
            if !recorder.record(events, blobs).await || ended {
                return End::Terminal;
            }
        }
    }

    /// Records in the chat how the call ended.
    pub(super) async fn conclude(
        &self,
        chat: ChatId,
        id: ModelCallId,
        assembly: Assembly,
        metadata: &Metadata,
    ) -> Result<(), CommandError> {
        let (worker, parts, usage) = (self.id(), assembly.parts(), assembly.usage);
        let command = match (assembly.failure, assembly.stop_reason) {
            (None, Some(stop_reason)) => {
                ChatCommand::CompleteModelCall { worker, model_call_id: id, parts, usage, stop_reason }
            }
            (failure, _) => {
                let lost = || Failure::new(FailureClass::WorkerLost, "the control plane's process ended while the call ran");
                let failure = failure.unwrap_or_else(lost);
                ChatCommand::FailModelCall { worker, model_call_id: id, failure, partial: parts, usage }
            }
        };
        self.control.chat(chat, metadata.clone(), command, vec![]).await.map(drop)
    }

    /// A person interrupted: what came is kept.
    async fn interrupt(
        &self,
        chat: ChatId,
        id: ModelCallId,
        recorder: Recorder,
        assembly: Assembly,
        metadata: &Metadata,
    ) -> Result<(), CommandError> {
        recorder.record(vec![ModelCallEvent::Interrupted], vec![]).await;
        recorder.finish().await?;
        let partial = Partial { model_call_id: id, parts: assembly.parts(), usage: assembly.usage };
        let command = ChatCommand::FinishInterrupt { worker: self.id(), partial: Some(partial) };
        self.control.chat(chat, metadata.clone(), command, vec![]).await.map(drop)
    }

    /// The process ends: the call is closed, and made again by whoever claims the turn next.
    async fn let_go(
        &self,
        chat: ChatId,
        id: ModelCallId,
        recorder: Recorder,
        mut assembly: Assembly,
        metadata: &Metadata,
    ) -> Result<(), CommandError> {
        let failure = Failure::new(FailureClass::WorkerLost, "the control plane was shut down while the call ran");
        let event = ModelCallEvent::Failed { failure, response_sha256: None };
        assembly.add(id, &event);
        recorder.record(vec![event], vec![]).await;
        recorder.finish().await?;
        self.conclude(chat, id, assembly, metadata).await
    }

    /// A call whose worker was lost: completed from the log if its end is there, else closed.
    pub(super) async fn recover(&self, chat: ChatId, id: ModelCallId, metadata: &Metadata) -> Result<(), CommandError> {
        let control = &self.control;
        control.model_call(id, chat, metadata.clone(), ModelCallCommand::Abandon, vec![]).await?;
        let assembly = control.assemble(id).await?;
        self.conclude(chat, id, assembly, metadata).await
    }
}

impl Control {
    /// The message of a model call, as far as the log has it.
    ///
    /// # Errors
    /// A fault of the log.
    pub async fn assemble(&self, id: ModelCallId) -> Result<Assembly, CommandError> {
        let stream = StreamId::new("model_call", id.to_string());
        let (mut assembly, mut after) = (Assembly::default(), 0);
        loop {
            let events = self.log.read_stream(&stream, after, 5_000).await?;
            let Some(last) = events.last() else { return Ok(assembly) };
            after = last.sequence;
            for event in &events {
                match event.decode() {
                    Ok(event) => assembly.add(id, &event),
                    Err(error) => tracing::error!(%error, position = event.position, "an event cannot be decoded"),
                }
            }
        }
    }
}

/// How long a task waits before it looks at the state again, after a fault of the log.
pub(super) const AFTER_FAULT: Duration = Duration::from_secs(1);
