//! Run files: defaults, unknown keys, ranges, overrides.

use super::*;
use crate::schedule::Decay;

const RUN: &str = r#"
    [model]
    base = "encoder"
    labels = ["PER", "LOC"]
    [[train]]
    path = "a.jsonl"
    weight = 0.5
    lang = ["bg", "uk"]
"#;

const PRETRAIN: &str = r#"
    steps = 100
    [model]
    base = "encoder"
    [[text]]
    path = "a.jsonl"
    weight = 2.0
    [languages]
    bg = 3.0
"#;

/// The chain of causes in one line, as a program would print it.
fn message(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

#[track_caller]
fn assert_refused(text: &str, part: &str) {
    let error = RunConfig::parse(text, &[]).unwrap_err();
    assert!(message(&error).contains(part), "{}", message(&error));
}

#[test]
fn defaults_are_the_documented_ones() {
    let config = RunConfig::parse(RUN, &[]).unwrap();
    assert_eq!(
        (config.seed, config.epochs, config.max_steps),
        (42, 3, None)
    );
    assert_eq!(config.batch.max_tokens, 2048);
    assert_eq!(config.schedule.decay, Decay::Linear);
    assert_eq!(config.train[0].lang, ["bg", "uk"]);
    assert_eq!(config.model.scheme, SchemeName::Bio);
    let config = PretrainConfig::parse(PRETRAIN, &[]).unwrap();
    assert_eq!((config.piece_tokens, config.masking.rate), (126, 0.2));
}

#[test]
fn written_out_config_reads_back() {
    let config = RunConfig::parse(RUN, &[]).unwrap();
    assert_eq!(
        RunConfig::parse(&toml::to_string(&config).unwrap(), &[]).unwrap(),
        config
    );
    let config = PretrainConfig::parse(PRETRAIN, &[]).unwrap();
    assert_eq!(
        PretrainConfig::parse(&toml::to_string(&config).unwrap(), &[]).unwrap(),
        config
    );
}

#[test]
fn unknown_keys_are_named() {
    assert_refused(&format!("epoch = 3\n{RUN}"), "epoch");
    assert_refused(
        &format!("{RUN}\n[optimizer]\nlearning_rat = 1e-3"),
        "learning_rat",
    );
    assert_refused(&format!("{RUN}\nwieght = 1"), "wieght");
    assert_refused(&format!("{RUN}\n[model.extra]\na = 1"), "extra");
    let error = PretrainConfig::parse(&format!("step = 3\n{PRETRAIN}"), &[]).unwrap_err();
    assert!(message(&error).contains("step"), "{}", message(&error));
}

#[test]
fn missing_and_wrong_values_are_named() {
    assert_refused("[model]\nbase = \"x\"", "train");
    assert_refused(&format!("epochs = 0\n{RUN}"), "epochs");
    assert_refused(&format!("epochs = \"three\"\n{RUN}"), "expected u64");
    assert_refused(&RUN.replace("0.5", "-1.0"), "train.weight");
    assert_refused(&RUN.replace("0.5", "nan"), "train.weight");
    assert_refused(
        &format!("{RUN}\n[windows]\nmax_tokens = 10\ncontext = 5"),
        "`windows.max_tokens` is 10, expected at least 11: room for windows.context",
    );
    assert_refused(&format!("{RUN}\n[schedule]\ndecay = \"step\""), "linear");
    assert_refused("epochs = ", "run file");
}

#[test]
fn overrides_are_laid_over_the_file() {
    let overrides = [
        "optimizer.learning_rate=1e-5",
        "epochs = 7",
        "model.base=other/folder",
    ];
    let config = RunConfig::parse(RUN, &overrides.map(str::to_owned)).unwrap();
    assert_eq!((config.optimizer.learning_rate, config.epochs), (1e-5, 7));
    assert_eq!(config.model.base.to_str(), Some("other/folder"));
    for bad in ["epochs", "=3", "model.base.x=1", "optimizer.=1"] {
        let error = RunConfig::parse(RUN, &[bad.to_owned()]).unwrap_err();
        assert!(matches!(error, Error::Override { .. }), "{bad}: {error}");
    }
    let together = ["distillation.weight=0.5", "distillation.teacher=large"];
    assert!(RunConfig::parse(RUN, &together.map(str::to_owned)).is_ok());
    for bad in ["optimizer.lr=1", "epochs=-1", "train.weight=heavy"] {
        let overrides = ["seed=3".to_owned(), bad.to_owned(), "seed=4".to_owned()];
        let error = RunConfig::parse(RUN, &overrides).unwrap_err();
        assert!(
            matches!(&error, Error::OverrideValue { text, .. } if text == bad),
            "{error}"
        );
    }
}

#[test]
fn tags_are_no_types() {
    for tags in ["['PER', 'O']", "['B-PER', 'I-PER']"] {
        let error = RunConfig::parse(RUN, &[format!("model.labels={tags}")]).unwrap_err();
        assert!(matches!(
            error,
            Error::Setting {
                key: "model.labels",
                ..
            }
        ));
    }
    assert!(RunConfig::parse(RUN, &["model.labels=['B-cell', 'T-cell']".to_owned()]).is_ok());
}

#[test]
fn weights_of_file_and_language_are_multiplied() {
    let config = PretrainConfig::parse(PRETRAIN, &[]).unwrap();
    assert_eq!(config.weight(&config.text[0], Some("bg")), 6.0);
    assert_eq!(config.weight(&config.text[0], Some("ru")), 2.0);
    assert_eq!(config.weight(&config.text[0], None), 2.0);
}

#[test]
fn warm_up_is_a_share_of_the_steps() {
    let schedule = ScheduleConfig::default().schedule(0.5, 200);
    assert_eq!((schedule.warmup_steps, schedule.total_steps), (20, 200));
    assert_eq!(schedule.peak, 0.5);
}

#[test]
fn overrides_reach_into_lists_of_corpora() {
    let run = format!("{RUN}\n[[train]]\npath = \"more.jsonl\"\n");
    let parse = |overrides: &[&str]| {
        let overrides: Vec<String> = overrides.iter().map(|&entry| entry.to_owned()).collect();
        RunConfig::parse(&run, &overrides)
    };
    let all = parse(&["train.limit=7"]).unwrap();
    assert!(all.train.iter().all(|dataset| dataset.limit == Some(7)));
    let one = parse(&["train.1.limit=7"]).unwrap();
    let last = one.train.len() - 1;
    assert_eq!(
        (one.train[0].limit, one.train[last].limit),
        (None, Some(7).filter(|_| last == 1))
    );
    for wrong in ["train.9.limit=7", "model.base.x=1", "train.=1", "=1"] {
        assert!(
            matches!(parse(&[wrong]), Err(crate::Error::Override { .. })),
            "{wrong}"
        );
    }
    assert!(matches!(
        parse(&["train.limit=0"]),
        Err(crate::Error::Setting { .. })
    ));
}
