//! All routes, one file per family.

mod classify;
#[cfg(fuzzing)]
mod fuzzing;
mod hugging_face;
mod info;
mod kserve;
mod page;
mod tag;
mod text_embeddings_inference;

#[cfg(fuzzing)]
pub use fuzzing::read_body;

use axum::Router;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tower_http::cors::CorsLayer;

use crate::app::App;
use crate::auth::authenticate;
use crate::caller::{Caller, TIMEOUT_HEADER};
use crate::config::Config;
use crate::engine::Ask;
use crate::error::{Error, Result};
use crate::lane::{Answer, Lane};
use crate::observe::observe;
use crate::problem::{Kind, Problem};
use crate::traces;

/// All routes over the models.
///
/// # Errors
/// [`Error::Origin`] for an origin that is none.
pub(crate) fn router(app: App) -> Result<Router> {
    let with_key = protected().route_layer(from_fn_with_state(app.clone(), authenticate));
    let mut router = with_key
        .merge(open())
        .fallback(no_route)
        .method_not_allowed_fallback(no_method);
    if let Some(cors) = cors(&app.config)? {
        router = router.layer(cors);
    }
    let observed = from_fn_with_state(app.clone(), observe);
    Ok(router.layer(observed).with_state(app))
}

/// What needs a key, where keys are asked for.
fn protected() -> Router<App> {
    Router::new()
        .route("/v1/tag", post(tag::tag))
        .route("/v1/classify", post(classify::classify))
        .route("/predict", post(text_embeddings_inference::predict))
        .route("/tokenize", post(text_embeddings_inference::tokenize))
        .route("/", post(hugging_face::infer))
        .route("/models/{model}", post(hugging_face::infer_with))
        .route("/v2/models/{model}/infer", post(kserve::infer))
        .route("/v2/models/{model}", get(kserve::model))
        .route("/info", get(info::info))
        .route("/metrics", get(info::metrics))
}

/// What anybody may ask: whether the server is well, and what it looks like.
fn open() -> Router<App> {
    Router::new()
        .route("/health", get(info::health))
        .route("/v2", get(kserve::server))
        .route("/v2/health/live", get(kserve::live))
        .route("/v2/health/ready", get(kserve::ready))
        .route("/v2/models/{model}/ready", get(kserve::model_ready))
        .route("/openapi.json", get(page::openapi))
        .route("/docs", get(page::docs))
        .route("/", get(page::index))
        .route("/page/{file}", get(page::file))
}

fn cors(config: &Config) -> Result<Option<CorsLayer>> {
    if config.cors_origins.is_empty() {
        return Ok(None);
    }
    let origins = config
        .cors_origins
        .iter()
        .map(|origin| parse_origin(origin));
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            CONTENT_TYPE,
            AUTHORIZATION,
            HeaderName::from_static("x-api-key"),
            HeaderName::from_static(TIMEOUT_HEADER),
            HeaderName::from_static(traces::HEADER),
        ])
        .allow_origin(origins.collect::<Result<Vec<_>>>()?);
    Ok(Some(layer))
}

/// Scheme and host, without a path: that is what browsers send.
fn parse_origin(origin: &str) -> Result<HeaderValue> {
    let host = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    let is_origin =
        host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ', '?']));
    let value = is_origin
        .then(|| HeaderValue::from_str(origin).ok())
        .flatten();
    value.ok_or_else(|| Error::Origin {
        origin: origin.to_owned(),
    })
}

async fn no_route() -> Problem {
    Problem::new(Kind::NotFound, "no such route, see /docs")
}

async fn no_method() -> Problem {
    Problem::new(Kind::Method, "the route has no such method, see /docs")
}

/// Has texts read, each by its ask, and waits for the answers.
async fn read(
    app: &App,
    lane: &std::sync::Arc<Lane>,
    caller: &Caller,
    texts: Vec<String>,
    asks: Vec<Ask>,
) -> std::result::Result<Vec<Answer>, Problem> {
    if app.config.log_text {
        for text in &texts {
            tracing::info!(model = lane.name(), text, "text");
        }
    }
    let pending = lane.submit(&caller.client, texts, asks)?;
    let answers = caller.in_time(pending.answers()).await??;
    caller.note(lane.name(), &answers);
    Ok(answers)
}

fn json(value: &Value) -> Response {
    let content_type = (axum::http::header::CONTENT_TYPE, "application/json");
    ([content_type], value.to_string()).into_response()
}
