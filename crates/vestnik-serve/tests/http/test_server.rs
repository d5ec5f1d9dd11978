//! A server with tiny models of random weights, on a free port.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use vestnik_infer::{DeviceChoice, Options, Vestnik, ZeroShot};
use vestnik_serve::{Config, Engine, ModelSource, Server};

use crate::client::{JSON, Reply, request, send};

/// The longest that a test waits for the server to get somewhere.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that runs until it is dropped or stopped.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    reload: mpsc::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

/// The files of a tiny model.
pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../vestnik-model/tests/fixtures")
        .join(name)
}

fn options() -> Options {
    Options::default().with_device(DeviceChoice::Cpu)
}

/// A tagger with the labels PER and LOC.
pub(crate) fn tagger() -> Vestnik {
    Vestnik::from_dir_with(fixture("bert"), &options()).unwrap()
}

/// The tagger as a model of a server.
pub(crate) fn tagger_source() -> ModelSource {
    ModelSource::new("bert", || Ok(Engine::from(tagger())))
}

/// A model of natural language inference: the tiny classifier with other names for its outputs.
pub(crate) fn zero_shot_source() -> ModelSource {
    ModelSource::new("nli", || {
        let folder = tempfile::tempdir()?;
        for file in ["model.safetensors", "tokenizer.json"] {
            std::fs::copy(fixture("bert_seq").join(file), folder.path().join(file))?;
        }
        let config = std::fs::read(fixture("bert_seq").join("config.json"))?;
        let mut config: Value = serde_json::from_slice(&config)?;
        config["id2label"] =
            serde_json::json!({"0": "contradiction", "1": "neutral", "2": "entailment"});
        config["label2id"] = Value::Null;
        std::fs::write(folder.path().join("config.json"), config.to_string())?;
        let model = ZeroShot::from_dir(folder.path(), &options())?;
        Ok(Engine::from(model.with_name("nli")))
    })
}

/// The default configuration on a free port.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.address.set_port(0);
    config
}

impl TestServer {
    /// With a tagger and a model of natural language inference.
    pub(crate) fn start() -> Self {
        Self::with(config(), vec![tagger_source(), zero_shot_source()])
    }

    pub(crate) fn with(config: Config, models: Vec<ModelSource>) -> Self {
        let server = Server::open(config, models).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (reload, reloads) = mpsc::channel(1);
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let listening = server.listen().await.unwrap();
                tell.send(listening.address()).unwrap();
                let stop = async move {
                    let _ = stopped.await;
                };
                listening.run(stop, reloads).await;
            });
        });
        Self {
            address: told.recv().unwrap(),
            stop: Some(stop),
            reload,
            thread: Some(thread),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        send(self.address, &request("GET", path, "", b""))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_bytes(path, body.to_string().as_bytes())
    }

    pub(crate) fn post_bytes(&self, path: &str, body: &[u8]) -> Reply {
        send(self.address, &request("POST", path, JSON, body))
    }

    /// Opens the models again and waits until that is done.
    pub(crate) fn reload(&self) {
        let before = self.reloads();
        self.tell_to_reload();
        self.wait_until(|| self.reloads() > before);
    }

    pub(crate) fn tell_to_reload(&self) {
        self.reload.blocking_send(()).unwrap();
    }

    fn reloads(&self) -> u64 {
        let text = self.get("/metrics").body;
        let counts = text
            .lines()
            .filter(|line| line.starts_with("vestnik_reloads_total"));
        counts
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    /// Waits until so many texts are in the queue of the first model.
    #[track_caller]
    pub(crate) fn wait_for_queue(&self, n_texts: u64) {
        self.wait_until(|| self.get("/info").ok()["models"][0]["queue_texts"] == n_texts);
    }

    #[track_caller]
    fn wait_until(&self, is_there: impl Fn() -> bool) {
        let begin = Instant::now();
        while !is_there() {
            assert!(begin.elapsed() < PATIENCE, "it did not come");
            std::thread::yield_now();
        }
    }

    /// Asks the server to stop; it may have requests to end first.
    pub(crate) fn ask_to_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Waits until it has stopped.
    pub(crate) fn join(mut self) {
        self.ask_to_stop();
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.ask_to_stop();
        if let Some(thread) = self.thread.take()
            && !std::thread::panicking()
        {
            thread.join().unwrap();
        }
    }
}
