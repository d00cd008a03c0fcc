//! Where the bytes of an answer come from.

use crate::scripted::{Answer, Frame};
use bytes::Bytes;
use docket_domain::failure::{Failure, FailureClass};
use futures_util::FutureExt;
use reqwest::Response;
use std::{error::Error, time::Duration};
use tokio::time::{Instant, sleep_until, timeout_at};

#[derive(Debug)]
pub(crate) enum Source {
    Http(HttpSource),
    Scripted(ScriptedSource),
}

/// A response that is being received.
#[derive(Debug)]
pub(crate) struct HttpSource {
    response: Box<Response>,
    silence: Duration,
    /// When the silence is too long; while a read waits, also one that was cancelled and begun anew.
    until: Option<Instant>,
}

/// An answer that is computed.
#[derive(Debug)]
pub(crate) struct ScriptedSource {
    answer: Box<Answer>,
    /// A frame whose time has not come.
    due: Option<(Instant, Bytes)>,
}

impl Source {
    pub(crate) fn http(response: Response, silence: Duration) -> Self {
        Self::Http(HttpSource { response: Box::new(response), silence, until: None })
    }

    pub(crate) fn scripted(answer: Answer) -> Self {
        Self::Scripted(ScriptedSource { answer: Box::new(answer), due: None })
    }

    /// The next bytes; `None` at the end. Nothing is read until this is called, and cancelling it loses nothing.
    ///
    /// # Errors
    /// `Silence` if nothing came for the guard period, `Truncated` if the connection broke.
    pub(crate) async fn read(&mut self) -> Result<Option<Bytes>, Failure> {
        match self {
            Self::Http(source) => source.read().await,
            Self::Scripted(source) => Ok(source.read().await),
        }
    }

    /// Reads the end of the response if it has come already, so that the connection can be used again.
    pub(crate) fn close(self) {
        if let Self::Http(mut source) = self {
            let _ = source.response.chunk().now_or_never();
        }
    }
}

impl HttpSource {
    async fn read(&mut self) -> Result<Option<Bytes>, Failure> {
        let until = *self.until.get_or_insert_with(|| Instant::now() + self.silence);
        let read = timeout_at(until, self.response.chunk()).await;
        self.until = None;
        match read {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(broken(error)),
            Err(_) => {
                let message = format!("not a byte was received for {} s", self.silence.as_secs_f32());
                Err(Failure::new(FailureClass::Silence, message))
            }
        }
    }
}

impl ScriptedSource {
    async fn read(&mut self) -> Option<Bytes> {
        if self.due.is_none() {
            let Frame { delay, line } = self.answer.next()?;
            if delay.is_zero() {
                return Some(line);
            }
            self.due = Some((Instant::now() + delay, line));
        }
        if let Some((at, _)) = self.due {
            sleep_until(at).await;
        }
        self.due.take().map(|(_, line)| line)
    }
}

fn broken(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut message = "the connection broke".to_owned();
    let mut cause = error.source();
    while let Some(inner) = cause {
        message = format!("{message}: {inner}");
        cause = inner.source();
    }
    Failure::new(FailureClass::Truncated, message)
}
