//! Words of a raw text: UAX #29, corrected for what news write.

mod abbreviations;
mod compounds;
mod joints;

use unicode_segmentation::UnicodeSegmentation;
use vestnik_core::Span;

pub(crate) use abbreviations::may_end_sentence;

/// No word is longer, in bytes: what is longer is cut at character boundaries.
pub const MAX_WORD_BYTES: usize = 1024;

/// The words of a text, in order and disjoint: every visible character is in exactly one.
///
/// Word boundaries are those of [UAX #29](https://www.unicode.org/reports/tr29/) with these differences:
/// - Every punctuation mark and symbol is a word, so that a name can end before it: `«Газпром»` is three words.
/// - Hyphens hold words together (`Нью-Йорк`, `Ми-8`), except a name and a common word (`US-based`). Dashes and slashes do
///   not: `ЛНР/ДНР` is three words.
/// - Apostrophes do inside of a word (`O'Neill`, `п’ять`), but the English `'s` is a word of its own.
/// - A full stop holds numbers (`24.02.2022`), initialisms (`U.S.`, `т.е.`) and domains (`Lenta.ru`) together, and
///   belongs to the word before it when that is an initial or a known abbreviation (`А.`, `г.`, `Inc.`); elsewhere it
///   divides, even where the space behind it is missing.
/// - Commas and colons hold together digits only.
/// - Characters that are never seen (controls, direction marks, byte order marks) are trimmed off words.
///
/// Time and memory grow linearly with the text.
///
/// # Example
/// ```
/// let text = "В „Нью-Йорк Таймс“ пишат: ООН/U.N. реши на 24.02.2022 г.";
/// let words: Vec<&str> = vestnik_text::words(text).iter().map(|word| &text[word.range()]).collect();
/// assert_eq!(
///     words,
///     ["В", "„", "Нью-Йорк", "Таймс", "“", "пишат", ":", "ООН", "/", "U.N.", "реши", "на", "24.02.2022", "г."],
/// );
/// ```
pub fn words(text: &str) -> Vec<Span> {
    joints::join(text, &atoms(text))
        .into_iter()
        .flat_map(|(start, end)| pieces(text, start, end))
        .collect()
}

/// What an [`Atom`] is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Letters, with marks, digits and connectors.
    Letters,
    /// Begins with a digit.
    Digits,
    /// A mark that may hold its neighbours together.
    Joint(char),
    /// Any other visible character.
    Symbol,
}

/// A part of a word that is never cut.
#[derive(Debug, Clone, Copy)]
struct Atom {
    kind: Kind,
    start: usize,
    end: usize,
}

/// The visible parts of a text. UAX #29 joins `а.б`, `а:б` and `а'б`; here the marks are parts of their own.
fn atoms(text: &str) -> Vec<Atom> {
    let mut atoms = Vec::with_capacity(text.len() / 6);
    for (start, segment) in text.split_word_bound_indices() {
        if segment.contains(char::is_alphanumeric) {
            push_parts(&mut atoms, start, segment);
        } else if let Some(first) = segment.chars().find(|&c| !is_ignorable(c)) {
            let kind = if is_joint(first) {
                Kind::Joint(first)
            } else {
                Kind::Symbol
            };
            atoms.push(Atom {
                kind,
                start,
                end: start + segment.len(),
            });
        }
    }
    atoms
}

fn push_parts(atoms: &mut Vec<Atom>, offset: usize, segment: &str) {
    let mut start = 0;
    for (at, mark) in segment.match_indices(is_joint) {
        push_alphanumeric(atoms, offset + start, &segment[start..at]);
        start = at + mark.len();
        let kind = mark.chars().next().map_or(Kind::Symbol, Kind::Joint);
        atoms.push(Atom {
            kind,
            start: offset + at,
            end: offset + start,
        });
    }
    push_alphanumeric(atoms, offset + start, &segment[start..]);
}

fn push_alphanumeric(atoms: &mut Vec<Atom>, start: usize, part: &str) {
    if let Some(first) = part.chars().next() {
        atoms.push(Atom {
            kind: kind_of(first),
            start,
            end: start + part.len(),
        });
    }
}

fn kind_of(first: char) -> Kind {
    match first {
        c if c.is_numeric() => Kind::Digits,
        c if c.is_alphabetic() => Kind::Letters,
        _ => Kind::Symbol,
    }
}

/// Marks that UAX #29 or news put inside of words.
fn is_joint(c: char) -> bool {
    matches!(
        c,
        '.' | ',' | ':' | ';' | '&' | '_' | '-' | '\u{2010}' | '\u{2011}'
    ) || is_apostrophe(c)
}

