//! Puts together the arguments of a call that are streamed value by value, each under a JSON path.

use serde_json::{Map, Value};

/// The longest list and the deepest path that are believed: both come from outside, and each step may make room.
const LONGEST_LIST: usize = 4096;
const DEEPEST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct PartialArgs(Value);

impl PartialArgs {
    /// Takes one entry of `partialArgs`: a text goes on where one is, any other value replaces it. `None` if the entry
    /// makes no sense.
    pub(super) fn add(&mut self, entry: &Value) -> Option<()> {
        let path = path(entry.get("jsonPath")?.as_str()?)?;
        let value =
            ["stringValue", "numberValue", "boolValue", "nullValue"].iter().find_map(|name| Some((*name, entry.get(*name)?)));
        let (name, value) = value?;
        let place = self.place(&path)?;
        match (place, value) {
            (Value::String(before), Value::String(more)) => before.push_str(more),
            (place, _) if name == "nullValue" => *place = Value::Null,
            (place, value) => *place = value.clone(),
        }
        Some(())
    }

    /// The whole as JSON text.
    pub(super) fn text(&self) -> String {
        if self.0.is_null() { "{}".to_owned() } else { self.0.to_string() }
    }

    fn place(&mut self, path: &[Step]) -> Option<&mut Value> {
        let mut place = &mut self.0;
        for step in path {
            match step {
                Step::Name(name) => {
                    if !place.is_object() {
                        *place = Value::Object(Map::new());
                    }
                    place = place.as_object_mut()?.entry(name.clone()).or_insert(Value::Null);
                }
                Step::Index(index) => {
                    if !place.is_array() {
                        *place = Value::Array(Vec::new());
                    }
                    let list = place.as_array_mut()?;
                    if *index >= list.len() {
                        list.resize(index + 1, Value::Null);
                    }
                    place = list.get_mut(*index)?;
                }
            }
        }
        Some(place)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

/// Reads `$.recipe.steps[7]` and `$['a key'][0]`.
fn path(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, more) = after.split_at(end);
            steps.push(Step::Name(name.to_owned()));
            rest = more;
        } else {
            let after = rest.strip_prefix('[')?;
            let quote = after.chars().next().filter(|c| matches!(c, '\'' | '"'));
            let (step, more) = match quote {
                Some(quote) => {
                    let (name, more) = after[1..].split_once(&format!("{quote}]"))?;
                    (Step::Name(name.to_owned()), more)
                }
                None => {
                    let (index, more) = after.split_once(']')?;
                    (Step::Index(index.parse().ok().filter(|index| *index < LONGEST_LIST)?), more)
                }
            };
            steps.push(step);
            rest = more;
        }
        if steps.len() > DEEPEST {
            return None;
        }
    }
    (!steps.is_empty()).then_some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_find_their_places() {
        let mut args = PartialArgs::default();
        for entry in [
            json!({"jsonPath": "$.a.list[1].name", "stringValue": "Lasa", "willContinue": true}),
            json!({"jsonPath": "$.a.list[1].name", "stringValue": "gna"}),
            json!({"jsonPath": "$.a.list[0]", "numberValue": 1.5}),
            json!({"jsonPath": "$['b c']", "boolValue": true}),
            json!({"jsonPath": "$.n", "nullValue": "NULL_VALUE"}),
        ] {
            assert_eq!(args.add(&entry), Some(()), "{entry}");
        }
        let want = json!({"a": {"list": [1.5, {"name": "Lasagna"}]}, "b c": true, "n": null});
        assert_eq!(serde_json::from_str::<Value>(&args.text()).unwrap(), want);
        assert_eq!(PartialArgs::default().text(), "{}");
    }

    #[test]
    fn nonsense_is_not_taken() {
        let deep = format!("${}", ".a".repeat(100));
        for path in ["", "$", "a.b", "$.a[x]", "$.a[99999999]", "$[", "$['a", &deep] {
            assert_eq!(PartialArgs::default().add(&json!({"jsonPath": path, "stringValue": "x"})), None, "{path}");
        }
        assert_eq!(PartialArgs::default().add(&json!({"jsonPath": "$.a"})), None, "no value");
    }
}
