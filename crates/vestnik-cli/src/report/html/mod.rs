//! `report.html`: one page that needs nothing else, with no script, readable without its styles.

mod confusion;
mod curves;
mod markup;
mod reliability;
mod spans;

use std::fmt::Write as _;

use vestnik_core::metrics::Interval;

use super::groups::{Facet, GroupScore};
use super::worst::WorstDocument;
use super::{DataFacts, Evaluation, Report};
pub(crate) use markup::escape;
use markup::table;

const STYLE: &str = include_str!("report.css");

/// The page of a report.
pub(super) fn page(report: &Report) -> String {
    let name = escape(&report.model.name);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}: report</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{name}</h1>\n"
    );
    page.push_str(&facts(report));
    if let Some(evaluation) = &report.evaluation {
        page.push_str(&scores(evaluation));
    }
    if let Some(curves) = &report.curves {
        page.push_str(&curves::section(curves));
    }
    if let Some(evaluation) = &report.evaluation {
        page.push_str(&confusion::section(&evaluation.confusion));
        page.push_str(&reliability::section(evaluation));
        page.push_str(&worst(&evaluation.worst));
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn facts(report: &Report) -> String {
    let mut text = format!(
        "<p>Labels: {}.</p>\n<p>Made by <code>{}</code>, vestnik {}.</p>\n",
        escape(&report.model.labels.join(", ")),
        escape(&report.command),
        report.vestnik
    );
    let row = |file: &DataFacts| {
        vec![
            escape(&file.path),
            file.documents.to_string(),
            format!("<code>{}</code>", escape(&file.sha256)),
        ]
    };
    let rows: Vec<Vec<String>> = report.data.iter().map(row).collect();
    text.push_str(&table("Data", &["file", "documents", "SHA-256"], &rows));
    text
}

fn scores(evaluation: &Evaluation) -> String {
    let bootstrap = &evaluation.bootstrap;
    let mut text = format!(
        "<h2>Scores</h2>\n<p>{} documents, {} words. An entity counts as found when start, end and label are equal \
         (strict); labels that a document does not annotate are left out. Macro F1 over labels {}; seqeval F1 over words \
         {:.4}.</p>\n<p>In brackets: {:.0} % intervals, percentile bootstrap of {} resamples of the documents, seed {}. A \
         row that occurs in one document only has none.</p>\n",
        evaluation.documents,
        evaluation.words,
        with_interval(evaluation.macro_f1, evaluation.macro_interval),
        evaluation.seqeval_f1,
        bootstrap.confidence * 100.0,
        bootstrap.resamples,
        bootstrap.seed
    );
    if evaluation.rows(Facet::Label).is_empty() {
        text.push_str("<p><strong>Neither gold entities nor predictions: nothing could be measured.</strong></p>\n");
    }
    for (facet, title) in [
        (Facet::Overall, "All"),
        (Facet::Label, "By label"),
        (Facet::Language, "By language"),
        (Facet::LanguageLabel, "By language and label"),
        (Facet::Source, "By source"),
        (
            Facet::DocumentLength,
            "By length of the document (quarters of the documents)",
        ),
        (Facet::EntityLength, "By length of the entity"),
        (
            Facet::Seen,
            "By whether the name occurs in the training data",
        ),
        (
            Facet::SeenIgnoringCase,
            "By whether the name occurs in the training data, in capital or small letters",
        ),
    ] {
        text.push_str(&group_table(title, evaluation.rows(facet)));
    }
    text
}

fn group_table(title: &str, rows: &[GroupScore]) -> String {
    let cells = |row: &GroupScore| {
        vec![
            escape(&row.name),
            with_interval(row.counts.f1(), row.interval),
            format!("{:.4}", row.counts.precision()),
            format!("{:.4}", row.counts.recall()),
            row.gold.to_string(),
            row.predicted.to_string(),
            row.documents.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let head = [
        "",
        "F1",
        "precision",
        "recall",
        "gold",
        "predicted",
        "documents",
    ];
    table(title, &head, &rows)
}

fn with_interval(value: f64, interval: Option<Interval>) -> String {
    match interval {
        Some(Interval { low, high }) => format!("{value:.4} [{low:.4}, {high:.4}]"),
        None => format!("{value:.4}"),
    }
}

fn worst(documents: &[WorstDocument]) -> String {
    if documents.is_empty() {
        return String::new();
    }
    let mut text = "<h2>Worst documents</h2>\n<p>In order of their errors beyond what the share of \
                    errors in all documents would give them. Cut to the places of the errors. Each place is shown \
                    twice: with the annotation, and with what the model found and its scores. ✗ marks what the other side does not \
                    have.</p>\n"
        .to_owned();
    for document in documents {
        let lang = document.lang.as_deref().unwrap_or("language unknown");
        let _ = write!(
            text,
            "<section>\n<h3>{} <small>{}, {}: {} found, {} missed, {} wrong</small></h3>\n",
            escape(&document.id),
            escape(lang),
            escape(&document.source),
            document.hits,
            document.missed,
            document.wrong
        );
        for excerpt in &document.excerpts {
            text.push_str(&spans::excerpt(excerpt));
        }
        if document.errors_not_shown > 0 {
            let _ = writeln!(
                text,
                "<p>… and {} more errors.</p>",
                document.errors_not_shown
            );
        }
        text.push_str("</section>\n");
    }
    text
}
