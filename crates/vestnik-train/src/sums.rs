//! Hashes of the files of a folder, in the format of `sha256sum`, so that damage is noticed before the files are used.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::files;

/// The file with a line `hash  name` for every other file; `sha256sum -c SHA256SUMS` checks it too.
const SUMS: &str = "SHA256SUMS";

const BLOCK_BYTES: usize = 1 << 16;

/// Writes the hashes of all files of a folder beside them.
pub(crate) fn write(folder: &Path) -> Result<()> {
    let mut lines = String::new();
    for name in names(folder)? {
        let path = folder.join(&name);
        let hash = sha256(&path).map_err(Error::io("read", &path))?;
        lines.push_str(&format!("{hash}  {name}\n"));
    }
    files::write_bytes(&folder.join(SUMS), lines.as_bytes())
}

/// What is wrong with the files of a folder, if anything is.
pub(crate) fn problem(folder: &Path) -> Option<String> {
    let sums = match fs::read_to_string(folder.join(SUMS)) {
        Ok(sums) => sums,
        Err(error) => return Some(format!("{SUMS} cannot be read ({error})")),
    };
    if sums.is_empty() {
        return Some(format!("{SUMS} is empty"));
    }
    sums.lines().find_map(|line| problem_of_line(folder, line))
}

/// One hash for some files of a folder, as their sums are written.
pub(crate) fn digest(folder: &Path, names: &[&str]) -> Result<String> {
    let path = folder.join(SUMS);
    let sums = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let mut hash = Sha256::new();
    for line in sums.lines() {
        if line
            .split_once("  ")
            .is_some_and(|(_, name)| names.contains(&name))
        {
            hash.update(line);
        }
    }
    Ok(format!("{:x}", hash.finalize()))
}

fn problem_of_line(folder: &Path, line: &str) -> Option<String> {
    let Some((expected, name)) = line.split_once("  ") else {
        return Some(format!("{SUMS} has the line {line:?}"));
    };
    match sha256(&folder.join(name)) {
        Err(error) => Some(format!("{name} cannot be read ({error})")),
        Ok(found) if found != expected => Some(format!(
            "{name} is not as it was written (its SHA-256 differs)"
        )),
        Ok(_) => None,
    }
}

/// Names of the files in order.
fn names(folder: &Path) -> Result<Vec<String>> {
    let failed = || Error::io("read", folder);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let is_file = entry.file_type().map_err(failed())?.is_file();
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_file && name != SUMS {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut reader = BufReader::with_capacity(BLOCK_BYTES, File::open(path)?);
    let (mut hash, mut block) = (Sha256::new(), vec![0; BLOCK_BYTES]);
    loop {
        match reader.read(&mut block)? {
            0 => return Ok(format!("{:x}", hash.finalize())),
            n_bytes => hash.update(&block[..n_bytes]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "abc").unwrap();
        fs::write(folder.path().join("b"), "").unwrap();
        write(folder.path()).unwrap();
        folder
    }

    #[test]
    fn sums_are_those_of_sha256sum() {
        let folder = folder();
        let sums = fs::read_to_string(folder.path().join(SUMS)).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(sums.starts_with(&format!("{abc}  a\n")), "{sums}");
        assert_eq!((sums.lines().count(), problem(folder.path())), (2, None));
    }

    #[test]
    fn every_damage_is_noticed() {
        type Damage = fn(&Path);
        let cases: [(Damage, &str); 5] = [
            (
                |f| fs::write(f.join("a"), "abd").unwrap(),
                "a is not as it was",
            ),
            (
                |f| fs::write(f.join("a"), "ab").unwrap(),
                "a is not as it was",
            ),
            (
                |f| fs::remove_file(f.join("b")).unwrap(),
                "b cannot be read",
            ),
            (
                |f| fs::remove_file(f.join(SUMS)).unwrap(),
                "SHA256SUMS cannot be read",
            ),
            (
                |f| fs::write(f.join(SUMS), "").unwrap(),
                "SHA256SUMS is empty",
            ),
        ];
        for (damage, expected) in cases {
            let folder = folder();
            damage(folder.path());
            let problem = problem(folder.path()).unwrap();
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
