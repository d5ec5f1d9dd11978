//! The page to try it on, the description of the interface, and the page that shows it. Everything is part of the program.

use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::problem::{Kind, Problem};

/// Scripts, styles and requests of this server alone; no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Files beside the pages: name, type, content.
const FILES: &[(&str, &str, &str)] = &[
    (
        "page.css",
        "text/css; charset=utf-8",
        include_str!("../page/page.css"),
    ),
    (
        "page.js",
        "text/javascript; charset=utf-8",
        include_str!("../page/page.js"),
    ),
    (
        "docs.js",
        "text/javascript; charset=utf-8",
        include_str!("../page/docs.js"),
    ),
    (
        "icon.svg",
        "image/svg+xml",
        include_str!("../page/icon.svg"),
    ),
    (
        "sample-bg.txt",
        TEXT,
        include_str!("../../../../examples/articles/bg-treti-most.txt"),
    ),
    (
        "sample-ru.txt",
        TEXT,
        include_str!("../../../../examples/articles/ru-kaspiyskiy-forum.txt"),
    ),
    (
        "sample-uk.txt",
        TEXT,
        include_str!("../../../../examples/articles/uk-zakon-pro-lisy.txt"),
    ),
    (
        "sample-en.txt",
        TEXT,
        include_str!("../../../../examples/articles/en-harbour-strike.txt"),
    ),
];

/// The interface in OpenAPI 3.1.
pub(crate) const OPENAPI: &str = include_str!("../page/openapi.json");

/// The page to try it on.
pub(super) async fn index() -> Response {
    file_response(HTML, include_str!("../page/index.html"))
}

/// The page that shows the interface.
pub(super) async fn docs() -> Response {
    file_response(HTML, include_str!("../page/docs.html"))
}

/// The interface in OpenAPI 3.1.
pub(super) async fn openapi() -> Response {
    file_response(JSON, OPENAPI)
}

/// A file of the pages.
pub(super) async fn file(Path(name): Path<String>) -> Result<Response, Problem> {
    let found = FILES.iter().find(|(known, ..)| *known == name);
    let (_, media_type, content) =
        found.ok_or_else(|| Problem::new(Kind::NotFound, "no such file"))?;
    Ok(file_response(media_type, content))
}

fn file_response(media_type: &'static str, content: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        // The next version of the program brings other files under the same names.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, content).into_response()
}
