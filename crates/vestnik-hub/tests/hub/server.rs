//! A hub on this machine: enough of the file API for downloads, and able to misbehave on demand.
//!
//! Files with weights are in large-file storage: their addresses redirect to the host `localhost`, which is not the hub's
//! own `127.0.0.1`. `config.json` redirects to another path of the hub, as the real one does.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sha2::Digest;

/// The commit of a repository that was published only once.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A way to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answers with this status.
    Status(u16),
    /// Announces everything, sends this many bytes of the body and closes.
    Break(usize),
    /// Sends this many bytes of the body, then nothing more, without closing.
    Stall(usize),
    /// Announces and sends this many bytes too few.
    Short(usize),
    /// Sends a byte too many, and announces it.
    Longer,
    /// Sends a wrong byte at the start of the body.
    Damage,
    /// Sends everything though a range was asked for.
    IgnoreRange,
    /// Redirects to itself.
    Loop,
}

/// A request that was answered.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) range: Option<String>,
    pub(crate) authorization: Option<String>,
}

#[derive(Clone, Default)]
struct Repository {
    /// Revision to commit.
    revisions: BTreeMap<String, String>,
    files: BTreeMap<String, Vec<u8>>,
    /// The token that is needed to read it.
    token: Option<String>,
}

#[derive(Default)]
struct State {
    repositories: BTreeMap<String, Repository>,
    /// Method, end of the path, fault, and how often.
    faults: Vec<(&'static str, String, Fault, usize)>,
    log: Vec<Request>,
    connections: usize,
}

/// The server; its threads end with the process.
#[derive(Clone)]
pub(crate) struct Server {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::default(),
        };
        let accepting = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = accepting.clone();
                server.state.lock().unwrap().connections += 1;
                thread::spawn(move || server.converse(&stream));
            }
        });
        server
    }

    /// What `HF_ENDPOINT` is to be.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Publishes a repository at [`COMMIT`], branch `main`.
    pub(crate) fn publish(&self, id: &str, files: &[(&str, &[u8])]) {
        self.publish_as(id, "main", COMMIT, files);
    }

    /// Publishes a repository, or replaces what it has, at a revision.
    pub(crate) fn publish_as(
        &self,
        id: &str,
        revision: &str,
        commit: &str,
        files: &[(&str, &[u8])],
    ) {
        let mut state = self.state.lock().unwrap();
        let repository = state.repositories.entry(id.to_owned()).or_default();
        repository.revisions.insert(revision.into(), commit.into());
        repository.revisions.insert(commit.into(), commit.into());
        repository.files = files
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()))
            .collect();
    }

    /// Makes a repository private.
    pub(crate) fn require_token(&self, id: &str, token: &str) {
        let mut state = self.state.lock().unwrap();
        let repository = state.repositories.get_mut(id).unwrap();
        repository.token = Some(token.to_owned());
    }

    /// Misbehaves `times` times when `method` asks for a path that ends with `end`.
    pub(crate) fn misbehave(&self, method: &'static str, end: &str, fault: Fault, times: usize) {
        let mut state = self.state.lock().unwrap();
        state.faults.push((method, end.to_owned(), fault, times));
    }

    /// Behaves again.
    pub(crate) fn behave(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    pub(crate) fn log(&self) -> Vec<Request> {
        self.state.lock().unwrap().log.clone()
    }

    /// Forgets the requests so far.
    pub(crate) fn clear_log(&self) {
        self.state.lock().unwrap().log.clear();
    }

    /// The bodies that were asked for: GET of anything but the interface, redirects not counted.
    pub(crate) fn downloads(&self, end: &str) -> Vec<Request> {
        let is_body = |request: &Request| {
            request.method == "GET"
                && request.path.starts_with("/cdn/")
                && request.path.ends_with(end)
        };
        self.log().into_iter().filter(is_body).collect()
    }

    fn converse(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(request) = read_request(&mut reader) {
            if self.answer(&request, stream).is_none() {
                let _ = stream.shutdown(std::net::Shutdown::Both);
                return;
            }
        }
    }

    /// `None` when the connection is to be closed.
    fn answer(&self, request: &Request, stream: &TcpStream) -> Option<()> {
        let (reply, fault) = {
            let mut state = self.state.lock().unwrap();
            state.log.push(request.clone());
            let fault = state.fault(request);
            (state.reply(request, fault, self.port), fault)
        };
        reply.send(stream, request, fault)
    }
}

