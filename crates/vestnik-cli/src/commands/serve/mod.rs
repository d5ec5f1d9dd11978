//! `vestnik serve`: models behind HTTP.

mod args;
mod log;
mod signals;
#[cfg(feature = "tls")]
mod tls;

use anyhow::{Context, Result};
use vestnik_serve::{ModelSource, Server};

use crate::Outcome;
use crate::model::{EntityArgs, ModelArgs, TaskOptions};
use crate::output::note;
pub(crate) use args::Args;

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let config = args.config()?;
    args.log.start();
    let models = args.models();
    let sources = models.map(|model| source(model, &args.entities, args.tasks()));
    let server = Server::open(config, sources.collect())?;
    for (model, device) in server.models() {
        note(&format!("model: {model} on {device}"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the threads of the server")?;
    runtime.block_on(serve(server, args.scheme()))?;
    Ok(Outcome::Done)
}

/// Opens a model as `vestnik tag` does, now and at each reload.
fn source(model: ModelArgs, entities: &EntityArgs, tasks: TaskOptions) -> ModelSource {
    let entities = entities.clone();
    let name = model.name();
    ModelSource::new(name, move || {
        let engine = model.open_engine(&entities, &tasks);
        // What a message says to do is kept.
        engine.map_err(anyhow::Error::reallocate_into_boxed_dyn_error_without_backtrace)
    })
}

/// Answers until a signal ends it. A second one ends it at once, as it does any program.
async fn serve(server: Server, scheme: &str) -> Result<()> {
    let stop = signals::stop()?;
    let reload = signals::reload()?;
    let listening = server.listen().await?;
    note(&format!("listening on {scheme}://{}", listening.address()));
    listening.run(stop, reload).await;
    note("stopped");
    Ok(())
}
