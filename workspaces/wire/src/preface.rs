//! The first bytes of every stream that the control plane opens: what the stream carries.
//!
//! One byte of kind, a big-endian u16, and that many bytes of head. Streams of [`Kind::Http`] go on at once; the answers
//! of HTTP say everything. Before any other kind goes on, the daemon accepts or refuses it with a status.

use crate::limits::HEAD_BYTES;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// HTTP/1.1, with the daemon as the server.
    Http,
    /// The SSH protocol. Reserved.
    Ssh,
    /// Bytes to and from a TCP port of the workspace, named in the head. Reserved.
    Tcp,
    /// Admits the key in the head to a direct connection. Reserved.
    Admit,
}

impl Kind {
    /// The byte that stands for it.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Http => b'H',
            Self::Ssh => b'S',
            Self::Tcp => b'T',
            Self::Admit => b'A',
        }
    }

    /// The kind of a byte.
    #[must_use]
    pub fn of(byte: u8) -> Option<Self> {
        [Self::Http, Self::Ssh, Self::Tcp, Self::Admit].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// A stream's kind and head, as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preface {
    /// `None` where the byte means nothing to this version; the byte itself is in `byte`.
    pub kind: Option<Kind>,
    /// As received.
    pub byte: u8,
    /// What belongs to the kind.
    pub head: Vec<u8>,
}

/// Opens a stream.
pub async fn send<W: AsyncWrite + Unpin>(io: &mut W, kind: Kind, head: &[u8]) -> io::Result<()> {
    let length = bounded(head.len())?;
    let mut bytes = Vec::with_capacity(3 + head.len());
    bytes.push(kind.byte());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(head);
    io.write_all(&bytes).await
}

/// Reads how a stream was opened.
pub async fn receive<R: AsyncRead + Unpin>(io: &mut R) -> io::Result<Preface> {
    let byte = io.read_u8().await?;
    let length = usize::from(io.read_u16().await?);
    bounded(length)?;
    let mut head = vec![0; length];
    io.read_exact(&mut head).await?;
    Ok(Preface { kind: Kind::of(byte), byte, head })
}

/// The daemon goes on with a stream, or says why not.
pub async fn send_status<W: AsyncWrite + Unpin>(io: &mut W, status: Result<(), &str>) -> io::Result<()> {
    let message = status.err().unwrap_or_default();
    let message = message.get(..message.len().min(HEAD_BYTES)).unwrap_or("refused");
    let mut bytes = vec![u8::from(status.is_err())];
    bytes.extend_from_slice(&bounded(message.len())?.to_be_bytes());
    bytes.extend_from_slice(message.as_bytes());
    io.write_all(&bytes).await?;
    io.flush().await
}

/// Reads the daemon's status: the inner error is its refusal.
pub async fn receive_status<R: AsyncRead + Unpin>(io: &mut R) -> io::Result<Result<(), String>> {
    let refused = io.read_u8().await? != 0;
    let length = usize::from(io.read_u16().await?);
    bounded(length)?;
    let mut message = vec![0; length];
    io.read_exact(&mut message).await?;
    Ok(if refused { Err(String::from_utf8_lossy(&message).into_owned()) } else { Ok(()) })
}

fn bounded(length: usize) -> io::Result<u16> {
    match u16::try_from(length) {
        Ok(bytes) if length <= HEAD_BYTES => Ok(bytes),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("a head of {length} bytes; at most {HEAD_BYTES}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_preface_arrives_as_sent() {
        let (mut a, mut b) = tokio::io::duplex(64);
        send(&mut a, Kind::Tcp, b"127.0.0.1:80").await.unwrap();
        let got = receive(&mut b).await.unwrap();
        assert_eq!(got, Preface { kind: Some(Kind::Tcp), byte: b'T', head: b"127.0.0.1:80".to_vec() });
    }

    #[tokio::test]
    async fn unknown_kinds_are_named_and_long_heads_refused() {
        let (mut a, mut b) = tokio::io::duplex(64);
        a.write_all(&[b'?', 0, 0]).await.unwrap();
        assert_eq!(receive(&mut b).await.unwrap(), Preface { kind: None, byte: b'?', head: vec![] });
        a.write_all(&[b'H', 0xff, 0xff]).await.unwrap();
        assert_eq!(receive(&mut b).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(send(&mut a, Kind::Http, &vec![0; HEAD_BYTES + 1]).await.is_err());
    }

    #[tokio::test]
    async fn a_refusal_carries_its_message() {
        let (mut a, mut b) = tokio::io::duplex(64);
        send_status(&mut a, Err("not offered")).await.unwrap();
        assert_eq!(receive_status(&mut b).await.unwrap(), Err("not offered".to_owned()));
        send_status(&mut a, Ok(())).await.unwrap();
        assert_eq!(receive_status(&mut b).await.unwrap(), Ok(()));
    }
}