impl State {
    fn fault(&mut self, request: &Request) -> Option<Fault> {
        let (.., fault, times) = self.faults.iter_mut().find(|(method, end, _, times)| {
            *method == request.method && request.path.ends_with(end.as_str()) && *times > 0
        })?;
        *times -= 1;
        Some(*fault)
    }

    fn reply(&self, request: &Request, fault: Option<Fault>, port: u16) -> Reply {
        match fault {
            Some(Fault::Status(416)) => return Reply::error(416, ""),
            Some(Fault::Status(status)) => return Reply::error(status, "").telling("told to fail"),
            Some(Fault::Loop) => return Reply::redirect(302, &request.path),
            _ => {}
        }
        let path: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        match path.as_slice() {
            ["api", "models", org, name, "revision", revision] => {
                self.with(request, org, name, |repository| {
                    repository.info(&format!("{org}/{name}"), revision)
                })
            }
            [
                "api",
                "resolve-cache",
                "models",
                org,
                name,
                revision,
                file @ ..,
            ] => self.with(request, org, name, |r| r.small(revision, &file.join("/"))),
            [org, name, "resolve", revision, file @ ..] => {
                self.with(request, org, name, |repository| {
                    repository.resolve(&format!("{org}/{name}"), revision, &file.join("/"), port)
                })
            }
            ["cdn", org, name, file @ ..] => {
                match self.repositories.get(&format!("{org}/{name}")) {
                    Some(repository) => repository.stored(&file.join("/")),
                    None => Reply::error(404, ""),
                }
            }
            _ => Reply::error(404, ""),
        }
    }

    fn with(
        &self,
        request: &Request,
        org: &str,
        name: &str,
        reply: impl FnOnce(&Repository) -> Reply,
    ) -> Reply {
        let Some(repository) = self.repositories.get(&format!("{org}/{name}")) else {
            return Reply::error(404, "RepoNotFound").telling("Repository not found");
        };
        let needed = repository
            .token
            .as_ref()
            .map(|token| format!("Bearer {token}"));
        if needed.is_some() && request.authorization != needed {
            return Reply::error(401, "RepoNotFound").telling("Invalid username or password.");
        }
        reply(repository)
    }
}

