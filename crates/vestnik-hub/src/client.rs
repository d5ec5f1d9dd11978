//! The hub's interface over HTTP: what a repository has, what a file is, and its bytes.

use std::io;
use std::thread;
use std::time::Duration;

use hf_hub::api::RepoInfo;
use hf_hub::{Repo, RepoType};
use ureq::http::header::{AUTHORIZATION, CONTENT_LENGTH, ETAG, LOCATION, RANGE};
use ureq::http::{HeaderMap, Method, Request, Response};
use ureq::{Agent, Body};

use crate::name::{is_commit, is_plain_path};
use crate::redirect::{is_loopback, origin, resolve};
use crate::token::Token;
use crate::{Error, ModelName, Result};

const MAX_REDIRECTS: usize = 10;
/// Longest answer about a repository; the largest ones name some 100 000 files.
const MAX_INFO_BYTES: u64 = 64 << 20;
/// Longest message of a hub that is passed on.
const MAX_MESSAGE_CHARS: usize = 200;
const NO_ADDRESS: &str = "no address is known for this host";

/// How often and how soon something is tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retries {
    /// Failures in a row that are forgiven.
    pub(crate) count: u32,
    /// Wait after the first failure; it doubles with each one that follows.
    pub(crate) backoff: Duration,
}

impl Retries {
    /// Waits after a number of failures in a row.
    pub(crate) fn wait(self, failures: u32) {
        thread::sleep(self.backoff * 2_u32.pow(failures.saturating_sub(1).min(6)));
    }
}

/// A file on the hub.
#[derive(Clone, Debug)]
pub(crate) struct RemoteFile {
    pub(crate) name: String,
    /// Address of its bytes.
    pub(crate) url: String,
    /// Its entity tag: a hash, and its name in the cache.
    pub(crate) etag: String,
    /// In bytes.
    pub(crate) size: u64,
}

/// A request that failed, and whether it may succeed when it is made again.
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) transient: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            transient: false,
        }
    }
}

type Attempt<T> = std::result::Result<T, Failure>;

/// What a request is about.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Repository,
    File(&'a str),
}

/// A connection to a hub. Requests to the hub itself carry the token, requests to other hosts never do.
pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<Token>,
    pub(crate) retries: Retries,
}

impl Client {
    pub(crate) fn new(
        endpoint: &str,
        token: Option<Token>,
        timeout: Duration,
        retries: Retries,
    ) -> Self {
        let mut config = Agent::config_builder()
            .user_agent(concat!("vestnik/", env!("CARGO_PKG_VERSION")))
            // Sizes and ranges are those of the file, not of a compressed form of it.
            .accept_encoding("identity")
            // Redirects are followed here, where the token is kept back from other hosts.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_resolve(Some(timeout))
            .timeout_connect(Some(timeout))
            .timeout_recv_response(Some(timeout))
            .timeout_per_read(Some(timeout));
        if is_loopback(endpoint) {
            config = config.proxy(None);
        }
        Self {
            agent: config.build().new_agent(),
            endpoint: endpoint.to_owned(),
            token,
            retries,
        }
    }

    /// The commit and the files of a model.
    pub(crate) fn info(&self, model: &ModelName) -> Result<RepoInfo> {
        let url = format!("{}/api/{}", self.endpoint, repo(model).api_url());
        self.retried(|| {
            let response = self.get(model, Subject::Repository, &url, None)?;
            let reader = response
                .into_body()
                .into_with_config()
                .limit(MAX_INFO_BYTES)
                .reader();
            let info: RepoInfo =
                serde_json::from_reader(reader).map_err(|error| self.unreadable(model, &error))?;
            if is_commit(&info.sha) {
                Ok(info)
            } else {
                Err(self.answer(model.id(), "it gives no commit").into())
            }
        })
    }

