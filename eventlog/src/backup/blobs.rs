//! Files of blobs: a magic word, the format's number and the number of blobs; for each blob its SHA-256, its size, its encoding and
//! how many bytes are stored; then those bytes, blob after blob. Numbers are big-endian.

use crate::{
    blob::StoredBlob,
    leaf::{Sha256Digest, sha256},
    segments::{FileStore, StoreError},
};
use bytes::Bytes;

const MAGIC: &[u8; 8] = b"docketbl";
const FORMAT: u32 = 1;
const HEAD: usize = 8 + 4 + 4;
const ENTRY: usize = 32 + 8 + 1 + 8;

/// A blob as it is stored, under the digest of its content.
pub(crate) struct DigestedBlob {
    pub(crate) digest: Sha256Digest,
    pub(crate) blob: StoredBlob,
}

pub(super) fn encode(blobs: &[DigestedBlob]) -> Vec<u8> {
    let bytes: usize = blobs.iter().map(|blob| ENTRY + blob.blob.bytes.len()).sum();
    let mut file = Vec::with_capacity(HEAD + bytes);
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&FORMAT.to_be_bytes());
    file.extend_from_slice(&(blobs.len() as u32).to_be_bytes());
    for DigestedBlob { digest, blob } in blobs {
        file.extend_from_slice(digest);
        file.extend_from_slice(&blob.size.to_be_bytes());
        file.push(blob.encoding as u8);
        file.extend_from_slice(&(blob.bytes.len() as u64).to_be_bytes());
    }
    blobs.iter().for_each(|blob| file.extend_from_slice(&blob.blob.bytes));
    file
}

/// The blobs of a file. Each one's content has the digest that it is named by.
pub(super) fn decode(file: &Bytes) -> Result<Vec<DigestedBlob>, String> {
    let count = count(file)?;
    let (entries, mut content) = file[HEAD..].split_at_checked(count * ENTRY).ok_or("it ends early")?;
    let mut blobs = Vec::with_capacity(count);
    for entry in entries.chunks_exact(ENTRY) {
        let digest: Sha256Digest = entry[..32].try_into().map_err(|_| "it ends early")?;
        let number = |at: usize| entry[at..at + 8].try_into().map(u64::from_be_bytes).unwrap_or(u64::MAX);
        let stored = usize::try_from(number(41)).map_err(|_| "a blob is too large")?;
        let (bytes, rest) = content.split_at_checked(stored).ok_or("it ends early")?;
        content = rest;
        let blob = StoredBlob { size: number(32).cast_signed(), encoding: entry[40].into(), bytes: bytes.to_vec() };
        check(&digest, &blob)?;
        blobs.push(DigestedBlob { digest, blob });
    }
    if !content.is_empty() {
        return Err("it has more than it should".into());
    }
    Ok(blobs)
}

/// The digests in a file, of which only the beginning is read.
pub(super) async fn digests(store: &FileStore, file: &str) -> Result<Result<Vec<Sha256Digest>, String>, StoreError> {
    let count = match count(&store.get_part(file, 0..HEAD as u64).await?) {
        Ok(count) => count,
        Err(reason) => return Ok(Err(reason)),
    };
    let entries = store.get_part(file, HEAD as u64..(HEAD + count * ENTRY) as u64).await?;
    Ok(Ok(entries.chunks_exact(ENTRY).filter_map(|entry| entry[..32].try_into().ok()).collect()))
}

/// Whether a blob's content is what its digest says.
pub(super) fn check(digest: &Sha256Digest, blob: &StoredBlob) -> Result<(), String> {
    let content = blob.content()?;
    if sha256(&content) != *digest {
        return Err(format!("blob {} has other content", hex::encode(digest)));
    }
    Ok(())
}

fn count(head: &[u8]) -> Result<usize, String> {
    let head = head.get(..HEAD).ok_or("it ends early")?;
    if head[..8] != *MAGIC {
        return Err("it does not begin like a file of blobs".into());
    }
    if head[8..12] != FORMAT.to_be_bytes() {
        return Err("it has a format that this version does not read".into());
    }
    head[12..16].try_into().map(|count| u32::from_be_bytes(count) as usize).map_err(|_| "it ends early".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(content: &[u8]) -> DigestedBlob {
        let blob = StoredBlob { size: content.len() as i64, encoding: 0, bytes: content.to_vec() };
        DigestedBlob { digest: sha256(content), blob }
    }

    #[test]
    fn blobs_return_and_damage_is_noticed() {
        let file = encode(&[blob(b"one"), blob(b""), blob(b"three")]);
        let decoded = decode(&file.clone().into()).unwrap();
        assert_eq!(decoded.iter().map(|blob| blob.blob.bytes.clone()).collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        for at in 0..file.len() {
            assert!(decode(&file[..at].to_vec().into()).is_err(), "{at}");
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            // The size counts only where the content is compressed.
            let size = HEAD..HEAD + 3 * ENTRY;
            assert!(decode(&damaged.into()).is_err() || size.contains(&at), "{at}");
        }
    }
}
