//! The daemon's key, made at its first start, and the one-time token that enrols it.

use crate::durable;
use iroh::SecretKey;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Who this daemon is.
#[derive(Clone, Debug)]
pub struct Identity {
    key: SecretKey,
    token_file: Option<PathBuf>,
    state_token: PathBuf,
}

impl Identity {
    /// Reads the key, or makes one.
    pub fn open(state: &Path, token_file: Option<PathBuf>) -> io::Result<Self> {
        let path = state.join("key");
        let key = match fs::read_to_string(&path) {
            Ok(text) => parse(text.trim())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = SecretKey::generate();
                durable::write(&path, hex::encode(key.to_bytes()).as_bytes())?;
                key
            }
            Err(error) => return Err(error),
        };
        Ok(Self { key, token_file, state_token: state_token(state) })
    }

    /// The key.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// Hexadecimal.
    pub fn public_key(&self) -> String {
        hex::encode(self.key.public().as_bytes())
    }

    /// The token, until the key is enrolled.
    pub fn token(&self) -> Option<String> {
        let files = self.token_file.iter().chain([&self.state_token]);
        let token = files.filter_map(|path| fs::read_to_string(path).ok()).find(|token| !token.trim().is_empty())?;
        Some(token.trim().to_owned())
    }

    /// The key is enrolled, and the token good for nothing any more.
    pub fn enrolled(&self) {
        for path in self.token_file.iter().chain([&self.state_token]) {
            match fs::remove_file(path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(path = %path.display(), %error, "the used token cannot be deleted"),
            }
        }
    }
}

/// Where a token from the environment is put, so that no environment of a longer-lived process holds it.
pub fn state_token(state: &Path) -> PathBuf {
    state.join("token")
}

fn parse(text: &str) -> io::Result<SecretKey> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "the daemon's key is not 32 hexadecimal bytes");
    let bytes: [u8; 32] = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(invalid)?;
    Ok(SecretKey::from_bytes(&bytes))
}
