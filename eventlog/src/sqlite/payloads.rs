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
