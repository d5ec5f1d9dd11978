//! Tests of what no caller sees: which articles are set aside for their time.

use super::*;
use crate::articles::OnError;
use crate::output::Output;
use crate::progress::ProgressMode;
use std::path::Path;
use vestnik_data::{ArticleOptions, ArticleReader};

/// Gives up on articles that say `slow`, and breaks on those that say `bad`; counts how often it was asked.
struct Moody(u64);

impl Work for Moody {
    fn identity(&self) -> Result<BTreeMap<String, Value>> {
        Ok(BTreeMap::new())
    }

    fn fields(&self) -> Vec<&'static str> {
        vec!["vestnik"]
    }

    fn begin(&self, _: &Article, _: &Progress) {}

    fn lines(&mut self, articles: &[Article]) -> Result<Vec<String>> {
        self.0 += 1;
        let limit = Duration::from_secs(9);
        match articles.iter().position(|article| article.text == "slow") {
            Some(text) => Err(vestnik_infer::Error::TimeLimit { text, limit }.into()),
            None if articles.iter().any(|article| article.text == "bad") => {
                Err(Mistake::new("bad").into())
            }
            None => Ok(articles
                .iter()
                .map(|article| article.text.clone())
                .collect()),
        }
    }

    fn tokens(&self) -> u64 {
        self.0
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

fn articles(texts: &[&str]) -> Vec<Article> {
    let dump: String = texts
        .iter()
        .map(|text| json!({"text": text}).to_string() + "\n")
        .collect();
    let options = ArticleOptions::default();
    let reader = ArticleReader::from_reader(std::io::Cursor::new(dump), options).unwrap();
    reader.map(Result::unwrap).collect()
}

fn job(earlier: &[(&str, u64)]) -> Job<Moody> {
    let sink = Sink::Stream {
        out: Output::open(Some(Path::new("/dev/null")), false).unwrap(),
        errors: None,
    };
    let earlier = earlier.iter().map(|(name, n)| ((*name).to_owned(), *n));
    Job::new(
        Moody(0),
        Writer::start(sink),
        Aside::new(true, OnError::Skip, &BTreeMap::new()),
        Progress::new(ProgressMode::None, None),
        earlier.collect(),
    )
}

/// The lines, and of those set aside line and problem.
fn done(job: &mut Job<Moody>, texts: &[&str]) -> (Vec<String>, Vec<(u64, String)>) {
    let (lines, failed) = job.lines(&articles(texts)).unwrap();
    let told = |rejected: Rejected| {
        (
            rejected.line.unwrap_or_default(),
            rejected.problems[0].to_string(),
        )
    };
    (lines, failed.into_iter().map(told).collect())
}

#[test]
fn one_that_takes_too_long_costs_the_others_nothing() {
    let mut job = job(&[]);
    let (lines, failed) = done(&mut job, &["a", "b", "slow", "c", "slow"]);
    assert_eq!(lines, ["a", "b", "c"]);
    let problem = "takes longer than the 9 s that are allowed for an article";
    assert_eq!(failed, [(3, problem.to_owned()), (5, problem.to_owned())]);
    // All; those before and behind the first slow one; those before the second one.
    assert_eq!(job.work.tokens(), 4);
}

#[test]
fn when_all_take_too_long_all_are_set_aside() {
    let (lines, failed) = done(&mut job(&[]), &["slow", "slow"]);
    assert_eq!((lines.len(), failed.len()), (0, 2));
}

#[test]
fn a_bad_one_among_slow_ones_has_its_own_reason() {
    let (lines, failed) = done(&mut job(&[]), &["a", "bad", "b", "slow", "c"]);
    assert_eq!(lines, ["a", "b", "c"]);
    assert_eq!(failed[0], (2, "cannot be tagged: bad".to_owned()));
}

#[test]
fn what_never_worked_is_no_matter_of_the_article() {
    assert!(job(&[]).lines(&articles(&["bad"])).is_err());
    assert!(
        job(&[("articles", 7)])
            .lines(&articles(&["bad", "bad"]))
            .is_err()
    );
    // An earlier process has shown that the work can be done: it would have set this one aside.
    let (_, failed) = done(&mut job(&[("articles", 7)]), &["bad"]);
    assert_eq!(failed.len(), 1);
}
