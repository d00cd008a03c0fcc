//! Lists of models.

use crate::{
    KEY, limits, providers,
    server::{canned, response},
};
use docket_domain::failure::FailureClass;

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

#[tokio::test]
async fn models_are_listed_and_kept() {
    let anthropic = r#"{"data":[{"id":"claude-b","display_name":"B","max_input_tokens":200000,"max_tokens":64000},{"id":"claude-a"}],"has_more":false}"#;
    let (address, requests) = canned(response("200 OK", JSON, anthropic)).await;
    let (broken, _) = canned(response("500 X", JSON, "{}")).await;
    let urls = [format!("http://{address}"), format!("http://{broken}/v1/")];
    let all = [("ANTHROPIC_API_KEY", KEY), ("ANTHROPIC_BASE_URL", &*urls[0]), ("OPENAI_BASE_URL", &*urls[1])];
    let providers = providers(&all, limits());
    assert_eq!(providers.names(), ["anthropic", "openai", "scripted"]);
    for _ in 0..2 {
        let lists = providers.models().await;
        assert_eq!(lists.iter().map(|list| list.provider.as_str()).collect::<Vec<_>>(), ["anthropic", "openai", "scripted"]);
        let models = lists[0].models.as_ref().unwrap();
        let first = &models[0];
        assert_eq!((first.name.to_string().as_str(), first.display_name.as_deref()), ("anthropic/claude-b", Some("B")));
        assert_eq!((first.context_window, first.max_output_tokens, models.len()), (Some(200_000), Some(64_000), 2));
        assert_eq!(
            lists[1].models.as_ref().unwrap_err().class,
            FailureClass::Provider,
            "one that fails does not fail the others"
        );
    }
    assert_eq!(providers.default_model().await.to_string(), "anthropic/claude-b");
    let requests = requests.lock().await;
    assert_eq!(requests.len(), 1, "the list is kept");
    assert!(requests[0].starts_with("GET /v1/models?limit=1000 HTTP/1.1\r\n") && requests[0].contains("x-api-key"));
}

#[tokio::test]
async fn the_default_is_the_first_that_chats() {
    for (body, want) in [
        (r#"{"data":[{"id":"text-embedding-3"},{"id":"org/qwen","max_model_len":4096}]}"#, "openai/org/qwen"),
        (r#"{"data":[{"id":"whisper-1"}]}"#, "openai/whisper-1"),
        (r#"{"data":[]}"#, "openai/default"),
        ("nonsense", "openai/default"),
    ] {
        let (address, _) = canned(response("200 OK", JSON, body)).await;
        let url = format!("http://{address}");
        assert_eq!(providers(&[("OPENAI_BASE_URL", &url)], limits()).default_model().await.to_string(), want);
    }
}

#[tokio::test]
async fn gemini_and_bedrock_list_in_their_own_ways() {
    let gemini = r#"{"models":[{"name":"models/embedding-1","supportedGenerationMethods":["embedContent"]},
        {"name":"models/gemini-3-pro","displayName":"Gemini 3 Pro","inputTokenLimit":1048576,"outputTokenLimit":65536,
         "supportedGenerationMethods":["generateContent","countTokens"]}]}"#;
    let (address, requests) = canned(response("200 OK", JSON, gemini)).await;
    let url = format!("http://{address}");
    let lists = providers(&[("GEMINI_API_KEY", KEY), ("GOOGLE_GEMINI_BASE_URL", &url)], limits()).models().await;
    let models = lists[0].models.as_ref().unwrap();
    assert_eq!((models.len(), models[0].name.to_string().as_str()), (1, "gemini/gemini-3-pro"));
    assert_eq!((models[0].context_window, models[0].max_output_tokens), (Some(1_048_576), Some(65_536)));
    let asked = requests.lock().await[0].clone();
    assert!(asked.starts_with("GET /v1beta/models?pageSize=1000 HTTP/1.1\r\n") && !asked[..50].contains(KEY), "{asked}");

    let bedrock = r#"{"modelSummaries":[{"modelId":"amazon.nova-pro-v1:0","modelName":"Nova Pro"}]}"#;
    let (address, requests) = canned(response("200 OK", JSON, bedrock)).await;
    let url = format!("http://{address}");
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", KEY),
        ("AWS_SESSION_TOKEN", "a-session-token"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:9"),
        ("AWS_ENDPOINT_URL_BEDROCK", &url),
    ];
    let providers = providers(&variables, limits());
    assert_eq!(providers.default_model().await.to_string(), "scripted/guided", "it is never the default");
    let lists = providers.models().await;
    let model = &lists[0].models.as_ref().unwrap()[0];
    assert_eq!(
        (model.name.to_string().as_str(), model.display_name.as_deref()),
        ("bedrock/amazon.nova-pro-v1:0", Some("Nova Pro"))
    );
    let asked = requests.lock().await[0].clone();
    assert!(
        asked.starts_with("GET /foundation-models?byInferenceType=ON_DEMAND&byOutputModality=TEXT HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains("x-amz-security-token: a-session-token\r\n") && asked.contains("/eu-west-1/bedrock/aws4_request"));
    assert!(!asked.contains(KEY), "the secret signs and is not sent");
}
