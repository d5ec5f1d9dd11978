//! The page of articles: names marked in their texts, a list of them to choose from.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::article::{Mention, Shown};
use crate::report::escape;

const STYLE: &str = include_str!("show.css");
const SCRIPT: &str = include_str!("show.js");

/// Colours there are for types.
const N_COLOURS: usize = 6;

/// Languages that are written from right to left.
const RIGHT_TO_LEFT: [&str; 9] = ["ar", "ckb", "dv", "fa", "he", "ps", "sd", "ur", "yi"];

/// Types in the order in which they are shown; others come behind them.
const TYPES: [&str; 5] = ["PER", "ORG", "LOC", "EVT", "PRO"];

/// Names in the list.
const LISTED: usize = 60;

/// The page; `more` articles than these were there.
pub(super) fn page(articles: &[Shown], more: bool) -> String {
    let mentions = articles.iter().flat_map(|article| &article.mentions);
    let colours = Colours::of(mentions.map(|mention| mention.label.as_str()));
    let mut page = head("Tagged articles");
    let n_mentions: usize = articles.iter().map(|article| article.mentions.len()).sum();
    let first = if more { "the first " } else { "" };
    let _ = writeln!(
        page,
        "<header><h1>Tagged articles</h1><p>{first}{} articles, {n_mentions} mentions. <span id=\"count\"></span></p></header>\n<div class=\"columns\">",
        articles.len()
    );
    page.push_str(&sidebar(articles, &colours));
    page.push_str("<main>\n");
    for article in articles {
        page.push_str(&section(article, &colours));
    }
    let _ = writeln!(
        page,
        "</main>\n</div>\n<script>\n{SCRIPT}</script>\n</body>\n</html>"
    );
    page
}

/// The head of a page that loads nothing.
pub(super) fn head(title: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    )
}

/// A colour for each type, and their order: the same for the same types.
pub(super) struct Colours(BTreeMap<String, usize>);

impl Colours {
    /// The types of the default model have the first colours, whichever of them are there.
    pub(super) fn of<'l>(labels: impl Iterator<Item = &'l str>) -> Self {
        let known = TYPES.iter().zip(0..);
        let mut colours: BTreeMap<String, usize> = known
            .map(|(label, place)| ((*label).to_owned(), place))
            .collect();
        for label in labels {
            let next = colours.len();
            colours.entry(label.to_owned()).or_insert(next);
        }
        Self(colours)
    }

    pub(super) fn place(&self, label: &str) -> usize {
        self.0.get(label).copied().unwrap_or_default()
    }

    pub(super) fn class(&self, label: &str) -> String {
        format!("t{}", self.place(label) % N_COLOURS)
    }
}

/// What a mention is called in the list: without regard to case.
fn key(mention: &Mention) -> String {
    let words: Vec<&str> = mention.text.split_whitespace().collect();
    format!("{} {}", mention.label, words.join(" ").to_lowercase())
}

fn sidebar(articles: &[Shown], colours: &Colours) -> String {
    let mut names: BTreeMap<String, (usize, &Mention)> = BTreeMap::new();
    let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
    for mention in articles.iter().flat_map(|article| &article.mentions) {
        names.entry(key(mention)).or_insert((0, mention)).0 += 1;
        *labels.entry(&mention.label).or_default() += 1;
    }
    let mut names: Vec<(String, (usize, &Mention))> = names.into_iter().collect();
    names.sort_by(|(a, (m, _)), (b, (n, _))| n.cmp(m).then_with(|| a.cmp(b)));
    let mut html = String::from(
        "<aside>\n<label class=\"search\">Filter <input id=\"search\" type=\"search\" placeholder=\"name or word\"></label>\n<div class=\"labels\">\n",
    );
    let mut labels: Vec<(&str, usize)> = labels.into_iter().collect();
    labels.sort_by_key(|(label, _)| colours.place(label));
    for (label, n) in labels {
        let _ = writeln!(
            html,
            "<label class=\"{}\"><input type=\"checkbox\" data-label=\"{label}\" checked> {label} <small>{n}</small></label>",
            colours.class(label),
            label = escape(label)
        );
    }
    html.push_str("</div>\n<ul class=\"names\">\n");
    for (key, (n, mention)) in names.iter().take(LISTED) {
        let _ = writeln!(
            html,
            "<li><button class=\"{}\" data-key=\"{}\"><bdi>{}</bdi> <small>{n}</small></button></li>",
            colours.class(&mention.label),
            escape(key),
            escape(&mention.text)
        );
    }
    html.push_str("</ul>\n<p class=\"legend\">Line below a name: <span class=\"favour\">favour</span> <span class=\"neutral\">neutral</span> <span class=\"against\">against</span></p>\n</aside>\n");
    html
}

fn section(article: &Shown, colours: &Colours) -> String {
    let lang = article.lang.as_deref().unwrap_or_default();
    let mut html = format!(
        "<article lang=\"{}\" dir=\"{}\">\n<h2 dir=\"auto\">",
        escape(lang),
        direction(lang)
    );
    html.push_str(&escape(article.title.as_deref().unwrap_or(&article.id)));
    html.push_str("</h2>\n<p class=\"facts\">");
    let day = article.day.as_ref().map(ToString::to_string);
    let id = article.title.is_some().then_some(article.id.as_str());
    for fact in [id, article.lang.as_deref(), day.as_deref()]
        .into_iter()
        .flatten()
    {
        let _ = write!(html, "<span>{}</span> ", escape(fact));
    }
    for (topic, score) in &article.topics {
        let _ = write!(
            html,
            "<span class=\"topic\" title=\"{score}\">{}</span> ",
            escape(topic)
        );
    }
    html.push_str("</p>\n<div class=\"text\" dir=\"auto\">");
    html.push_str(&marked(article, colours));
    html.push_str("</div>\n</article>\n");
    html
}

/// Where lines begin in a language.
fn direction(lang: &str) -> &'static str {
    match RIGHT_TO_LEFT.contains(&lang) {
        true => "rtl",
        false => "ltr",
    }
}

fn marked(article: &Shown, colours: &Colours) -> String {
    let mut html = String::with_capacity(article.text.len() * 2);
    let mut from = 0;
    for mention in &article.mentions {
        html.push_str(&escape(&article.text[from..mention.start]));
        let stance = mention
            .stance
            .as_ref()
            .map_or("", |(label, _)| label.as_str());
        let _ = write!(
            html,
            "<mark class=\"{} {}\" data-label=\"{}\" data-key=\"{}\" title=\"{}\">{}<sup>{}</sup></mark>",
            colours.class(&mention.label),
            escape(stance),
            escape(&mention.label),
            escape(&key(mention)),
            escape(&title(mention)),
            escape(&mention.text),
            escape(&mention.label)
        );
        from = mention.end;
    }
    html.push_str(&escape(&article.text[from..]));
    html
}

/// What is seen when the pointer rests on a name.
fn title(mention: &Mention) -> String {
    let mut title = mention.label.clone();
    if let Some(score) = mention.score {
        let _ = write!(title, " {score:.3}");
    }
    if let Some((label, score)) = &mention.stance {
        let _ = write!(title, " · {label} {score:.3}");
    }
    title
}
