//! Lists of abbreviations and domain endings.

/// Abbreviations that are written with a full stop in the languages of the news read here, in lower case, sorted.
/// Those that are common words too (`no`, `in`, `май`) are left out.
const ABBREVIATIONS: &[&str] = &[
    "a.d",
    "a.m",
    "abp",
    "apod",
    "approx",
    "atd",
    "aug",
    "ave",
    "b.c",
    "bc",
    "blvd",
    "bp",
    "bros",
    "bzw",
    "ca",
    "capt",
    "cf",
    "cmdr",
    "co",
    "corp",
    "d.c",
    "d.d",
    "d.h",
    "d.o.o",
    "dec",
    "dept",
    "doc",
    "dr",
    "e.g",
    "e.u",
    "etc",
    "feb",
    "g",
    "ga",
    "gdč",
    "gen",
    "gl",
    "gm",
    "godz",
    "gov",
    "hab",
    "hod",
    "i.e",
    "im",
    "inc",
    "ing",
    "inż",
    "ipd",
    "itd",
    "itn",
    "itp",
    "jan",
    "jr",
    "judr",
    "jw",
    "kpt",
    "ks",
    "kč",
    "lt",
    "ltd",
    "m.in",
    "m.st",
    "mag",
    "messrs",
    "mgr",
    "mil",
    "mio",
    "mjr",
    "mld",
    "mln",
    "mr",
    "mrd",
    "mrs",
    "ms",
    "mudr",
    "např",
    "nov",
    "np",
    "npor",
    "npr",
    "nr",
    "nám",
    "oct",
    "odst",
    "oz",
    "p.m",
    "ph.d",
    "phdr",
    "plk",
    "polk",
    "popř",
    "pp",
    "ppłk",
    "prof",
    "pt",
    "písm",
    "płk",
    "r",
    "red",
    "rep",
    "resp",
    "rndr",
    "sen",
    "sept",
    "sgt",
    "sr",
    "st",
    "stol",
    "str",
    "sv",
    "t.i",
    "t.j",
    "tel",
    "tis",
    "tj",
    "tys",
    "tzn",
    "tzv",
    "tzw",
    "tř",
    "u.k",
    "u.n",
    "u.s",
    "ul",
    "usw",
    "vol",
    "vs",
    "vč",
    "woj",
    "ww",
    "z.b",
    "zob",
    "zł",
    "č",
    "św",
    "št",
    "адв",
    "адм",
    "акад",
    "ал",
    "арх",
    "бул",
    "в.о",
    "вж",
    "вул",
    "г",
    "гг",
    "ген",
    "гол",
    "гр",
    "грн",
    "д-р",
    "д-ра",
    "див",
    "дол",
    "долл",
    "доц",
    "др",
    "зам",
    "заст",
    "и.о",
    "им",
    "инж",
    "канд",
    "кап",
    "кв",
    "коп",
    "корп",
    "лв",
    "лейт",
    "м",
    "майор-ген",
    "млн",
    "млрд",
    "н.е",
    "н.пр",
    "н.э",
    "наб",
    "напр",
    "нач",
    "о.з",
    "обл",
    "пер",
    "пл",
    "подп",
    "полк",
    "пп",
    "пр",
    "пр-т",
    "просп",
    "проф",
    "р",
    "р-н",
    "ред",
    "рр",
    "руб",
    "с",
    "с.ш",
    "сб",
    "св",
    "см",
    "смт",
    "ст",
    "стр",
    "т",
    "т.г",
    "т.д",
    "т.е",
    "т.зв",
    "т.к",
    "т.н",
    "т.нар",
    "т.о",
    "т.п",
    "т.ч",
    "т.ін",
    "тис",
    "трлн",
    "тт",
    "тыс",
    "ул",
    "хил",
    "чел",
    "чл",
    "ш",
    "ім",
    "ін",
];

/// Abbreviations that stand at the end of a sentence as often as inside of one, in lower case, sorted.
const ENDS: &[&str] = &[
    "a.m", "apod", "atd", "etc", "inc", "itd", "itn", "itp", "jr", "ltd", "p.m", "sr", "гг", "др",
    "н.э", "рр", "т.д", "т.п", "т.ін", "ін",
];

/// Endings of domain names that news write as names: `Lenta.ru`. Sorted.
const DOMAIN_ENDINGS: &[&str] = &[
    "bg", "by", "co", "com", "cz", "de", "edu", "eu", "fr", "gov", "info", "int", "io", "kz", "lt",
    "lv", "md", "me", "mk", "net", "org", "pl", "rs", "ru", "si", "su", "tv", "ua", "uk", "us",
    "бг", "рф", "укр",
];

/// Whether a full stop behind the word belongs to it.
pub(super) fn is_abbreviation(word: &str) -> bool {
    is_initialism(word) || contains(ABBREVIATIONS, word)
}

/// `U.S`, `т.е`, `d.o.o`: single letters with full stops between them.
fn is_initialism(word: &str) -> bool {
    let mut parts = word.split('.');
    word.contains('.')
        && parts.all(|part| part.starts_with(char::is_alphabetic) && part.chars().nth(1).is_none())
}

/// Whether a sentence may end with the word, full stop included.
pub(crate) fn may_end_sentence(word: &str) -> bool {
    word.strip_suffix('.')
        .is_some_and(|word| contains(ENDS, word))
}

/// Whether `part`, behind a full stop, makes a domain name.
pub(super) fn is_domain_ending(part: &str) -> bool {
    let is_name = || matches!(part, "BG" | "Com" | "Net" | "Org" | "Ru" | "RU" | "UA");
    // In capitals, only those that do not also begin a sentence whose space is missing: "… yes.By noon".
    DOMAIN_ENDINGS.binary_search(&part).is_ok() || is_name()
}

fn contains(sorted: &[&str], word: &str) -> bool {
    // No entry is longer, and none is written in capitals: `GM` and `CA` are names.
    word.len() <= 20
        && !is_acronym(word)
        && sorted.binary_search(&word.to_lowercase().as_str()).is_ok()
}

fn is_acronym(word: &str) -> bool {
    word.chars().filter(|c| *c != '.').nth(1).is_some() && !word.contains(char::is_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_lower_case() {
        for list in [ABBREVIATIONS, ENDS, DOMAIN_ENDINGS] {
            assert!(list.is_sorted());
            assert!(
                list.iter()
                    .all(|entry| entry.to_lowercase() == *entry && entry.len() <= 20)
            );
        }
    }
}
