//! Names in the body of a request, from an axum service of one's own:
//! `cargo run --release --features tokio --example axum_service [ADDRESS]`, then
//! `curl http://127.0.0.1:3000/names -d 'Maria Smith lives in Bath.'`.
//!
//! `vestnik serve` does more: it batches across clients and bounds its queue. This is for programs that serve already.

use std::env;
use std::error::Error;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use vestnik::{AsyncVestnik, Vestnik};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let vestnik = AsyncVestnik::new(Vestnik::embedded()?)?;
    let router = Router::new()
        .route("/names", post(names))
        .with_state(vestnik);
    let address = env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:3000");
    let listener = tokio::net::TcpListener::bind(address).await?;
    print_line(&format!("listening on http://{}", listener.local_addr()?));
    axum::serve(listener, router).await?;
    Ok(())
}

/// One name a line, with its type.
async fn names(
    State(vestnik): State<AsyncVestnik>,
    text: String,
) -> Result<String, (StatusCode, String)> {
    let failed = |error: vestnik::Error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let analysis = vestnik.analyze(text.as_str()).await.map_err(failed)?;
    let lines = analysis.entities.iter().map(|entity| {
        let name = &text[entity.span.range()];
        format!("{}\t{name}\n", entity.label)
    });
    Ok(lines.collect())
}

#[expect(clippy::print_stdout, reason = "what the example shows")]
fn print_line(line: &str) {
    println!("{line}");
}
