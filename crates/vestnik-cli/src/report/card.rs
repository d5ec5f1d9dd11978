//! The draft of a model card: what the run knows, and what its maker has to add.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use vestnik_train::{Measures, RunRecord};

use super::groups::{Facet, GroupScore};
use super::{Evaluation, Report};

/// The line that tells a draft from a card that someone has worked on.
pub(super) const DRAFT: &str = "<!-- Draft by vestnik train, made anew by a resumed run. Remove this line when you edit it. -->";

/// The card as Markdown with the front matter that the Hugging Face hub reads
/// (huggingface.co/docs/hub/model-cards).
pub(super) fn draft(record: &RunRecord, report: &Report, languages: &BTreeSet<String>) -> String {
    let mut card = front_matter(languages);
    let name = one_line(&report.model.name);
    let _ = write!(
        card,
        "{DRAFT}\n\n# {name}\n\nNamed entities: {}. Fine-tuned from `{}`: {} weights, {} updates, {} passes over the \
         data, {} tokens, {:.0} s.\n\n",
        one_line(&report.model.labels.join(", ")),
        one_line(record.config["model"]["base"].as_str().unwrap_or("?")),
        record.parameters,
        record.steps,
        record.epochs,
        record.tokens,
        record.seconds
    );
    card.push_str(&scores(report));
    card.push_str(&heads(record));
    card.push_str(
        "## Limits\n\nTo be filled in: which texts the model was made for, where it fails, who could be harmed by its \
         errors.\n\n",
    );
    card.push_str(&data(record));
    let settings = serde_json::to_string_pretty(&record.config).unwrap_or_default();
    let _ = write!(
        card,
        "## How it was made\n\nSeed {}; vestnik {}. Made by `{}`; `run.json` has everything in full. All settings:\n\n\
         ```json\n{settings}\n```\n",
        record.seed, record.crate_version, report.command
    );
    card
}

/// Languages are quoted, since `no` is a truth value in YAML; what is no language code is left out.
fn front_matter(languages: &BTreeSet<String>) -> String {
    let is_code = |lang: &&String| {
        (2..=3).contains(&lang.len()) && lang.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    let codes: Vec<&String> = languages.iter().filter(is_code).collect();
    let mut text = "---\n".to_owned();
    if !codes.is_empty() {
        text.push_str("language:\n");
        codes
            .iter()
            .for_each(|code| text.push_str(&format!("- \"{code}\"\n")));
    }
    text.push_str(
        "license: unknown\nlibrary_name: vestnik\npipeline_tag: token-classification\ntags:\n- vestnik\n\
         - named-entity-recognition\n- news\n---\n",
    );
    text
}

fn scores(report: &Report) -> String {
    let Some(evaluation) = &report.evaluation else {
        return "## Measures\n\nNothing was measured: the run had no dev data.\n\n".to_owned();
    };
    let files: Vec<&str> = report.data.iter().map(|file| file.path.as_str()).collect();
    format!(
        "## Measures\n\nStrict: an entity counts when start, end and label are all equal. {} documents that the best \
         weights were chosen by, so expect somewhat less on others. In brackets: {:.0} % intervals, bootstrap over \
         documents.{}\n\n`vestnik evaluate --model DIR --data {}` gives:\n\n{}\n",
        evaluation.documents,
        evaluation.bootstrap.confidence * 100.0,
        calibration(evaluation),
        one_line(&files.join(" ")),
        table(evaluation)
    )
}

/// What the run measured of the heads for texts and spans.
fn heads(record: &RunRecord) -> String {
    let best = record.best.as_ref().map(|best| &best.measures);
    let Some(Measures::MultiTask(measures)) = best else {
        return String::new();
    };
    let mut text =
        "Heads for texts and spans, on the dev data that the best weights were chosen by:\n\n\
        | task | examples | accuracy | macro F1 | micro F1 |\n| --- | ---: | ---: | ---: | ---: |\n"
            .to_owned();
    for (task, head) in &measures.heads {
        let _ = writeln!(
            text,
            "| {} | {} | {:.3} | {:.3} | {:.3} |",
            one_line(task),
            head.examples,
            head.accuracy,
            head.macro_f1,
            head.micro_f1
        );
    }
    text.push('\n');
    text
}

fn calibration(evaluation: &Evaluation) -> String {
    let calibration = evaluation.calibration.as_ref();
    calibration.map_or(String::new(), |calibration| {
        format!(
            " Scores were calibrated on the same documents (temperature {}; strict F1 without it {:.3}).",
            calibration.temperature,
            calibration.uncalibrated.f1()
        )
    })
}

fn table(evaluation: &Evaluation) -> String {
    let mut text =
        "| | F1 | precision | recall | gold |\n| --- | --- | ---: | ---: | ---: |\n".to_owned();
    let rows = [Facet::Overall, Facet::Label, Facet::Language];
    let rows = rows.into_iter().flat_map(|facet| evaluation.rows(facet));
    for GroupScore {
        name,
        counts,
        interval,
        ..
    } in rows
    {
        let interval = interval.map_or(String::new(), |interval| {
            format!(" [{:.3}, {:.3}]", interval.low, interval.high)
        });
        let _ = writeln!(
            text,
            "| {} | {:.3}{interval} | {:.3} | {:.3} | {} |",
            one_line(name),
            counts.f1(),
            counts.precision(),
            counts.recall(),
            counts.gold()
        );
    }
    text
}

fn data(record: &RunRecord) -> String {
    let mut text = "## Data\n\n| file | documents | SHA-256 |\n| --- | ---: | --- |\n".to_owned();
    for file in &record.data {
        let path = one_line(&file.path.display().to_string());
        let _ = writeln!(text, "| {path} | {} | `{}` |", file.records, file.sha256);
    }
    text.push_str("\nTo be filled in: where the data come from, and their licences.\n\n");
    text
}

/// A name within a line or a table of Markdown.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_codes_and_quoted() {
        let languages = ["no", "bg", "x\ny", "English"].map(str::to_owned);
        let text = front_matter(&languages.into_iter().collect());
        assert!(
            text.starts_with("---\nlanguage:\n- \"bg\"\n- \"no\"\nlicense: unknown\n"),
            "{text}"
        );
        assert!(!front_matter(&BTreeSet::new()).contains("language:"));
    }

    #[test]
    fn names_stay_within_their_cells() {
        assert_eq!(one_line("a|b\n<c>"), "a\\|b &lt;c>");
    }
}
