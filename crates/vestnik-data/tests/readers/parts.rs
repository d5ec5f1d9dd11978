//! Output in parts: whatever happens, the joined parts are the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use vestnik_data::{Batch, Error, Identity, Packing, Parts, RecordPosition};

use crate::folder::Folder;

const PART_BYTES: u64 = 200;

fn identity(model: &str) -> Identity {
    let values = [("model", model.into()), ("--limit", 3.into())];
    Identity(BTreeMap::from(
        values.map(|(name, value)| (name.to_owned(), value)),
    ))
}

fn batch(number: u64) -> Batch {
    let lines = (0..=number % 3)
        .map(|line| format!("{{\"id\":\"{number}.{line}\",\"text\":\"вестник\"}}\n"));
    Batch {
        lines: lines.collect(),
        errors: if number.is_multiple_of(4) {
            format!("{{\"line\":{number}}}\n")
        } else {
            String::new()
        },
        position: RecordPosition {
            records: number + 1,
            ..RecordPosition::default()
        },
        counts: BTreeMap::from([("articles".to_owned(), number + 1)]),
    }
}

/// Opens the folder, anew or again; gives the number of the next batch.
fn open(folder: &Path, packing: Packing) -> (Parts, u64) {
    let parts = match Parts::look(folder).unwrap() {
        None => Parts::create(folder, identity("a"), packing),
        Some(_) => Parts::resume(folder, &identity("a"), packing),
    };
    let parts = parts.unwrap().with_part_bytes(PART_BYTES);
    let next = parts.manifest().n_records();
    (parts, next)
}

fn output(folder: &Folder, name: &str, kills: &[(u64, bool)]) -> (Vec<u8>, Vec<u8>) {
    let path = folder.path(name);
    let (parts_folder, packing) = (Parts::folder_of(&path), Packing::of_output(&path));
    for &(n_batches, garbage) in kills {
        let (mut parts, next) = open(&parts_folder, packing);
        for number in next..(next + n_batches).min(20) {
            parts.append(&batch(number)).unwrap();
            if number % 3 == 0 {
                parts.commit().unwrap();
            }
        }
        drop(parts);
        if garbage {
            leave_garbage(&parts_folder);
        }
    }
    let (mut parts, next) = open(&parts_folder, packing);
    (next..20).for_each(|number| parts.append(&batch(number)).unwrap());
    parts.finish().unwrap();
    let mut errors = Vec::new();
    parts.join_errors(&mut errors).unwrap();
    parts.write_output(&path).unwrap();
    let lines = parts.lines().collect::<Result<Vec<String>, _>>().unwrap();
    assert_eq!(
        lines.len(),
        (0..20).map(|number| number as usize % 3 + 1).sum::<usize>()
    );
    parts.remove().unwrap();
    (fs::read(path).unwrap(), errors)
}

/// What a kill in the middle of a write leaves behind the last commit.
fn leave_garbage(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".jsonl")
            && fs::read_to_string(folder.join("manifest.json"))
                .is_ok_and(|manifest| !manifest.contains(&name))
        {
            let content = fs::read(&path).unwrap();
            fs::write(&path, [&content[..], b"{\"id\":\"half of a li"].concat()).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn kills_leave_no_trace(kills in proptest::collection::vec((0_u64..8, any::<bool>()), 0..6), extension in "|\\.gz|\\.zst|\\.bz2|\\.xz") {
        let folder = Folder::new();
        let whole = output(&folder, &format!("whole.jsonl{extension}"), &[]);
        let killed = output(&folder, &format!("killed.jsonl{extension}"), &kills);
        prop_assert_eq!(whole, killed);
    }
}

#[test]
fn compressed_parts_are_one_file() {
    let folder = Folder::new();
    let (plain, _) = output(&folder, "a.jsonl", &[]);
    let (packed, _) = output(&folder, "a.jsonl.gz", &[]);
    assert_eq!(&packed[..2], b"\x1f\x8b");
    let unpacked = std::io::read_to_string(flate2::read::MultiGzDecoder::new(&packed[..])).unwrap();
    assert_eq!(unpacked.as_bytes(), plain);
}

#[test]
fn another_run_is_refused_with_what_is_not_the_same() {
    let folder = Folder::new();
    let path = folder.path("out.parts");
    drop(Parts::create(&path, identity("a"), Packing::compact()).unwrap());
    let mut other = identity("b");
    other.0.remove("--limit");
    let error = Parts::resume(&path, &other, Packing::compact())
        .map(drop)
        .unwrap_err();
    assert!(matches!(&error, Error::ChangedRun { differences, .. } if differences.len() == 2));
    let message = error.to_string();
    assert!(
        message.ends_with(
            "not the same run: --limit was 3, now not given; model was \"a\", now \"b\""
        ),
        "{message}"
    );
}

#[test]
fn two_processes_do_not_write_into_one_folder() {
    let folder = Folder::new();
    let path = folder.path("out.parts");
    let parts = Parts::create(&path, identity("a"), Packing::compact()).unwrap();
    let error = Parts::resume(&path, &identity("a"), Packing::compact())
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, Error::PartsInUse { .. }));
    let error = Parts::create(&path, identity("a"), Packing::compact())
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, Error::PartsInUse { .. }));
    drop(parts);
    Parts::resume(&path, &identity("a"), Packing::compact()).unwrap();
}

#[test]
fn damage_is_named() {
    let folder = Folder::new();
    let path = folder.path("out.jsonl.parts");
    let packing = Packing::of_output(Path::new("out.jsonl"));
    let (mut parts, _) = open(&path, packing);
    (0..20).for_each(|number| parts.append(&batch(number)).unwrap());
    parts.finish().unwrap();
    let part = path.join("part-000000.jsonl");
    let content = fs::read(&part).unwrap();
    fs::write(&part, [&content[..content.len() - 1], b"x"].concat()).unwrap();
    let error = parts.join(&mut Vec::new()).unwrap_err();
    assert!(
        error.to_string().contains("part-000000.jsonl: it has"),
        "{error}"
    );
    drop(parts);
    let manifest = fs::read_to_string(path.join("manifest.json")).unwrap();
    fs::write(
        path.join("manifest.json"),
        manifest.replace("\"format_version\": 1", "\"format_version\": 2"),
    )
    .unwrap();
    let error = Parts::resume(&path, &identity("a"), packing)
        .map(drop)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("format_version is 2, this version reads 1"),
        "{error}"
    );
    fs::remove_file(path.join("manifest.json")).unwrap();
    assert!(matches!(Parts::look(&path), Ok(None)));
    fs::write(path.join("thesis.tex"), "").unwrap();
    assert!(matches!(
        Parts::look(&path),
        Err(Error::DamagedParts { .. })
    ));
    let error = Parts::create(&path, identity("a"), packing)
        .map(drop)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("it holds thesis.tex, so it is no folder of parts"),
        "{error}"
    );
}
