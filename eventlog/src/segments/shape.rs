//! The shape of a payload: its JSON text without its whole numbers and strings. Payloads of one type have few shapes, and what is
//! taken out lies in columns, where like follows like. Putting it back gives the exact bytes.

/// Where a whole number was. Neither byte can be in JSON text as it is.
pub(super) const NUMBER: u8 = 0;
/// Where a string's content was, or a whole text that is not taken apart.
pub(super) const TEXT: u8 = 1;

/// A larger one is kept as one text, so that few payloads of odd forms cost no more than they are.
const MAX_SHAPE: usize = 1024;
const MAX_HOLES: usize = 64;
/// So that the number certainly fits.
const MAX_DIGITS: usize = 18;

/// What was taken out, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hole<'a> {
    Number(u64),
    Text(&'a [u8]),
}

/// Takes a payload apart. What is no JSON is one text.
pub(super) fn take_apart<'a>(payload: &'a [u8], shape: &mut Vec<u8>, holes: &mut Vec<Hole<'a>>) {
    shape.clear();
    holes.clear();
    if parts(payload, shape, holes).is_none() {
        shape.clear();
        holes.clear();
        shape.push(TEXT);
        holes.push(Hole::Text(payload));
    }
}

fn parts<'a>(payload: &'a [u8], shape: &mut Vec<u8>, holes: &mut Vec<Hole<'a>>) -> Option<()> {
    let mut at = 0;
    while let Some(&byte) = payload.get(at) {
        if shape.len() > MAX_SHAPE || holes.len() > MAX_HOLES || byte == NUMBER || byte == TEXT {
            return None;
        }
        let rest = &payload[at..];
        match byte {
            b'"' => {
                let end = string_end(&rest[1..])? + 1;
                let is_key = rest[end + 1..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
                if is_key {
                    shape.extend_from_slice(&rest[..=end]);
                } else {
                    holes.push(Hole::Text(&rest[1..end]));
                    shape.extend_from_slice(&[b'"', TEXT, b'"']);
                }
                at += end + 1;
            }
            b'0'..=b'9' => {
                let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
                let canonical = (byte != b'0' || end == 1) && end <= MAX_DIGITS;
                match std::str::from_utf8(&rest[..end]).ok().and_then(|digits| digits.parse().ok()) {
                    Some(number) if canonical => {
                        holes.push(Hole::Number(number));
                        shape.push(NUMBER);
                    }
                    _ => shape.extend_from_slice(&rest[..end]),
                }
                at += end;
            }
            _ => {
                shape.push(byte);
                at += 1;
            }
        }
    }
    (shape.len() <= MAX_SHAPE && holes.len() <= MAX_HOLES).then_some(())
}

/// Where the quote is that ends a string. A string with a byte that stands for a hole is no JSON, and is not taken apart.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *text.get(at)? {
            b'"' => return Some(at),
            b'\\' if !matches!(text.get(at + 1), Some(&(NUMBER | TEXT))) => at += 2,
            b'\\' | NUMBER | TEXT => return None,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn put_together(shape: &[u8], holes: &[Hole<'_>]) -> Vec<u8> {
        let (mut payload, mut holes) = (Vec::new(), holes.iter());
        for &byte in shape {
            match byte {
                NUMBER | TEXT => match holes.next().unwrap() {
                    Hole::Number(number) => payload.extend(number.to_string().bytes()),
                    Hole::Text(text) => payload.extend(*text),
                },
                other => payload.push(other),
            }
        }
        assert!(holes.next().is_none());
        payload
    }

    fn assert_returns(payload: &[u8]) -> Vec<u8> {
        let (mut shape, mut holes) = (Vec::new(), Vec::new());
        take_apart(payload, &mut shape, &mut holes);
        assert_eq!(put_together(&shape, &holes), payload);
        shape
    }

    #[test]
    fn tokens_have_one_shape() {
        let first = assert_returns(br#"{"type":"text_streamed","index":0,"block":0,"text":"a \"b\" \\"}"#);
        let second = assert_returns(br#"{"type":"text_streamed","index":9007199254740993,"block":12,"text":""}"#);
        assert_eq!(first, b"{\"type\":\"\x01\",\"index\":\x00,\"block\":\x00,\"text\":\"\x01\"}");
        assert_eq!(first, second);
    }

    #[test]
    fn odd_texts_return() {
        for odd in [
            "",
            "0",
            "007",
            "-1",
            "1.50e+07",
            "1e007",
            "99999999999999999999",
            "\"",
            "\"\\",
            "{\"a",
            "\"\u{1}\"",
            "\u{0}",
            "[1,\"é\"]",
        ] {
            assert_returns(odd.as_bytes());
        }
        assert_eq!(assert_returns(format!("[{}1]", "1,".repeat(100)).as_bytes()), [TEXT]);
    }

    proptest! {
        #[test]
        fn any_bytes_return(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            assert_returns(&payload);
        }

        #[test]
        fn any_text_of_such_characters_returns(payload in "[\"\\\\:,{}0-9a.e \u{0}\u{1}-]{0,60}") {
            assert_returns(payload.as_bytes());
        }
    }
}
