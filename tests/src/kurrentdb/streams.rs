//! BatchAppend.

use super::{
    protocol::{
        AllStreamPosition, StreamIdentifier, Uuid as WireUuid, WrongExpectedVersion,
        rpc::{Code, Status as RpcStatus},
        streams::{
            BatchAppendReq, BatchAppendResp,
            batch_append_req::{
                ProposedMessage,
                options::{DeadlineOption, ExpectedStreamPosition as Asked},
            },
            batch_append_resp::{
                ExpectedStreamPosition as Echoed, Result as Outcome, Success,
                success::{CurrentRevisionOption, PositionOption},
            },
        },
        uuid::Value,
        wrong_expected_version::{CurrentStreamRevisionOption, ExpectedStreamPositionOption},
    },
    store::{Expected, New, Refused, Store},
};
use prost::Message;
use tonic::Status;
use uuid::Uuid;

pub(super) fn batch_append(store: &Store, request: BatchAppendReq) -> Result<BatchAppendResp, Status> {
    let absent = |what: &str| Status::invalid_argument(format!("no {what}"));
    let options = request.options.ok_or_else(|| absent("options"))?;
    let stream = options.stream_identifier.ok_or_else(|| absent("stream"))?;
    if !request.is_final {
        return Err(Status::unimplemented("appends in several messages"));
    }
    match options.deadline_option.ok_or_else(|| absent("deadline"))? {
        DeadlineOption::Deadline(_) | DeadlineOption::Deadline21100(_) => {}
    }
    let asked = options.expected_stream_position.ok_or_else(|| absent("expected position"))?;
    let (expected, echoed) = match asked {
        Asked::StreamPosition(revision) => (Expected::Revision(revision), Echoed::StreamPosition(revision)),
        Asked::NoStream(()) => (Expected::NoStream, Echoed::NoStream(())),
        Asked::Any(()) => (Expected::Any, Echoed::Any(())),
        Asked::StreamExists(()) => (Expected::Exists, Echoed::StreamExists(())),
    };
    let events =
        request.proposed_messages.into_iter().map(new).collect::<Option<Vec<_>>>().ok_or_else(|| absent("event id"))?;
    let name = String::from_utf8(stream.stream_name.to_vec()).map_err(|_| Status::invalid_argument("stream name"))?;
    let result = match store.append(&name, expected, events) {
        Ok((revision, position)) => Outcome::Success(Success {
            current_revision_option: Some(CurrentRevisionOption::CurrentRevision(revision)),
            position_option: Some(PositionOption::Position(AllStreamPosition {
                commit_position: position,
                prepare_position: position,
            })),
        }),
        Err(Refused::WrongVersion(current)) => Outcome::Error(wrong_version(expected, current)),
        Err(Refused::TooLarge) => Outcome::Error(RpcStatus {
            code: Code::InvalidArgument.into(),
            message: "Maximum Append Size of 1048576 Exceeded.".into(),
            details: None,
        }),
    };
    Ok(BatchAppendResp {
        correlation_id: request.correlation_id,
        result: Some(result),
        stream_identifier: Some(StreamIdentifier { stream_name: name.into() }),
        expected_stream_position: Some(echoed),
    })
}

fn wrong_version(expected: Expected, current: Option<u64>) -> RpcStatus {
    let details = WrongExpectedVersion {
        current_stream_revision_option: Some(match current {
            Some(revision) => CurrentStreamRevisionOption::CurrentStreamRevision(revision),
            None => CurrentStreamRevisionOption::CurrentNoStream(()),
        }),
        expected_stream_position_option: Some(match expected {
            Expected::Any => ExpectedStreamPositionOption::ExpectedAny(()),
            Expected::NoStream => ExpectedStreamPositionOption::ExpectedNoStream(()),
            Expected::Exists => ExpectedStreamPositionOption::ExpectedStreamExists(()),
            Expected::Revision(revision) => ExpectedStreamPositionOption::ExpectedStreamPosition(revision),
        }),
    };
    RpcStatus {
        code: Code::AlreadyExists.into(),
        message: "WrongExpectedVersion".into(),
        details: Some(prost_types::Any {
            type_url: "type.googleapis.com/event_store.client.WrongExpectedVersion".into(),
            value: details.encode_to_vec(),
        }),
    }
}

fn new(message: ProposedMessage) -> Option<New> {
    let ProposedMessage { id, metadata, custom_metadata: custom, data } = message;
    Some(New { id: id.and_then(uuid)?, metadata, custom, data })
}

fn uuid(wire: WireUuid) -> Option<Uuid> {
    match wire.value? {
        Value::Structured(halves) => Some(Uuid::from_u64_pair(
            halves.most_significant_bits.cast_unsigned(),
            halves.least_significant_bits.cast_unsigned(),
        )),
        Value::String(text) => text.parse().ok(),
    }
}
