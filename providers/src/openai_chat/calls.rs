//! Which tool call a fragment belongs to. The rule is the index; but some servers send every call with index 0 and a new
//! id, some leave the index out, and some repeat id and name on every fragment.

use serde_json::Value;

/// A tool call of the answer.
#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: String,
}

#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

/// Where a fragment belongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It begins the call with this number.
    New(usize),
    Known(usize),
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The provider's id of a call, or one made from its number where the provider gave none.
    pub(super) fn id(&self, number: usize) -> String {
        match self.0.get(number) {
            Some(call) if !call.id.is_empty() => call.id.clone(),
            _ => format!("call_{number}"),
        }
    }

    pub(super) fn place(&mut self, fragment: &Value) -> Place {
        let id = fragment.get("id").and_then(Value::as_str).unwrap_or_default();
        let index = fragment.get("index").and_then(Value::as_u64);
        let by_id = self.0.iter().position(|call| !id.is_empty() && call.id == id);
        let at_index = match index {
            Some(_) => self.0.iter().rposition(|call| call.index == index),
            // Without index and id it goes on with the last call.
            None if id.is_empty() => self.0.len().checked_sub(1),
            None => None,
        };
        // The same index with another id is another call.
        let at_index = at_index.filter(|&number| id.is_empty() || self.0.get(number).is_some_and(|call| call.id.is_empty()));
        if let Some(number) = by_id.or(at_index) {
            return Place::Known(number);
        }
        self.0.push(Call { index, id: id.to_owned() });
        Place::New(self.0.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Place::*, *};
    use serde_json::json;

    #[test]
    fn by_index_by_id_and_by_neither() {
        let mut calls = Calls::default();
        assert_eq!(calls.place(&json!({"index": 0, "id": "a"})), New(0));
        assert_eq!(calls.place(&json!({"index": 1, "id": "b"})), New(1));
        assert_eq!(calls.place(&json!({"index": 0})), Known(0));
        assert_eq!(calls.place(&json!({"index": 1, "id": "b"})), Known(1));
        assert_eq!(calls.place(&json!({"index": 0, "id": "c"})), New(2), "index 0 again with another id");
        assert_eq!(calls.place(&json!({"index": 0})), Known(2), "the newest of that index");
        assert_eq!(calls.place(&json!({})), Known(2));
        assert_eq!(calls.place(&json!({"id": "d"})), New(3));
        assert_eq!(calls.place(&json!({"index": 7})), New(4));
        assert_eq!((calls.id(3), calls.id(4)), ("d".to_owned(), "call_4".to_owned()));
    }
}
