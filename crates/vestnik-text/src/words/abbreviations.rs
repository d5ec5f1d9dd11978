//! Lists of abbreviations and domain endings.

use std::collections::HashSet;
use std::sync::LazyLock;

// Abbreviations that are written with a full stop, in lower case, each in the first language that has it. Those that are
// common words too (`no`, `in`, `май`) are left out.
const ENGLISH: &str = "mr mrs ms dr prof st sen rep gov gen lt sgt capt cmdr jr sr inc ltd co corp bros vs etc dept approx \
    messrs ave blvd feb aug sept oct dec ph.d e.g i.e u.s u.k u.n e.u a.m p.m d.c b.c a.d vol pp \
    cf";
const RUSSIAN: &str = "г гг ул им проф акад св млн млрд трлн тыс руб коп см др пр обл пер просп наб корп стр т тт ст пп \
    напр сб т.е т.к т.н т.д т.п т.о н.э и.о в.о с.ш ген полк майор-ген подп кап лейт адм зам нач инж \
    канд доц чел долл дол";
const UKRAINIAN: &str = "м с вул рр р ім тис грн див ін пл смт т.зв т.ч т.ін ред гол заст н.е";
const BULGARIAN: &str = "бул гр хил лв чл ал т.нар т.г вж кв о.з н.пр д-р д-ра арх адв р-н пр-т ш";
const POLISH: &str = "hab im ul św r płk ppłk mjr kpt abp bp ks np itd itp tzw tzn m.in m.st tys mln mld zł godz nr inż \
    mgr woj gm pt ww jw zob npor";
const CZECH: &str = "např tzv sv doc ing judr mudr phdr rndr bc č mil tis str atd apod popř resp plk nám stol tj tř vč \
    odst písm kč hod tel";
const SLOVENE: &str = "npr mag g ga gdč št oz itn ipd t.i t.j d.o.o d.d mio mrd gl polk";
const GERMAN: &str = "bzw z.b d.h usw ca";

/// Abbreviations that stand at the end of a sentence as often as inside of one.
const SENTENCE_ENDS: &str =
    "a.m apod atd etc inc itd itn itp jr ltd p.m sr гг др н.э рр т.д т.п т.ін ін";

/// Endings of domain names that news write as names: `Lenta.ru`.
const DOMAIN_ENDINGS: &str = "bg by co com cz de edu eu fr gov info int io kz lt lv md me mk net org pl rs ru si su tv ua \
    uk us бг рф укр";
/// Of these in capitals, those that do not also begin a sentence whose space is missing: "… yes.By noon".
const CAPITAL_ENDINGS: &str = "BG Com Net Org Ru RU UA";

static ABBREVIATIONS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    set(&[
        ENGLISH, RUSSIAN, UKRAINIAN, BULGARIAN, POLISH, CZECH, SLOVENE, GERMAN,
    ])
});
static ENDS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(&[SENTENCE_ENDS]));
static DOMAINS: LazyLock<HashSet<&str>> = LazyLock::new(|| set(&[DOMAIN_ENDINGS, CAPITAL_ENDINGS]));

fn set(lists: &[&'static str]) -> HashSet<&'static str> {
    lists
        .iter()
        .flat_map(|list| list.split_whitespace())
        .collect()
}

/// Whether a full stop behind the word belongs to it.
pub(super) fn is_abbreviation(word: &str) -> bool {
    is_initialism(word) || contains(&ABBREVIATIONS, word)
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
        .is_some_and(|word| contains(&ENDS, word))
}

/// Whether `part`, behind a full stop, makes a domain name.
pub(super) fn is_domain_ending(part: &str) -> bool {
    DOMAINS.contains(part)
}

fn contains(abbreviations: &HashSet<&str>, word: &str) -> bool {
    // No entry is longer, and none is written in capitals: `GM` and `CA` are names.
    word.len() <= 20 && !is_acronym(word) && abbreviations.contains(word.to_lowercase().as_str())
}

fn is_acronym(word: &str) -> bool {
    word.chars().filter(|c| *c != '.').nth(1).is_some() && !word.contains(char::is_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_lower_case_and_short() {
        assert!(
            ABBREVIATIONS
                .iter()
                .chain(ENDS.iter())
                .all(|entry| entry.to_lowercase() == *entry && entry.len() <= 20)
        );
        assert!(ENDS.is_subset(&ABBREVIATIONS));
    }

    #[test]
    fn capitals_make_names_of_abbreviations() {
        assert!(is_abbreviation("inc") && is_abbreviation("Inc") && is_abbreviation("U.S"));
        assert!(!is_abbreviation("CA") && !is_abbreviation("слово") && !is_abbreviation(""));
    }
}