    /// Entity tag and size of a file at a commit.
    pub(crate) fn file(&self, model: &ModelName, commit: &str, name: &str) -> Result<RemoteFile> {
        let url = format!("{}/{}/resolve/{commit}/{name}", self.endpoint, model.id());
        let headers = self.retried(|| self.head(model, name, &url))?;
        let size = header(&headers, "x-linked-size")
            .or_else(|| header(&headers, CONTENT_LENGTH.as_str()))
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.answer(name, "it gives no size"))?;
        let etag = header(&headers, "x-linked-etag")
            .or_else(|| header(&headers, ETAG.as_str()))
            .map(|text| text.trim_start_matches("W/").trim_matches('"'))
            .filter(|etag| is_plain_path(etag) && !etag.contains('/'))
            .ok_or_else(|| self.answer(name, "it gives no usable ETag"))?;
        Ok(RemoteFile {
            name: name.to_owned(),
            etag: etag.to_owned(),
            size,
            url,
        })
    }

    /// The bytes of a file, all of them or (where the server can do that) from an offset.
    pub(crate) fn bytes(
        &self,
        model: &ModelName,
        file: &RemoteFile,
        from: u64,
    ) -> Attempt<Response<Body>> {
        let range = (from > 0).then(|| format!("bytes={from}-"));
        self.get(
            model,
            Subject::File(&file.name),
            &file.url,
            range.as_deref(),
        )
    }

    /// Makes a request again after failures that may pass.
    fn retried<T>(&self, attempt: impl Fn() -> Attempt<T>) -> Result<T> {
        let mut failures = 0;
        loop {
            match attempt() {
                Ok(value) => return Ok(value),
                Err(failure) if failure.transient && failures < self.retries.count => {
                    failures += 1;
                    self.retries.wait(failures);
                }
                Err(failure) => return Err(failure.error),
            }
        }
    }

    fn get(
        &self,
        model: &ModelName,
        subject: Subject<'_>,
        url: &str,
        range: Option<&str>,
    ) -> Attempt<Response<Body>> {
        let mut url = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(Method::GET, &url, range)?;
            let Some(target) = redirect(&response, &url) else {
                return self.checked(model, subject, response);
            };
            url = target;
        }
        Err(self.answer(model.id(), "it redirects without end").into())
    }

    /// The headers that tell of a file. A redirect to another host is not followed: the hub itself knows the file, and
    /// the host with its bytes may not.
    fn head(&self, model: &ModelName, name: &str, url: &str) -> Attempt<HeaderMap> {
        let mut url = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(Method::HEAD, &url, None)?;
            let linked = response.headers().contains_key("x-linked-etag");
            match redirect(&response, &url) {
                Some(target) if !linked && origin(&target) == origin(&url) => url = target,
                _ => {
                    let response = self.checked(model, Subject::File(name), response)?;
                    return Ok(response.into_parts().0.headers);
                }
            }
        }
        Err(self.answer(name, "it redirects without end").into())
    }

    fn send(&self, method: Method, url: &str, range: Option<&str>) -> Attempt<Response<Body>> {
        let mut request = Request::builder().method(method).uri(url);
        if let Some(token) = self
            .token
            .as_ref()
            .filter(|_| origin(url) == origin(&self.endpoint))
        {
            request = request.header(AUTHORIZATION, token.authorization());
        }
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        let request = request
            .body(())
            .map_err(|error| self.answer(origin(url), &error.to_string()))?;
        self.agent
            .run(request)
            .map_err(|error| unreachable(origin(url), &error))
    }

    fn checked(
        &self,
        model: &ModelName,
        subject: Subject<'_>,
        response: Response<Body>,
    ) -> Attempt<Response<Body>> {
        let status = response.status().as_u16();
        if status < 400 {
            return Ok(response);
        }
        Err(Failure {
            error: self.refusal(model, subject, status, response.headers()),
            transient: matches!(status, 408 | 429 | 500..),
        })
    }

    fn refusal(
        &self,
        model: &ModelName,
        subject: Subject<'_>,
        status: u16,
        headers: &HeaderMap,
    ) -> Error {
        let message = message(headers);
        let endpoint = self.endpoint.clone();
        match status {
            401 | 403 => Error::Refused {
                model: model.to_string(),
                endpoint,
                status,
                with_token: self.token.is_some(),
                message,
            },
            404 => self.missing(model, subject, header(headers, "x-error-code")),
            _ => Error::Status {
                endpoint,
                what: what(model, subject),
                status,
                message,
            },
        }
    }

    /// What a 404 means: the hub says it in a header; without that, by what was asked for.
    fn missing(&self, model: &ModelName, subject: Subject<'_>, code: Option<&str>) -> Error {
        let other_revision = model.revision() != "main";
        match (code, subject) {
            (Some("RevisionNotFound"), _) => no_revision(model),
            (Some("RepoNotFound"), _) => self.no_model(model),
            (_, Subject::File(name)) => Error::NoFile {
                model: model.to_string(),
                file: name.to_owned(),
            },
            (_, Subject::Repository) if other_revision => no_revision(model),
            (_, Subject::Repository) => self.no_model(model),
        }
    }

    fn no_model(&self, model: &ModelName) -> Error {
        Error::NoModel {
            model: model.id().to_owned(),
            endpoint: self.endpoint.clone(),
        }
    }

    /// An answer that broke off may come whole the next time; one that is no JSON will not.
    fn unreadable(&self, model: &ModelName, error: &serde_json::Error) -> Failure {
        Failure {
            error: self.answer(model.id(), &error.to_string()),
            transient: error.is_io() || error.is_eof(),
        }
    }

    fn answer(&self, what: &str, problem: &str) -> Error {
        Error::Answer {
            endpoint: self.endpoint.clone(),
            what: what.to_owned(),
            problem: problem.to_owned(),
        }
    }
}

