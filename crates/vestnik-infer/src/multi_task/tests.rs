//! Tests of what no caller sees: how much is held.

use std::path::Path;

use tempfile::TempDir;
use vestnik_model::Device;

use super::*;
use crate::DeviceChoice;
use crate::metadata::window_options;

#[path = "../../tests/support/heads.rs"]
mod heads;

fn open(held_tokens: usize) -> MultiTask {
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../vestnik-model/tests/fixtures/bert");
    let folder = TempDir::new().unwrap();
    heads::write_model(&fixture, folder.path(), 24);
    let dir = ModelDir::open(folder.path()).unwrap();
    let metadata = Metadata::parse(dir.settings().unwrap()).unwrap();
    let window = window_options(Some(&metadata), dir.max_tokens()).unwrap();
    let options = Options::default().with_device(DeviceChoice::Cpu);
    let model = MultiTask::open(&dir, Some(&metadata), window, Device::Cpu, &options).unwrap();
    MultiTask {
        held_tokens,
        ..model
    }
}

#[test]
fn windows_that_are_read_twice_say_the_same() {
    let long = "Киев ждёт, Rada met in the U.S.; Мария сказал. ".repeat(20);
    let texts = ["Мария в London.", long.as_str(), "", "Москва и Киев"];
    let words: Vec<Vec<Span>> = texts.iter().map(|text| vestnik_text::words(text)).collect();
    let requests: Vec<Request<'_>> = texts
        .iter()
        .zip(&words)
        .map(|(text, words)| Request::new(text, words))
        .collect();
    let expected = open(HELD_TOKENS).analyze(&requests).unwrap();
    assert!(
        expected[1]
            .targets
            .iter()
            .any(|target| target.stance.is_some())
    );
    for held_tokens in [0, 1, 30, 400] {
        assert_eq!(open(held_tokens).analyze(&requests).unwrap(), expected);
    }
}

#[test]
fn threads_that_share_texts_say_the_same() {
    let texts: Vec<String> = (0..90)
        .map(|i| "Мария Лугова в London. ".repeat(i * i % 41))
        .collect();
    let requests: Vec<Request<'_>> = texts.iter().map(|text| Request::new(text, &[])).collect();
    assert!(shares(&requests).len() > 4, "{:?}", shares(&requests));
    let model = open(HELD_TOKENS);
    let expected = model.analyze_share(&requests).unwrap();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let found = pool.build().unwrap().install(|| model.analyze(&requests));
        assert_eq!(found.unwrap(), expected, "{threads} threads");
    }
}

#[test]
fn groups_hold_what_they_may() {
    let lengths = || [2, 0, 1, 4, 1].into_iter();
    assert_eq!(groups(lengths(), 3), [0..3, 3..4, 4..5]);
    assert_eq!(groups(lengths(), 99), vec![0..5]);
    assert_eq!(groups(lengths(), 0), [0..1, 1..2, 2..3, 3..4, 4..5]);
    assert_eq!(groups([].into_iter(), 3), vec![0..0]);
}