impl Repository {
    fn info(&self, id: &str, revision: &str) -> Reply {
        let Some(commit) = self.revisions.get(&revision.replace("%2F", "/")) else {
            return Reply::error(404, "RevisionNotFound");
        };
        let names: Vec<String> = self
            .files
            .keys()
            .map(|name| format!(r#"{{"rfilename":"{name}"}}"#))
            .collect();
        let body = format!(
            r#"{{"id":"{id}","sha":"{commit}","siblings":[{}]}}"#,
            names.join(",")
        );
        Reply::body(body.into_bytes())
    }

    fn resolve(&self, id: &str, revision: &str, file: &str, port: u16) -> Reply {
        let Some(commit) = self.revisions.get(revision) else {
            return Reply::error(404, "RevisionNotFound");
        };
        let Some(bytes) = self.files.get(file) else {
            return Reply::error(404, "EntryNotFound").with("x-repo-commit", commit);
        };
        if is_large(file) {
            let target = format!("http://localhost:{port}/cdn/{id}/{file}");
            return Reply::redirect(302, &target)
                .with("x-repo-commit", commit)
                .with("x-linked-etag", &format!("\"{}\"", sha256(bytes)))
                .with("x-linked-size", &bytes.len().to_string());
        }
        if file == "config.json" {
            let target = format!("/api/resolve-cache/models/{id}/{revision}/{file}");
            return Reply::redirect(307, &target);
        }
        self.small(revision, file)
    }

    fn small(&self, revision: &str, file: &str) -> Reply {
        let bytes = &self.files[file];
        Reply::body(bytes.clone())
            .with("etag", &format!("\"{}\"", git_blob(bytes)))
            .with("x-repo-commit", &self.revisions[revision])
    }

    fn stored(&self, file: &str) -> Reply {
        match self.files.get(file) {
            // The storage has entity tags of its own, which are not the hash.
            Some(bytes) => Reply::body(bytes.clone()).with("etag", "\"storage-1\""),
            None => Reply::error(404, ""),
        }
    }
}

/// An answer before faults.
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn body(body: Vec<u8>) -> Self {
        Self {
            status: 200,
            headers: vec![],
            body,
        }
    }

    fn error(status: u16, code: &str) -> Self {
        let reply = Self {
            status,
            ..Self::body(vec![])
        };
        if code.is_empty() {
            return reply;
        }
        reply.with("x-error-code", code)
    }

    fn redirect(status: u16, target: &str) -> Self {
        Self::error(status, "").with("location", target)
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn telling(self, message: &str) -> Self {
        self.with("x-error-message", message)
    }

    /// Sends what the fault leaves of it; `None` when the connection is to be closed.
    fn send(
        mut self,
        mut stream: &TcpStream,
        request: &Request,
        fault: Option<Fault>,
    ) -> Option<()> {
        let mut close = false;
        let mut cut = usize::MAX;
        match fault {
            Some(Fault::Short(n)) => self.body.truncate(self.body.len().saturating_sub(n)),
            Some(Fault::Longer) => self.body.push(0),
            Some(Fault::Damage) => self.body[0] ^= 1,
            Some(Fault::Break(n) | Fault::Stall(n)) => {
                cut = n;
                close = true;
            }
            _ => {}
        }
        if fault != Some(Fault::IgnoreRange) {
            self.apply(request.range.as_deref());
        }
        let mut head = format!("HTTP/1.1 {} X\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n", self.body.len());
        stream.write_all(head.as_bytes()).ok()?;
        if request.method != "HEAD" {
            let sent = self.body.len().min(cut);
            stream.write_all(&self.body[..sent]).ok()?;
            stream.flush().ok()?;
        }
        if matches!(fault, Some(Fault::Stall(_))) {
            thread::sleep(Duration::from_secs(600));
        }
        (!close).then_some(())
    }

    fn apply(&mut self, range: Option<&str>) {
        let Some(range) = range.filter(|_| self.status == 200) else {
            return;
        };
        let start = range.trim_start_matches("bytes=").trim_end_matches('-');
        let start: usize = start.parse().unwrap();
        let total = self.body.len();
        if start >= total {
            self.status = 416;
            self.body.clear();
            return;
        }
        self.status = 206;
        self.body.drain(..start);
        let value = format!("bytes {start}-{}/{total}", total - 1);
        self.headers.push(("content-range".into(), value));
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut lines = vec![];
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut words = lines.first()?.split(' ');
    let header = |name: &str| {
        lines.iter().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    Some(Request {
        method: words.next()?.to_owned(),
        path: words.next()?.split('?').next()?.to_owned(),
        host: header("host")?,
        range: header("range"),
        authorization: header("authorization"),
    })
}

fn is_large(file: &str) -> bool {
    file.ends_with(".safetensors") || file.ends_with(".bin")
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}

/// SHA-1 as git names a blob.
pub(crate) fn git_blob(bytes: &[u8]) -> String {
    let header = format!("blob {}\0", bytes.len());
    hex(&sha1::Sha1::new_with_prefix(header)
        .chain_update(bytes)
        .finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
