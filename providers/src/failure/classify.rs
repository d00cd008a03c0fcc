//! Decides the class of a failure: by code first, then by status, by wording last.

use super::overflow;
use docket_domain::failure::FailureClass;

/// What is known about a failure.
pub(super) struct Evidence<'a> {
    pub(super) status: Option<u16>,
    /// The most specific code first.
    pub(super) codes: &'a [String],
    pub(super) message: &'a str,
}

pub(super) fn class(evidence: &Evidence<'_>) -> FailureClass {
    let message = evidence.message.to_lowercase();
    // A rate limit talks of tokens and limits too, but it passes.
    let may_overflow = evidence.status != Some(429);
    if let Some(class) = evidence.codes.iter().find_map(|code| by_code(&code.to_lowercase())) {
        return class;
    }
    if may_overflow && overflow::says_overflow(&message) {
        return FailureClass::ContextOverflow;
    }
    if says_no_credit(&message) {
        return FailureClass::Quota;
    }
    let coarse = evidence.codes.iter().find_map(|code| by_coarse_type(&code.to_lowercase()));
    let by_status = evidence.status.map(|status| by_status(status, &message));
    match (coarse, by_status) {
        // `api_error` and the like say less than a status such as 504.
        (Some(FailureClass::Provider), Some(class)) => class,
        (Some(class), _) | (None, Some(class)) => class,
        // Inside a stream: the request had been accepted, so the fault is the provider's.
        (None, None) if says_overloaded(&message) => FailureClass::Overloaded,
        (None, None) => FailureClass::Provider,
    }
}

/// Codes that say all.
fn by_code(code: &str) -> Option<FailureClass> {
    Some(match code {
        // Google's quotas name their period.
        quota if quota.contains("perday") => FailureClass::Quota,
        quota if quota.contains("perminute") => FailureClass::RateLimit,
        "context_length_exceeded" | "exceed_context_size_error" | "too_many_prompt_tokens" | "too_many_tokens" => {
            FailureClass::ContextOverflow
        }
        "request_too_large" => FailureClass::ContextOverflow,
        "insufficient_quota"
        | "credit_balance_exhausted"
        | "billing_hard_limit_reached"
        | "billing_error"
        | "enforced_spend_limit_reached"
        | "contract_spend_limit_reached" => FailureClass::Quota,
        "content_filter"
        | "content_policy_violation"
        | "responsibleaipolicyviolation"
        | "invalid_prompt"
        | "bio_policy"
        | "cyber_policy" => FailureClass::ContentFilter,
        "invalid_api_key"
        | "api_key_invalid"
        | "expiredtokenexception"
        | "unrecognizedclientexception"
        | "invalidsignatureexception" => FailureClass::Auth,
        "servicequotaexceededexception" => FailureClass::Quota,
        "model_not_found" | "deploymentnotfound" => FailureClass::Configuration,
        // The model wrote a call that does not fit the schema (Groq); another try may fit.
        "tool_use_failed" => FailureClass::Provider,
        _ => return None,
    })
}

/// Types that leave room for a more exact wording or status.
fn by_coarse_type(code: &str) -> Option<FailureClass> {
    Some(match code {
        "overloaded_error"
        | "overloaded"
        | "engine_overloaded"
        | "unavailable"
        | "serviceunavailableexception"
        | "modelnotreadyexception" => FailureClass::Overloaded,
        "rate_limit_error"
        | "rate_limit_exceeded"
        | "ratelimitreached"
        | "ramp_limit_exceeded"
        | "resource_exhausted"
        | "throttlingexception" => FailureClass::RateLimit,
        "authentication_error"
        | "permission_error"
        | "unauthorized"
        | "unauthenticated"
        | "permission_denied"
        | "accessdeniedexception" => FailureClass::Auth,
        "timeout_error" | "deadline_exceeded" | "modeltimeoutexception" => FailureClass::Timeout,
        "not_found_error"
        | "not_found"
        | "invalid_argument"
        | "failed_precondition"
        | "validationexception"
        | "resourcenotfoundexception" => FailureClass::Configuration,
        "api_error"
        | "server_error"
        | "internal_server_error"
        | "internal"
        | "internalserverexception"
        | "modelstreamerrorexception"
        | "modelerrorexception" => FailureClass::Provider,
        _ => return None,
    })
}

fn by_status(status: u16, message: &str) -> FailureClass {
    match status {
        401 | 403 => FailureClass::Auth,
        402 => FailureClass::Quota,
        // 409 is a lock that timed out, at Anthropic and OpenAI alike.
        408 | 409 | 502 | 504 => FailureClass::Timeout,
        413 => FailureClass::ContextOverflow,
        429 => FailureClass::RateLimit,
        529 => FailureClass::Overloaded,
        503 if says_overloaded(message) => FailureClass::Overloaded,
        424 | 500.. => FailureClass::Provider,
        _ => FailureClass::Configuration,
    }
}

fn says_overloaded(message: &str) -> bool {
    ["overload", "capacity", "busy", "loading model", "try again later"].iter().any(|words| message.contains(words))
}

fn says_no_credit(message: &str) -> bool {
    ["credit balance", "exceeded your current quota", "insufficient credit", "billing hard limit"]
        .iter()
        .any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: Option<u16>, codes: &[&str], message: &str) -> FailureClass {
        let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        class(&Evidence { status, codes: &codes, message })
    }

    #[test]
    fn codes_then_words_then_status() {
        use FailureClass as C;
        let table = [
            (of(Some(400), &["invalid_request_error"], "prompt is too long: 9 tokens > 5 maximum"), C::ContextOverflow),
            (of(Some(400), &["invalid_request_error"], "Your credit balance is too low"), C::Quota),
            (of(Some(400), &["invalid_request_error"], "max_tokens: must be positive"), C::Configuration),
            (of(Some(401), &["authentication_error"], "invalid x-api-key"), C::Auth),
            (of(Some(404), &["not_found_error"], "model: x"), C::Configuration),
            (of(Some(413), &["request_too_large"], ""), C::ContextOverflow),
            (of(Some(429), &["rate_limit_error"], "exceeds the limit of 40,000 tokens per minute"), C::RateLimit),
            (of(Some(429), &["insufficient_quota"], "You exceeded your current quota"), C::Quota),
            (of(Some(429), &["enforced_spend_limit_reached", "rate_limit_error"], ""), C::Quota),
            (of(Some(500), &["api_error"], "Internal server error"), C::Provider),
            (of(Some(504), &["api_error"], ""), C::Timeout),
            (of(Some(503), &[], "The engine is currently overloaded"), C::Overloaded),
            (of(Some(503), &[], ""), C::Provider),
            (of(Some(529), &["overloaded_error"], "Overloaded"), C::Overloaded),
            (of(None, &["overloaded_error"], "Overloaded"), C::Overloaded),
            (of(None, &["server_error"], "had an error"), C::Provider),
            (of(None, &[], "?"), C::Provider),
        ];
        for (n, (got, want)) in table.into_iter().enumerate() {
            assert_eq!(got, want, "row {n}");
        }
    }
}
