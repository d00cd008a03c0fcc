//! Columns of numbers and bytes: written one after the other, read with every length checked.

use super::error::SegmentError;

/// A number in as few bytes as it needs, seven bits a byte, the lowest first.
pub(super) fn put(column: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        column.push(number as u8 | 0x80);
        number >>= 7;
    }
    column.push(number as u8);
}

/// A difference, small ones of either sign in few bytes.
pub(super) fn put_difference(column: &mut Vec<u8>, from: u64, to: u64) {
    let difference = to.wrapping_sub(from).cast_signed();
    put(column, (difference << 1 ^ difference >> 63).cast_unsigned());
}

pub(super) fn put_bytes(column: &mut Vec<u8>, bytes: &[u8]) {
    put(column, bytes.len() as u64);
    column.extend_from_slice(bytes);
}

/// What is left to read of a column.
#[derive(Clone, Copy)]
pub(super) struct Column<'a>(pub(super) &'a [u8]);

impl<'a> Column<'a> {
    pub(super) fn number(&mut self) -> Result<u64, SegmentError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(SegmentError::Malformed("a column ends early"))?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(SegmentError::Malformed("a number is too long"))
    }

    pub(super) fn difference(&mut self, from: u64) -> Result<u64, SegmentError> {
        let number = self.number()?;
        Ok(from.wrapping_add((number >> 1) ^ (number & 1).wrapping_neg()))
    }

    /// How many entries follow. Each takes a byte at least, so a count beyond that is refused before anything is allocated.
    pub(super) fn count(&mut self) -> Result<usize, SegmentError> {
        let count = self.number()?;
        usize::try_from(count).ok().filter(|count| *count <= self.0.len()).ok_or(SegmentError::Malformed("a count is too high"))
    }

    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], SegmentError> {
        let early = SegmentError::Malformed("a column ends early");
        let (taken, rest) = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length)).ok_or(early)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], SegmentError> {
        let length = self.number()?;
        self.take(length)
    }

    /// A column within this one.
    pub(super) fn column(&mut self) -> Result<Self, SegmentError> {
        self.bytes().map(Self)
    }

    pub(super) fn end(self) -> Result<(), SegmentError> {
        if self.0.is_empty() { Ok(()) } else { Err(SegmentError::Malformed("a column has more than it should")) }
    }
}