fn is_apostrophe(c: char) -> bool {
    matches!(
        c,
        '\'' | '\u{2019}' | '\u{2018}' | '`' | '\u{B4}' | '\u{2032}'
    )
}

fn is_ignorable(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// The words of `start..end`: without invisible edges, and cut where they would be too long.
fn pieces(text: &str, start: usize, end: usize) -> impl Iterator<Item = Span> {
    let trimmed = text[start..end].trim_start_matches(is_ignorable);
    let mut start = end - trimmed.len();
    let end = start + trimmed.trim_end_matches(is_ignorable).len();
    std::iter::from_fn(move || {
        let cut = if end - start <= MAX_WORD_BYTES {
            end
        } else {
            text.floor_char_boundary(start + MAX_WORD_BYTES)
        };
        let word = Span::new(start, cut).ok()?;
        start = cut;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = words(text).iter().map(|word| &text[word.range()]).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn quotation_marks_and_brackets_stand_alone() {
        check("«Газпром»", &["«", "Газпром", "»"]);
        check("партия „Рада“.", &["партия", "„", "Рада", "“", "."]);
        check("(ООН)", &["(", "ООН", ")"]);
        check("\"Zeit\"-Autor", &["\"", "Zeit", "\"", "-", "Autor"]);
        check(
            "_важно_ #Київ @news",
            &["_", "важно", "_", "#", "Київ", "@", "news"],
        );
    }

    #[test]
    fn hyphens_join_and_dashes_and_slashes_divide() {
        check("Нью-Йорк, Абу-Даби", &["Нью-Йорк", ",", "Абу-Даби"]);
        check("ЛНР/ДНР", &["ЛНР", "/", "ДНР"]);
        check("Москва–Киев—Минск", &["Москва", "–", "Киев", "—", "Минск"]);
        check(
            "Су\u{2011}35 COVID-19 -5 экс- --",
            &["Су\u{2011}35", "COVID-19", "-", "5", "экс", "-", "-", "-"],
        );
    }

    #[test]
    fn apostrophes_join_except_for_the_possessive() {
        check(
            "O'Neill’s п’ять мʼята об'єкт",
            &["O'Neill", "’s", "п’ять", "мʼята", "об'єкт"],
        );
        check(
            "'Times' don't rock'n'roll it's",
            &["'", "Times", "'", "don't", "rock'n'roll", "it", "'s"],
        );
        check("boys' AT&T R & D", &["boys", "'", "AT&T", "R", "&", "D"]);
    }

    #[test]
    fn full_stops_join_numbers_initialisms_and_domains() {
        check(
            "24.02.2022 г. 3.5 1,000,000 18:30",
            &["24.02.2022", "г.", "3.5", "1,000,000", "18:30"],
        );
        check(
            "U.S. т.е. Т.Г.Шевченко В.Путин",
            &["U.S.", "т.е.", "Т.Г.", "Шевченко", "В.", "Путин"],
        );
        check(
            "Lenta.ru, www.gov.uk.",
            &["Lenta.ru", ",", "www.gov.uk", "."],
        );
        check(
            "Apple Inc. і м. Київ",
            &["Apple", "Inc.", "і", "м.", "Київ"],
        );
    }

    #[test]
    fn full_stops_divide_elsewhere() {
        check("Киев.Путин край.", &["Киев", ".", "Путин", "край", "."]);
        check("група А.\nБ. В", &["група", "А", ".", "Б.", "В"]);
        check("vitamin C.", &["vitamin", "C", "."]);
        check(
            "РИА:Новости 2014.И",
            &["РИА", ":", "Новости", "2014", ".", "И"],
        );
        check("24 Канал", &["24", "Канал"]);
    }

    #[test]
    fn invisible_characters_are_no_words() {
        check("", &[]);
        check(" \t\n\0\u{FEFF}\u{200B}\u{200E} ", &[]);
        check(
            "\u{FEFF}Пу\u{AD}тин\u{200E}, \0A\0",
            &["Пу\u{AD}тин", ",", "A"],
        );
    }

    #[test]
    fn clusters_are_not_cut() {
        check(
            "й\u{306} e\u{301}té 👩‍👩‍👧🇧🇬 1️⃣",
            &["й\u{306}", "e\u{301}té", "👩‍👩‍👧", "🇧🇬", "1️⃣"],
        );
        check("漢字かな", &["漢", "字", "か", "な"]);
    }

    #[test]
    fn endless_words_are_cut() {
        let text = "щ".repeat(2 * MAX_WORD_BYTES);
        let found = words(&text);
        assert_eq!(found.len(), 4);
        assert!(found.iter().all(|word| word.len() == MAX_WORD_BYTES));
    }
}
