//! Payloads of the events of a page: many small ones share an allocation.

use bytes::{Bytes, BytesMut};

/// Bytes of one allocation. Whoever keeps one event of it keeps all of it, so it is not more.
const CHUNK: usize = 16 << 10;

#[derive(Default)]
pub(crate) struct Payloads(BytesMut);

impl Payloads {
    pub(crate) fn take(&mut self, payload: &[u8]) -> Bytes {
        if payload.len() > CHUNK / 8 {
            return Bytes::copy_from_slice(payload);
        }
        if self.0.capacity() < payload.len() {
            self.0 = BytesMut::with_capacity(CHUNK);
        }
        self.0.extend_from_slice(payload);
        self.0.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_ones_lie_together_and_large_ones_alone() {
        let mut payloads = Payloads::default();
        let taken: Vec<Bytes> = (0..1000).map(|number| payloads.take(number.to_string().repeat(10).as_bytes())).collect();
        for (number, payload) in taken.iter().enumerate() {
            assert_eq!(payload, number.to_string().repeat(10).as_bytes());
        }
        let neighbours = taken.windows(2).filter(|two| two[0].as_ptr_range().end == two[1].as_ptr()).count();
        let bytes: usize = taken.iter().map(Bytes::len).sum();
        assert!(neighbours + 2 + bytes / CHUNK >= taken.len(), "{neighbours} of {bytes} bytes");
        // Whoever keeps it keeps nothing else.
        assert!(payloads.take(&[b'x'; CHUNK]).is_unique());
        assert!(payloads.take(b"").is_empty());
    }
}