fn repo(model: &ModelName) -> Repo {
    Repo::with_revision(
        model.id().to_owned(),
        RepoType::Model,
        model.revision().to_owned(),
    )
}

fn no_revision(model: &ModelName) -> Error {
    Error::NoRevision {
        model: model.id().to_owned(),
        revision: model.revision().to_owned(),
    }
}

fn what(model: &ModelName, subject: Subject<'_>) -> String {
    match subject {
        Subject::Repository => model.to_string(),
        Subject::File(name) => format!("{name} of {model}"),
    }
}

fn redirect(response: &Response<Body>, url: &str) -> Option<String> {
    if !response.status().is_redirection() {
        return None;
    }
    Some(resolve(url, header(response.headers(), LOCATION.as_str())?))
}

/// A header of text that is not empty.
pub(crate) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then_some(text)
}

/// What the hub says about an error, on one line.
fn message(headers: &HeaderMap) -> String {
    let text = header(headers, "x-error-message").unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MAX_MESSAGE_CHARS).collect()
}

fn unreachable(host: &str, error: &ureq::Error) -> Failure {
    Failure {
        transient: may_pass(error),
        error: Error::Connection {
            host: host.to_owned(),
            reason: reason(error),
            in_cache: false,
        },
    }
}

/// Whether the next attempt may succeed: a connection that broke, not one that could not be made.
fn may_pass(error: &ureq::Error) -> bool {
    match error {
        // Invalid data is a certificate, or another matter of TLS.
        ureq::Error::Io(error) => {
            let kinds = [io::ErrorKind::ConnectionRefused, io::ErrorKind::InvalidData];
            !kinds.contains(&error.kind()) && !is_lookup(error)
        }
        ureq::Error::Timeout(timeout) => {
            !matches!(timeout, ureq::Timeout::Resolve | ureq::Timeout::Connect)
        }
        ureq::Error::Protocol(_) | ureq::Error::BodyStalled => true,
        _ => false,
    }
}

/// Whether no address was found for a host. The standard library has no kind for it, only words.
fn is_lookup(error: &io::Error) -> bool {
    error.to_string().starts_with("failed to lookup address")
}

/// An error of the connection in a few words.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => NO_ADDRESS.to_owned(),
        ureq::Error::Io(error) if is_lookup(error) => NO_ADDRESS.to_owned(),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            "connection refused".to_owned()
        }
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::ToSocketAddrs;

    /// A host name that is too long is refused without asking anybody.
    #[test]
    fn a_host_without_address_is_final() {
        let host = format!("{}.invalid", "x".repeat(300));
        let error = (host.as_str(), 80).to_socket_addrs().unwrap_err();
        let failure = unreachable("http://host", &ureq::Error::Io(error));
        assert!(!failure.transient);
        assert_eq!(
            failure.error.to_string(),
            "cannot reach http://host: no address is known for this host"
        );
    }
}
