//! The article of a web page: its longest paragraphs, without menus, adverts and footers.
//!
//! The rules are the simplest of Mozilla's Readability: every paragraph speaks for the element that it lies in, and half as
//! much for the one around that; the element with the most votes is the article.

use std::collections::HashMap;

use scraper::{ElementRef, Html, Selector};

use super::encoding::TextEncoding;
use super::html_bounds;
use crate::problem::Problem;

/// What a page says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) lang: Option<String>,
    pub(super) published: Option<String>,
}

/// Paragraphs below these are none of the article.
const ASIDE: [&str; 10] = [
    "nav", "footer", "aside", "form", "script", "style", "noscript", "template", "figure", "button",
];

/// Elements that are blocks of text.
const BLOCKS: &str = "h2, h3, h4, p, li, blockquote, pre";

/// A shorter paragraph does not vote, in characters.
const SHORT: usize = 25;

/// The article of a page; without text when there is none.
///
/// # Errors
/// [`Problem::TooDeep`] for a page that would take too long.
pub(super) fn page(html: &str) -> Result<Page, Problem> {
    html_bounds::check(html)?;
    let document = Html::parse_document(html);
    let root = document.root_element();
    let meta = |name: &str| {
        let meta = format!("meta[property=\"{name}\"], meta[name=\"{name}\"]");
        first(root, &meta)
            .and_then(|meta| meta.attr("content"))
            .map(str::to_owned)
    };
    let title = meta("og:title").or_else(|| first(root, "title, h1").map(text_of));
    let time = || {
        first(root, "time[datetime]")
            .and_then(|time| time.attr("datetime"))
            .map(str::to_owned)
    };
    let article = article(root).unwrap_or(root);
    Ok(Page {
        title: title.unwrap_or_default().trim().to_owned(),
        text: text(article),
        lang: root
            .attr("lang")
            .map(|lang| lang.split('-').next().unwrap_or(lang).to_owned()),
        published: meta("article:published_time").or_else(time),
    })
}

fn first<'a>(root: ElementRef<'a>, selector: &str) -> Option<ElementRef<'a>> {
    let selector = Selector::parse(selector).ok()?;
    root.select(&selector).next()
}

/// The element that most paragraphs speak for; the first one of several.
fn article(root: ElementRef<'_>) -> Option<ElementRef<'_>> {
    let paragraphs = Selector::parse("p").ok()?;
    let mut elements: Vec<(ElementRef<'_>, f64)> = Vec::new();
    let mut places = HashMap::new();
    for paragraph in root
        .select(&paragraphs)
        .filter(|paragraph| is_text(*paragraph))
    {
        let text = text_of(paragraph);
        let n_chars = text.chars().count();
        if n_chars < SHORT {
            continue;
        }
        let votes = 1.0 + text.matches(',').count() as f64 + (n_chars as f64 / 100.0).min(3.0);
        let around = paragraph.ancestors().filter_map(ElementRef::wrap).take(2);
        for (element, share) in around.zip([1.0, 0.5]) {
            let place = *places.entry(element.id()).or_insert_with(|| {
                elements.push((element, 0.0));
                elements.len() - 1
            });
            elements[place].1 += votes * share;
        }
    }
    let best = elements
        .into_iter()
        .reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(element, _)| element)
}

/// The blocks of an article, with blank lines between them; all of its words when it has no blocks.
fn text(article: ElementRef<'_>) -> String {
    let Ok(blocks) = Selector::parse(BLOCKS) else {
        return String::new();
    };
    let outermost = |block: &ElementRef<'_>| {
        let around = block.ancestors().filter_map(ElementRef::wrap);
        !around
            .take_while(|element| *element != article)
            .any(|element| blocks.matches(&element))
    };
    let blocks_of_text = article
        .select(&blocks)
        .filter(outermost)
        .filter(|block| is_text(*block));
    let blocks_of_text: Vec<String> = blocks_of_text
        .map(text_of)
        .filter(|text| !text.is_empty())
        .collect();
    blocks_of_text.join("\n\n")
}

/// Whether an element is a part of the page that is no menu and no list of links.
fn is_text(element: ElementRef<'_>) -> bool {
    let mut around = element.ancestors().filter_map(ElementRef::wrap);
    let aside = around.any(|element| ASIDE.contains(&element.value().name()));
    let Ok(links) = Selector::parse("a") else {
        return !aside;
    };
    let linked: usize = element.select(&links).map(|link| text_of(link).len()).sum();
    !aside && linked * 2 <= text_of(element).len()
}

/// The words of an element, with one blank between each two.
fn text_of(element: ElementRef<'_>) -> String {
    let text: String = element.text().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text of a page, in the encoding that a header of the transfer, the page itself, or nobody names.
pub(super) fn decoded(bytes: &[u8], of_transfer: Option<TextEncoding>) -> String {
    if let Some(encoding) = of_transfer.or_else(|| TextEncoding::declared(bytes)) {
        return encoding.decode(bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // What browsers take for pages that do not say.
        Err(_) => "windows-1252".parse::<TextEncoding>().map_or_else(
            |_| String::from_utf8_lossy(bytes).into_owned(),
            |encoding| encoding.decode(bytes),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_article_is_found_among_menus() {
        let sentence = "Столицата посрещна гостите с дъжд, а кметът обеща нови мостове до есента, пише агенцията.";
        let paragraph = format!("<p>{} &amp; <b>край</b></p>", [sentence; 4].join("\n "));
        let html = format!(
            "<html lang=bg-BG><head><title>Мостове</title><meta property=article:published_time content=2024-05-01></head>\
             <body><nav><p>{sentence}</p></nav><ul><li><a href=/s>Спорт</a></li></ul>\
             <div><article><h1>Мостове</h1>{paragraph}<h2>Още</h2>{paragraph}<script>var x = 1;</script></article></div>\
             <footer><p>Всички права запазени, {sentence}</p></footer></body></html>"
        );
        let page = page(&html).unwrap();
        assert_eq!(
            (page.title.as_str(), page.lang.as_deref()),
            ("Мостове", Some("bg"))
        );
        assert_eq!(page.published.as_deref(), Some("2024-05-01"));
        let whole = format!("{} & край", [sentence; 4].join(" "));
        assert_eq!(page.text, format!("{whole}\n\nОще\n\n{whole}"));
    }

    #[test]
    fn a_page_without_text_has_none() {
        let text = |html: &str| page(html).unwrap().text;
        assert_eq!(text("<html><body></body></html>"), "");
        assert_eq!(text(""), "");
        assert_eq!(text("<p>Рим</p>"), "Рим");
        assert!(page(&"<div>".repeat(1_000_000)).is_err());
    }

    #[test]
    fn encodings_are_declared_somewhere() {
        let koi8 = "koi8-r".parse().ok();
        assert_eq!(decoded(b"\xf2\xc9\xcd", koi8), "Рим");
        assert_eq!(
            decoded(b"<meta charset=windows-1251>\xd0\xe8\xec", None),
            "<meta charset=windows-1251>Рим"
        );
        assert_eq!(decoded("Рим".as_bytes(), None), "Рим");
        assert_eq!(decoded(b"caf\xe9", None), "café");
    }
}
