//! Tags a folder of text files in parallel with one model: `cargo run --release --example tag_folder [FOLDER]`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;
use std::{env, fs, thread};

use vestnik::{Analysis, Vestnik};

/// An error that threads can hand over.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let folder = env::args().nth(1);
    let paths = text_files(Path::new(folder.as_deref().unwrap_or("examples/articles")))?;
    // One model for all threads; each reads files and waits for the disk on its own.
    let vestnik = Vestnik::embedded()?;
    let n_threads = thread::available_parallelism()?.get();
    let chunks = paths.chunks(paths.len().div_ceil(n_threads).max(1));
    let results = thread::scope(|scope| {
        let threads: Vec<_> = chunks
            .map(|paths| scope.spawn(|| tag(&vestnik, paths)))
            .collect();
        let joined = threads.into_iter().map(ScopedJoinHandle::join);
        joined.collect::<thread::Result<Vec<_>>>()
    });
    for result in results.map_err(|_| "a thread failed")? {
        for (path, analysis) in result? {
            print_line(&path, &analysis);
        }
    }
    Ok(())
}

fn text_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths: Vec<PathBuf> = entries.collect::<std::io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    Ok(paths)
}

type Tagged = Vec<(PathBuf, Analysis)>;

fn tag(vestnik: &Vestnik, paths: &[PathBuf]) -> Result<Tagged, Failure> {
    let mut tagged = Vec::new();
    for path in paths {
        let text = fs::read_to_string(path)?;
        tagged.push((path.clone(), vestnik.analyze(&text)?));
    }
    Ok(tagged)
}

#[expect(clippy::print_stdout, reason = "what the example shows")]
fn print_line(path: &Path, analysis: &Analysis) {
    let (entities, tokens) = (analysis.entities.len(), analysis.tokens);
    println!("{}: {entities} names in {tokens} tokens", path.display());
}
