//! Numbers the deltas of one model call and puts them into the common vocabulary.

use docket_domain::{
    failure::Failure,
    model_call::event::{ModelCallEvent, StreamedCall},
    usage::{StopReason, Usage},
};

/// What the interpretation of one frame yields. Empty text carries nothing and yields no event.
#[derive(Debug, Default)]
pub(crate) struct Deltas {
    index: u64,
    events: Vec<ModelCallEvent>,
    ended: bool,
    usage: Option<Usage>,
}

impl Deltas {
    pub(crate) fn text(&mut self, block: u32, text: &str) {
        if !text.is_empty() {
            let index = self.number();
            self.add(ModelCallEvent::TextStreamed { index, block, text: text.to_owned() });
        }
    }

    pub(crate) fn reasoning(&mut self, block: u32, text: &str) {
        if !text.is_empty() {
            let index = self.number();
            self.add(ModelCallEvent::ReasoningStreamed { index, block, text: text.to_owned(), signature: None });
        }
    }

    pub(crate) fn signature(&mut self, block: u32, signature: &str) {
        if !signature.is_empty() {
            let (index, signature) = (self.number(), Some(signature.to_owned()));
            self.add(ModelCallEvent::ReasoningStreamed { index, block, text: String::new(), signature });
        }
    }

    /// The first delta of a tool call: an event even where it has no input yet.
    pub(crate) fn tool_call(&mut self, block: u32, provider_id: &str, name: &str, input: &str) {
        let index = self.number();
        let call = Some(StreamedCall { provider_id: provider_id.to_owned(), name: name.to_owned() });
        self.add(ModelCallEvent::ToolInputStreamed { index, block, text: input.to_owned(), call });
    }

    pub(crate) fn tool_input(&mut self, block: u32, text: &str) {
        if !text.is_empty() {
            let index = self.number();
            self.add(ModelCallEvent::ToolInputStreamed { index, block, text: text.to_owned(), call: None });
        }
    }

    /// `block` is given only with a whole block, which has to be sent back in later requests.
    pub(crate) fn opaque(&mut self, block: Option<u32>, dialect: &str, data: &str) {
        let index = self.number();
        let (dialect, data) = (dialect.to_owned(), data.to_owned());
        self.add(ModelCallEvent::OpaqueReceived { index, block, dialect, data });
    }

    /// A report that repeats the last one, or says nothing, is no event.
    pub(crate) fn usage(&mut self, usage: Usage) {
        if usage != Usage::default() && self.usage != Some(usage) {
            self.usage = Some(usage);
            self.add(ModelCallEvent::UsageReported { usage });
        }
    }

    pub(crate) fn finished(&mut self, stop_reason: StopReason) {
        self.add(ModelCallEvent::Finished { stop_reason, response_sha256: None });
        self.ended = true;
    }

    pub(crate) fn failed(&mut self, failure: Failure) {
        self.add(ModelCallEvent::Failed { failure, response_sha256: None });
        self.ended = true;
    }

    /// An event that was numbered elsewhere.
    pub(crate) fn ready(&mut self, event: ModelCallEvent) {
        let ended = matches!(event, ModelCallEvent::Finished { .. } | ModelCallEvent::Failed { .. });
        self.add(event);
        self.ended |= ended;
    }

    /// Whether the terminal event was added. Nothing is taken after it.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Hands out the events since the last call.
    pub(crate) fn take(&mut self) -> Vec<ModelCallEvent> {
        std::mem::take(&mut self.events)
    }

    fn number(&mut self) -> u64 {
        let index = self.index;
        self.index += u64::from(!self.ended);
        index
    }

    fn add(&mut self, event: ModelCallEvent) {
        if !self.ended {
            self.events.push(event);
        }
    }
}
