//! Signature Version 4: a request is signed with a key that is derived from the secret, the day, the region and the service.
//!
//! Source of the facts: the specification ("AWS Signature Version 4 for API requests") and the published test suite
//! (`get-vanilla`, `get-vanilla-query-order-key-case`), and, for a path with an encoded colon, botocore 1.43.

use crate::api_key::ApiKey;
use hmac::{Hmac, Mac};
use reqwest::{
    Method, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use sha2::{Digest, Sha256};
use std::time::SystemTime;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Whose name a request is signed in, and where it goes.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// Not a secret: it stands in every request.
    pub(crate) access_key_id: String,
    pub(crate) secret: ApiKey,
    /// Of temporary credentials.
    pub(crate) session_token: Option<ApiKey>,
    pub(crate) region: String,
}

/// The headers that sign a request: its time, the session token, and the signature over method, URL, `content_type` and body.
/// `None` if a value cannot stand in a header.
pub(crate) fn signed_headers(
    credentials: &Credentials,
    service: &str,
    now: SystemTime,
    method: &Method,
    url: &Url,
    content_type: Option<&str>,
    body: &[u8],
) -> Option<HeaderMap> {
    let time = basic_time(now);
    let date = &time[..8];
    let host = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str()?),
        None => url.host_str()?.to_owned(),
    };
    // In the order of their names, as the specification wants them.
    let mut signed: Vec<(&str, &str)> = Vec::new();
    signed.extend(content_type.map(|kind| ("content-type", kind)));
    signed.push(("host", &host));
    signed.push(("x-amz-date", &time));
    signed.extend(credentials.session_token.as_ref().map(|token| ("x-amz-security-token", token.text())));
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let headers: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let request = format!(
        "{method}\n{}\n{}\n{headers}\n{names}\n{}",
        canonical_path(url.path()),
        canonical_query(url),
        hex::encode(Sha256::digest(body))
    );
    let scope = format!("{date}/{}/{service}/aws4_request", credentials.region);
    let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(request)));
    let mut key = hmac(format!("AWS4{}", credentials.secret.text()).as_bytes(), date)?;
    for step in [&credentials.region, service, "aws4_request"] {
        key = hmac(&key, step)?;
    }
    let signature = hex::encode(hmac(&key, &text)?);
    let credential = format!("{}/{scope}", credentials.access_key_id);
    let authorization = format!("{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}");
    let mut out = HeaderMap::new();
    out.insert(HeaderName::from_static("x-amz-date"), HeaderValue::from_str(&time).ok()?);
    if let Some(token) = &credentials.session_token {
        out.insert(HeaderName::from_static("x-amz-security-token"), token.header("")?);
    }
    let mut authorization = HeaderValue::from_str(&authorization).ok()?;
    authorization.set_sensitive(true);
    out.insert(AUTHORIZATION, authorization);
    Some(out)
}

fn hmac(key: &[u8], text: &str) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac.finalize().into_bytes().to_vec())
}

/// Every segment encoded once more than it is in the URL, as all services but S3 want it.
fn canonical_path(path: &str) -> String {
    if path.is_empty() { "/".to_owned() } else { path.split('/').map(percent_encoded).collect::<Vec<_>>().join("/") }
}

/// Decoded by the URL, encoded anew, in order.
fn canonical_query(url: &Url) -> String {
    let pairs = url.query_pairs().map(|(name, value)| (percent_encoded(&name), percent_encoded(&value)));
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Everything but letters, digits and `-_.~` as `%XX`.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `20150830T123600Z`.
fn basic_time(now: SystemTime) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // `Sun, 30 Aug 2015 12:36:00 GMT`
    let text = httpdate::fmt_http_date(now);
    let month = MONTHS.iter().position(|name| *name == &text[8..11]).unwrap_or_default() + 1;
    format!("{}{month:02}{}T{}Z", &text[12..16], &text[5..7], text[17..25].replace(':', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn credentials(token: Option<&str>) -> Credentials {
        Credentials {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret: ApiKey::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY").unwrap(),
            session_token: token.map(|token| ApiKey::new(token).unwrap()),
            region: "us-east-1".to_owned(),
        }
    }

    /// Noon of the test suite: 2015-08-30T12:36:00Z.
    fn noon() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_440_938_160)
    }

    fn signature(
        token: Option<&str>,
        service: &str,
        method: Method,
        url: &str,
        content_type: Option<&str>,
        body: &str,
    ) -> String {
        let url = Url::parse(url).unwrap();
        let headers =
            signed_headers(&credentials(token), service, noon(), &method, &url, content_type, body.as_bytes()).unwrap();
        assert!(!format!("{headers:?}").contains("AKIDEXAMPLE"), "sensitive");
        assert_eq!(headers["x-amz-date"], "20150830T123600Z");
        let text = headers[AUTHORIZATION].to_str().unwrap();
        text.split_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn the_published_vectors() {
        let vanilla = signature(None, "service", Method::GET, "https://example.amazonaws.com/", None, "");
        assert_eq!(vanilla, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        let query = "https://example.amazonaws.com/?Param2=value2&Param1=value1";
        assert_eq!(
            signature(None, "service", Method::GET, query, None, ""),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
        );
        let iam = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08";
        let form = Some("application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(
            signature(None, "iam", Method::GET, iam, form, ""),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    #[test]
    fn an_encoded_path_a_token_and_a_body() {
        let url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-x-v1%3A0/converse-stream";
        let got = signature(Some("token/1=="), "bedrock", Method::POST, url, Some("application/json"), "{\"a\":1}");
        assert_eq!(got, "e51c3dc55dc9f93080f4294bb7936daf631567422df20c596c6abc091af740f0");
        let local = signature(None, "bedrock", Method::POST, "http://127.0.0.1:8080/model/m/converse-stream", None, "");
        assert_eq!(local, "d90de6ad7aef80b2cefeeaa45a40b4e70388ce0bea9b41bd1b6f71cffcb01241");
    }
}
