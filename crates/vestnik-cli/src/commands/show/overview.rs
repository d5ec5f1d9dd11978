//! What a run has found, counted: in memory that grows with the names, not with the articles.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::article::{Mention, Shown};
use super::page::{Colours, head};
use super::plots::{Bar, bars, columns, stances};
use super::times::Day;

/// Names that are listed for each type.
const LISTED: usize = 15;
/// Names whose course over time is shown.
const COURSES: usize = 6;
/// More days than this are shown as months.
const MOST_DAYS: i64 = 62;

/// Mentions of one name.
#[derive(Debug, Default, Clone)]
struct Name {
    text: String,
    mentions: u64,
    articles: u64,
    favour: u64,
    neutral: u64,
    against: u64,
    by_day: BTreeMap<Day, u64>,
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(super) struct Overview {
    articles: u64,
    tagged: u64,
    mentions: u64,
    langs: BTreeMap<String, u64>,
    topics: BTreeMap<String, u64>,
    labels: BTreeMap<String, u64>,
    /// By type and name in lower case.
    names: BTreeMap<(String, String), Name>,
    by_day: BTreeMap<Day, u64>,
}

impl Overview {
    pub(super) fn add(&mut self, article: &Shown) {
        self.articles += 1;
        self.tagged += u64::from(article.is_tagged);
        if let Some(lang) = &article.lang {
            *self.langs.entry(lang.clone()).or_default() += 1;
        }
        if let Some(day) = article.day {
            *self.by_day.entry(day).or_default() += 1;
        }
        for (topic, _) in &article.topics {
            *self.topics.entry(topic.clone()).or_default() += 1;
        }
        let mut here: Vec<(String, String)> = Vec::new();
        for mention in &article.mentions {
            let key = self.count(mention, article.day);
            if !here.contains(&key) {
                here.push(key);
            }
        }
        for key in here {
            self.names.entry(key).or_default().articles += 1;
        }
    }

    fn count(&mut self, mention: &Mention, day: Option<Day>) -> (String, String) {
        self.mentions += 1;
        *self.labels.entry(mention.label.clone()).or_default() += 1;
        let text = mention
            .text
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let key = (mention.label.clone(), text.to_lowercase());
        let name = self.names.entry(key.clone()).or_default();
        if name.text.is_empty() {
            name.text = text;
        }
        name.mentions += 1;
        match mention.stance.as_ref().map(|(label, _)| label.as_str()) {
            Some("favour") => name.favour += 1,
            Some("against") => name.against += 1,
            Some(_) => name.neutral += 1,
            None => {}
        }
        if let Some(day) = day {
            *name.by_day.entry(day).or_default() += 1;
        }
        key
    }

    /// How many articles were tagged; `None` for none.
    pub(super) fn n_tagged(&self) -> Option<u64> {
        (self.tagged > 0).then_some(self.tagged)
    }

    pub(super) fn page(&self) -> String {
        let mut page = head("Overview of a run");
        let _ = writeln!(
            page,
            "<div class=\"report\">\n<header><h1>Overview</h1><p>{} articles, {} mentions of {} names{}</p></header>",
            self.articles,
            self.mentions,
            self.names.len(),
            self.period()
        );
        page.push_str("<div class=\"grid\">\n");
        let colours = Colours::of(self.labels.keys().map(String::as_str));
        let mut labels: Vec<&String> = self.labels.keys().collect();
        labels.sort_by_key(|label| colours.place(label));
        for label in labels {
            page.push_str(&bars(
                &format!("{label}: most mentioned"),
                &colours.class(label),
                &self.most_mentioned(label),
            ));
        }
        page.push_str(&bars("Topics (articles)", "bar", &counted(&self.topics)));
        page.push_str(&bars("Languages (articles)", "bar", &counted(&self.langs)));
        page.push_str(&self.stances());
        page.push_str("</div>\n");
        page.push_str(&self.courses());
        page.push_str("</div>\n</body>\n</html>\n");
        page
    }

    fn period(&self) -> String {
        match (self.by_day.keys().next(), self.by_day.keys().next_back()) {
            (Some(first), Some(last)) => format!(", {first} to {last}"),
            _ => String::new(),
        }
    }

    fn most_mentioned(&self, label: &str) -> Vec<Bar> {
        let names = self
            .names
            .iter()
            .filter(|((of, _), _)| of == label)
            .map(|(_, name)| name);
        let names = sorted(names.collect(), |name| name.mentions);
        let bar = |name: &&Name| Bar {
            name: name.text.clone(),
            value: name.mentions,
            note: format!("{} in {} articles", name.mentions, name.articles),
        };
        names.iter().take(LISTED).map(bar).collect()
    }

    /// Stances towards the names that have most.
    fn stances(&self) -> String {
        let takes_sides = |name: &&Name| name.favour + name.against > 0;
        let names: Vec<&Name> = self.names.values().filter(takes_sides).collect();
        let names = sorted(names, |name| name.favour + name.against);
        let rows: Vec<(String, [u64; 3])> = names
            .iter()
            .take(2 * LISTED)
            .map(|name| (name.text.clone(), [name.against, name.neutral, name.favour]))
            .collect();
        stances("Stance towards names (share of mentions)", &rows)
    }

    /// Articles, and mentions of the most frequent names, over time.
    fn courses(&self) -> String {
        let (Some(first), Some(last)) = (self.by_day.keys().next(), self.by_day.keys().next_back())
        else {
            return String::new();
        };
        let by_month = last.since(*first) > MOST_DAYS;
        let unit = if by_month { "month" } else { "day" };
        let periods = periods(*first, *last, by_month);
        let course = |counts: &BTreeMap<Day, u64>| -> Vec<(String, u64)> {
            let in_period = |period: &Day| {
                counts
                    .range(*period..period.next(by_month))
                    .map(|(_, n)| n)
                    .sum::<u64>()
            };
            periods
                .iter()
                .map(|period| (period.name(by_month), in_period(period)))
                .collect()
        };
        let mut html = format!("<h2>Over time, by {unit}</h2>\n<div class=\"grid\">\n");
        html.push_str(&columns("Articles", &course(&self.by_day)));
        for name in sorted(self.names.values().collect(), |name| name.mentions)
            .iter()
            .take(COURSES)
        {
            html.push_str(&columns(
                &format!("{}: mentions", name.text),
                &course(&name.by_day),
            ));
        }
        html.push_str("</div>\n");
        html
    }
}

/// The greatest first, and among equals in the order of the names.
fn sorted(mut names: Vec<&Name>, by: impl Fn(&Name) -> u64) -> Vec<&Name> {
    names.sort_by(|a, b| by(b).cmp(&by(a)).then_with(|| a.text.cmp(&b.text)));
    names
}

fn counted(counts: &BTreeMap<String, u64>) -> Vec<Bar> {
    let mut counts: Vec<(&String, u64)> = counts.iter().map(|(name, &n)| (name, n)).collect();
    counts.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    let bar = |(name, n): (&String, u64)| Bar {
        name: name.clone(),
        value: n,
        note: n.to_string(),
    };
    counts.into_iter().take(2 * LISTED).map(bar).collect()
}

/// Days, or months, from one to another.
fn periods(first: Day, last: Day, by_month: bool) -> Vec<Day> {
    let first = if by_month { first.month() } else { first };
    // Dates that are mistakes must not make a plot of thousands of columns.
    std::iter::successors(Some(first), |day| {
        Some(day.next(by_month)).filter(|next| *next <= last)
    })
    .take(1200)
    .collect()
}
