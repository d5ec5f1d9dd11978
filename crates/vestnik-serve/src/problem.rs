//! What a client is told when it gets no answer: a status, and `{"error", "error_type"}`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request has no answer.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) error: String,
    /// After how many seconds to try again.
    pub(crate) retry_after: Option<u64>,
}

/// Types of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The request says something that cannot be done.
    Validation,
    /// More than a limit.
    TooLarge,
    /// No such route, or no such model.
    NotFound,
    /// The route has no such method.
    Method,
    /// The body is in no format that is read.
    MediaType,
    /// No key, or a wrong one.
    Unauthorized,
    /// The queue is full.
    Overloaded,
    /// The body did not arrive in time.
    SlowRequest,
    /// The answer was not ready in time.
    Timeout,
    /// The server is about to stop.
    Unhealthy,
    /// The model failed.
    Backend,
}

impl Kind {
    /// The status of the answer.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Validation => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            Self::SlowRequest => StatusCode::REQUEST_TIMEOUT,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Backend => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The name in answers and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::TooLarge => "too_large",
            Self::NotFound => "not_found",
            Self::Method => "method_not_allowed",
            Self::MediaType => "unsupported_media_type",
            Self::Unauthorized => "unauthorized",
            Self::Overloaded => "overloaded",
            Self::SlowRequest => "slow_request",
            Self::Timeout => "timeout",
            Self::Unhealthy => "unhealthy",
            Self::Backend => "backend",
        }
    }
}

impl Problem {
    pub(crate) fn new(kind: Kind, error: impl Into<String>) -> Self {
        Self {
            kind,
            error: error.into(),
            retry_after: None,
        }
    }

    /// The request says something that cannot be done.
    pub(crate) fn validation(error: impl Into<String>) -> Self {
        Self::new(Kind::Validation, error)
    }

    /// More than a limit.
    pub(crate) fn too_large(error: impl Into<String>) -> Self {
        Self::new(Kind::TooLarge, error)
    }

    /// The queue is full; it should have room in so many seconds.
    pub(crate) fn overloaded(retry_after: u64) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(Kind::Overloaded, "too many texts wait already")
        }
    }

    /// The server is about to stop.
    pub(crate) fn stopping() -> Self {
        Self::new(Kind::Unhealthy, "the server is about to stop")
    }

    /// Says where in the request it is.
    pub(crate) fn at(self, place: impl std::fmt::Display) -> Self {
        Self {
            error: format!("{place}: {}", self.error),
            ..self
        }
    }
}

impl From<&vestnik_infer::Error> for Problem {
    /// What is wrong with a question is the client's, all else the model's.
    fn from(error: &vestnik_infer::Error) -> Self {
        use vestnik_infer::Error;
        let kind = match error {
            Error::Template { .. } | Error::LongHypothesis { .. } | Error::Core(_) => {
                Kind::Validation
            }
            _ => Kind::Backend,
        };
        Self::new(kind, error.to_string())
    }
}

/// Beside the answer, for metrics and the log.
#[derive(Clone, Debug)]
pub(crate) struct Told(pub(crate) Problem);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({"error": self.error, "error_type": self.kind.as_str()}).to_string();
        let json = (header::CONTENT_TYPE, "application/json");
        let mut response = (self.kind.status(), [json], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind == Kind::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Told(self));
        response
    }
}
