//! SELECTs whose conditions depend on what was asked.

use super::Value;

/// The conditions of a WHERE clause and their parameters, collected one by one.
#[derive(Debug, Default)]
pub struct Conditions {
    clauses: Vec<String>,
    pub values: Vec<Value>,
}

impl Conditions {
    /// Adds a condition in which every `?` stands for the next of `values`.
    pub fn add(&mut self, clause: &str, values: impl IntoIterator<Item = Value>) {
        let mut numbered = String::with_capacity(clause.len() + 8);
        let mut values = values.into_iter();
        for c in clause.chars() {
            match (c, if c == '?' { values.next() } else { None }) {
                ('?', Some(value)) => {
                    self.values.push(value);
                    numbered.push_str(&format!("${}", self.values.len()));
                }
                _ => numbered.push(c),
            }
        }
        self.clauses.push(numbered);
    }

    /// The conditions joined, or what is always true.
    #[must_use]
    pub fn sql(&self) -> String {
        if self.clauses.is_empty() { "1 = 1".to_owned() } else { self.clauses.join(" AND ") }
    }
}

/// A pattern for `LIKE … ESCAPE '\'` that finds `text` anywhere.
#[must_use]
pub fn containing(text: &str) -> Value {
    Value::text(format!("%{}%", escaped(text)))
}

/// A pattern for `LIKE … ESCAPE '\'` that finds what begins with `text`.
#[must_use]
pub fn beginning_with(text: &str) -> Value {
    Value::text(format!("{}%", escaped(text)))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_number_their_parameters() {
        let mut conditions = Conditions::default();
        assert_eq!(conditions.sql(), "1 = 1");
        conditions.add("owner = ?", [Value::text("a")]);
        conditions.add("(x, y) < (?, ?)", [Value::int(1), Value::int(2)]);
        assert_eq!(conditions.sql(), "owner = $1 AND (x, y) < ($2, $3)");
        assert_eq!(containing("50%_\\"), Value::text("%50\\%\\_\\\\%"));
    }
}
