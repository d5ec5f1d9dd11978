//! Opening step by step, streams of texts, cancellation, and use from asynchronous programs.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use vestnik_infer::{
    Aggregation, Analysis, Builder, Cancellation, DeviceChoice, FewShot, Task, TextFeatures,
    Vestnik, ZeroShot,
};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vestnik-model/tests/fixtures/bert")
}

fn builder() -> Builder {
    Vestnik::builder().dir(fixture()).device(DeviceChoice::Cpu)
}

fn texts(n: usize) -> Vec<String> {
    (0..n)
        .map(|n| format!("Иван Петров {n} приехал в Киев."))
        .collect()
}

#[test]
fn models_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Vestnik>();
    shared::<ZeroShot>();
    shared::<TextFeatures>();
    shared::<FewShot>();
    shared::<Analysis>();
    shared::<Cancellation>();
    shared::<vestnik_infer::Error>();
}

#[test]
fn the_builder_sets_what_options_set() {
    let vestnik = builder()
        .name("mine")
        .aggregation(Aggregation::Simple)
        .tasks([Task::Ner])
        .open()
        .unwrap();
    assert_eq!(vestnik.name(), "mine");
    assert_eq!(vestnik.ner().unwrap().aggregation(), Aggregation::Simple);
    assert!(builder().tasks([Task::Topic]).open().is_err());
    assert!(builder().batch_tokens(0).open().is_err());
    let none = builder().min_score(1.0).open().unwrap();
    assert!(none.analyze("Иван Петров").unwrap().entities.is_empty());
}

#[test]
fn threads_of_its_own_change_no_answer() {
    let texts = texts(5);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let expected = builder().open().unwrap().analyze_batch(&texts).unwrap();
    assert!(
        expected
            .iter()
            .any(|analysis| !analysis.entities.is_empty())
    );
    let own = builder().threads(3).open().unwrap();
    assert_eq!(own.analyze_batch(&texts).unwrap(), expected);
}

#[test]
fn a_stream_says_what_a_batch_says_in_its_order() {
    let vestnik = builder().open().unwrap();
    let texts = texts(600);
    let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
    let expected = vestnik.analyze_batch(&borrowed).unwrap();
    let found: Vec<(String, Analysis)> = vestnik
        .analyze_iter(texts.clone())
        .map(|(text, analysis)| (text, analysis.unwrap()))
        .collect();
    assert_eq!(found, texts.into_iter().zip(expected).collect::<Vec<_>>());
    assert_eq!(vestnik.analyze_iter(Vec::<String>::new()).count(), 0);
}

#[test]
fn a_stream_takes_no_more_than_it_needs() {
    let vestnik = builder().open().unwrap();
    let taken = Cell::new(0);
    let endless = (0..)
        .inspect(|_| taken.set(taken.get() + 1))
        .map(|n: u64| format!("Иван {n}"));
    let mut stream = vestnik.analyze_iter(endless);
    assert_eq!(taken.get(), 0);
    assert_eq!(stream.next().unwrap().0, "Иван 0");
    assert!(taken.get() <= 256);
}

#[test]
fn a_stream_ends_when_it_is_cancelled() {
    let vestnik = builder().open().unwrap();
    let cancellation = Cancellation::new();
    let endless = (0u64..).map(|n| format!("Иван {n}"));
    let mut stream = vestnik
        .analyze_iter(endless)
        .with_cancellation(&cancellation);
    assert!(stream.next().is_some());
    cancellation.cancel();
    assert!(stream.next().is_none());
}

#[cfg(feature = "tokio")]
mod asynchronous {
    use vestnik_infer::AsyncVestnik;

    use super::{builder, texts};

    #[test]
    fn answers_can_be_awaited_by_many_at_once() {
        let vestnik = AsyncVestnik::new(builder().open().unwrap()).unwrap();
        let texts = texts(20);
        let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
        let expected = vestnik.vestnik().analyze_batch(&borrowed).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        runtime.block_on(async {
            let tasks: Vec<_> = texts
                .iter()
                .map(|text| {
                    let (vestnik, text) = (vestnik.clone(), text.clone());
                    tokio::spawn(async move { vestnik.analyze(text).await.unwrap() })
                })
                .collect();
            for (task, expected) in tasks.into_iter().zip(&expected) {
                assert_eq!(task.await.unwrap(), *expected);
            }
            let batch = vestnik.analyze_batch(texts.clone()).await.unwrap();
            assert_eq!(batch, expected);
            assert!(vestnik.analyze_batch(vec![]).await.unwrap().is_empty());
        });
    }

    #[test]
    fn dropped_questions_do_not_stop_the_thread() {
        let vestnik = AsyncVestnik::new(builder().open().unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            for _ in 0..10 {
                drop(vestnik.analyze("Иван"));
            }
            assert!(vestnik.analyze("Иван Петров").await.is_ok());
        });
    }
}
