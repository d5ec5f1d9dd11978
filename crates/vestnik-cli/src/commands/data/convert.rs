//! `vestnik data convert`: from one format of annotated data to another.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;
use vestnik_core::ColumnScheme;
use vestnik_data::{Corpus, Format, Loss, write_corpus, write_folder};

use super::reading::{ReadArgs, tell_issues, tell_losses, write_options};
use crate::Outcome;
use crate::failure::Mistake;
use crate::output::{Output, note, refuse_existing, refuse_inputs};

/// Arguments of `vestnik data convert`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Annotated files or folders, also .gz or .zst
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// File to write, a folder for brat, webanno and cas [default: standard output]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Format of the files: vestnik, conll, conllu, brat, doccano, label-studio, webanno, hf, parquet, cas [default: found]
    #[arg(long, value_name = "FORMAT")]
    from: Option<Format>,
    /// Format to write [default: by the name of the output, else vestnik]
    #[arg(long, value_name = "FORMAT")]
    to: Option<Format>,
    #[command(flatten)]
    reading: ReadArgs,
    /// Scheme of tags: iob1, iob2, bioes or bilou
    #[arg(long, value_name = "SCHEME", default_value = "iob2")]
    scheme: ColumnScheme,
    /// Write nothing when something cannot be kept; exit code 1 then
    #[arg(long)]
    strict: bool,
    /// Overwrite the output
    #[arg(long)]
    force: bool,
    /// List what cannot be kept as JSON lines on standard error
    #[arg(long)]
    json: bool,
}

/// Converts the sound records.
pub(super) fn run(args: &Args) -> Result<Outcome> {
    let to = args.format()?;
    refuse_inputs(args.output.as_deref(), &args.files)?;
    if let Some(path) = args.output.as_ref().filter(|_| !to.is_folder()) {
        refuse_existing(path, args.force)?;
    }
    let mut corpus = args.reading.read_all(&args.files, args.from)?;
    tell_issues(&corpus.issues);
    let mut losses = std::mem::take(&mut corpus.losses);
    if args.strict {
        losses.extend(args.rehearse(&corpus, to)?);
        if !losses.is_empty() {
            args.tell(&losses);
            note("nothing was written, because of --strict");
            return Ok(Outcome::Findings);
        }
    }
    losses.extend(args.write(&corpus, to)?);
    args.tell(&losses);
    let n_entities = corpus.n_entities();
    let n_documents = corpus.documents.len();
    note(&format!(
        "{n_documents} documents with {n_entities} entities as {to}"
    ));
    Ok(match corpus.issues.len() {
        0 => Outcome::Done,
        _ => Outcome::Findings,
    })
}

impl Args {
    fn format(&self) -> Result<Format> {
        let of_name = self.output.as_deref().map(Format::of_output);
        let format = match (self.to, of_name) {
            (Some(format), _) => format,
            (None, None) => Format::Vestnik,
            (None, Some(Some(format))) => format,
            (None, Some(None)) => {
                let shown = self.output.as_deref().unwrap_or("-".as_ref()).display();
                return Err(Mistake::new(format!("{shown}: the name says no format"))
                    .hint("--to names it: vestnik, conll, conllu, brat, doccano, label-studio, webanno, hf, parquet or cas")
                    .into());
            }
        };
        if format.is_folder() && self.output.is_none() {
            return Err(Mistake::new(format!("{format} is a folder of files"))
                .hint("name the folder with -o")
                .into());
        }
        Ok(format)
    }

    /// What would be lost.
    fn rehearse(&self, corpus: &Corpus, to: Format) -> Result<Vec<Loss>> {
        let options = write_options(self.scheme);
        if !to.is_folder() {
            return Ok(write_corpus(corpus, to, &options, &mut std::io::sink())?);
        }
        let folder = tempfile::tempdir()?;
        Ok(write_folder(corpus, to, &options, folder.path(), false)?)
    }

    fn write(&self, corpus: &Corpus, to: Format) -> Result<Vec<Loss>> {
        let options = write_options(self.scheme);
        match self.output.as_deref() {
            Some(folder) if to.is_folder() => {
                Ok(write_folder(corpus, to, &options, folder, self.force)?)
            }
            path => {
                let mut out = Output::open(path, self.force)?;
                let losses = write_corpus(corpus, to, &options, &mut out)?;
                out.commit()?;
                Ok(losses)
            }
        }
    }

    fn tell(&self, losses: &[Loss]) {
        if !self.json {
            return tell_losses(losses);
        }
        for loss in losses {
            note(&json_line(loss));
        }
    }
}

fn json_line(loss: &Loss) -> String {
    let position = loss.position.as_ref();
    let entity = loss.entity.as_ref();
    json!({
        "lost": loss.kind.name(),
        "reason": loss.kind.to_string(),
        "path": position.map(|position| &position.path),
        "line": position.map(|position| position.line),
        "document": loss.document,
        "start": entity.map(|entity| entity.start),
        "end": entity.map(|entity| entity.end),
        "text": entity.map(|entity| &entity.text),
        "label": entity.map(|entity| &entity.label),
    })
    .to_string()
}
