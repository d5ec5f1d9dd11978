//! Listening, connections, reloads and the end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_io_timeout::TimeoutStream;
use tower::Service;

use crate::app::App;
use crate::auth::Peer;
use crate::config::Config;
use crate::engine::{ModelSource, OpenError};
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::models::Models;
#[cfg(feature = "tls")]
use crate::models::chain;
use crate::routes;

/// The most that the head of a request may take, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// The most headers of a request.
const MAX_HEADERS: usize = 64;
/// How long to wait when a connection cannot be accepted, because there are too many files open, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A server whose models are open.
#[derive(Debug)]
pub struct Server {
    app: App,
    router: Router,
    threads: Vec<JoinHandle<()>>,
}

/// A server that listens.
#[derive(Debug)]
pub struct Listening {
    server: Server,
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Opens all models and starts a thread for each; this takes a while and blocks.
    ///
    /// # Errors
    /// A limit or an origin makes no sense, there is no model, two have one name, or one cannot be opened.
    pub fn open(config: Config, models: Vec<ModelSource>) -> Result<Self> {
        config.check()?;
        let metrics = Metrics::new();
        let models = Models::open(models, &config, &metrics)?;
        let app = App::new(config, models, metrics);
        let router = routes::router(app.clone())?;
        let threads = app.models.start()?;
        Ok(Self {
            app,
            router,
            threads,
        })
    }

    /// Names of the models and the device that each computes on: `cpu` or `cuda`.
    #[must_use]
    pub fn models(&self) -> Vec<(String, &'static str)> {
        let lanes = self.app.models.lanes();
        lanes
            .map(|lane| (lane.name().to_owned(), lane.engine().device()))
            .collect()
    }

    /// Takes the address of the configuration.
    ///
    /// # Errors
    /// [`Error::Listen`] if it is not to be had.
    pub async fn listen(self) -> Result<Listening> {
        let address = self.app.config.address;
        let failed = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Listening {
            server: self,
            listener,
            address,
        })
    }
}

impl Listening {
    /// The address, with the port that was free if any was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is ready, then ends the requests in progress and returns. Whenever something comes out of
    /// `reload`, all models are opened again, while the old ones go on.
    pub async fn run(self, stop: impl Future<Output = ()>, reload: mpsc::Receiver<()>) {
        let app = self.server.app.clone();
        let reloading = tokio::spawn(reload_when_told(app.clone(), reload));
        let connections = GracefulShutdown::new();
        tokio::pin!(stop);
        let places = Arc::new(Semaphore::new(
            app.config.max_connections.min(Semaphore::MAX_PERMITS),
        ));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, peer)) => self.connect(stream, peer, &places, &connections),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        reloading.abort();
        self.server.stop(connections).await;
    }

    /// Answers a connection on a task of its own, or closes it if there are too many.
    fn connect(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        places: &Arc<Semaphore>,
        connections: &GracefulShutdown,
    ) {
        let metrics = &self.server.app.metrics;
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            metrics.connection_refused();
            return;
        };
        // Answers are written at once, whole.
        let _ = stream.set_nodelay(true);
        let open = OpenConnection::new(self.server.app.clone(), place);
        let connection = Connection {
            app: self.server.app.clone(),
            router: self.server.router.clone(),
            peer,
        };
        let watcher = connections.watcher();
        tokio::spawn(async move {
            if let Err(error) = connection.answer(stream, watcher).await {
                tracing::debug!(%peer, %error, "connection ended");
            }
            drop(open);
        });
    }
}

/// What a connection is answered with.
struct Connection {
    app: App,
    router: Router,
    peer: SocketAddr,
}

impl Connection {
    /// Answers requests until the client goes or the watcher says that it is over.
    async fn answer(
        self,
        stream: TcpStream,
        watcher: Watcher,
    ) -> std::result::Result<(), OpenError> {
        let config = &self.app.config;
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(config.write_timeout));
        let stream = Box::pin(stream);
        #[cfg(feature = "tls")]
        if let Some(tls) = &config.tls {
            let stream = tls.accept(stream, config.read_timeout).await?;
            return Ok(watcher.watch(self.serve(stream)).await?);
        }
        Ok(watcher.watch(self.serve(stream)).await?)
    }

    fn serve<S>(&self, stream: S) -> impl GracefulConnection<Error = hyper::Error> + Send + use<S>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (router, peer) = (self.router.clone(), self.peer);
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router.clone().call(request.map(Body::new))
        });
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.app.config.read_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service)
    }
}

impl Server {
    /// Ends the requests in progress, then the threads of the models.
    async fn stop(self, connections: GracefulShutdown) {
        self.app.stop();
        self.app.models.hurry();
        tracing::info!(connections = connections.count(), "stopping");
        let limit = self.app.config.drain_timeout;
        if tokio::time::timeout(limit, connections.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("some requests did not end in time");
        }
        self.app.models.close();
        let threads = self.threads;
        let ended = tokio::task::spawn_blocking(move || threads.into_iter().for_each(end));
        let _ = ended.await;
    }
}

fn end(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("the thread of a model had failed");
    }
}

async fn reload_when_told(app: App, mut reload: mpsc::Receiver<()>) {
    while reload.recv().await.is_some() {
        let app = app.clone();
        let done = tokio::task::spawn_blocking(move || {
            reload_certificate(&app);
            app.models.reload(&app.metrics);
        });
        if done.await.is_err() {
            tracing::error!("reloading failed");
        }
    }
}

#[cfg(feature = "tls")]
fn reload_certificate(app: &App) {
    let Some(tls) = &app.config.tls else {
        return;
    };
    match tls.reload() {
        Ok(()) => tracing::info!("the certificate was read again"),
        Err(error) => {
            let error = chain(&error);
            tracing::error!(
                error,
                "the certificate was not read again, the old one stays"
            );
        }
    }
}

#[cfg(not(feature = "tls"))]
fn reload_certificate(_: &App) {}

/// A connection that is counted as long as it is open.
struct OpenConnection {
    app: App,
    _place: OwnedSemaphorePermit,
}

impl OpenConnection {
    fn new(app: App, place: OwnedSemaphorePermit) -> Self {
        app.metrics.connection_opened();
        Self { app, _place: place }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.app.metrics.connection_closed();
    }
}
