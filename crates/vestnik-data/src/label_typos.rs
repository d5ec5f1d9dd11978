//! Labels that look like misspellings of more frequent ones.

use std::collections::BTreeMap;

/// How many times more frequent the label must be that was meant.
const TIMES_MORE_FREQUENT: usize = 5;

/// From how many letters on labels may differ in one: short ones such as `PER` and `PEX` may both be meant.
const MIN_LETTERS: usize = 3;

/// Gives for each label that is probably a misspelling the label that was meant.
///
/// A label is one when it differs from another that is at least as frequent only in its case, in spaces, hyphens or underscores, or
/// when it differs in one letter (one more, one less, another, or two neighbours exchanged) from one that is at least five times as frequent, where
/// the shorter of the two has at least three letters.
///
/// ```
/// use std::collections::BTreeMap;
/// let counts = BTreeMap::from([("PER", 90), ("PERS", 2), ("per", 1), ("LOC", 50), ("EVT", 1)]);
/// let typos = vestnik_data::label_typos(&counts);
/// assert_eq!(typos, BTreeMap::from([("PERS", "PER"), ("per", "PER")]));
/// ```
#[must_use]
pub fn label_typos<'a>(counts: &BTreeMap<&'a str, usize>) -> BTreeMap<&'a str, &'a str> {
    let meant = |label: &str, count: usize| {
        let others = counts.iter().filter(|(other, n)| {
            // Of two equally frequent ones, the first is meant.
            **other != label && (**n > count || (**n == count && **other < label))
        });
        let similar = others.filter(|(other, n)| {
            plain(other) == plain(label)
                || (**n >= count * TIMES_MORE_FREQUENT && differ_in_one(other, label))
        });
        similar.max_by_key(|(_, n)| **n).map(|(other, _)| *other)
    };
    counts
        .iter()
        .filter_map(|(&label, &count)| Some((label, meant(label, count)?)))
        .collect()
}

/// A label without what people write in different ways.
fn plain(label: &str) -> String {
    let letters = label.chars().filter(|c| !matches!(c, ' ' | '-' | '_'));
    letters.flat_map(char::to_lowercase).collect()
}

fn differ_in_one(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.len() < MIN_LETTERS || long.len() - short.len() > 1 {
        return false;
    }
    let front = short.iter().zip(&long).take_while(|(a, b)| a == b).count();
    if short.len() == long.len() && exchanged(&short[front..], &long[front..]) {
        return true;
    }
    let more = usize::from(short.len() == long.len());
    short.get(front + more..).unwrap_or_default() == &long[(front + 1).min(long.len())..]
}

/// Whether the first two letters stand the other way round, and the rest is the same.
fn exchanged(a: &[char], b: &[char]) -> bool {
    match (a, b) {
        ([a1, a2, a @ ..], [b1, b2, b @ ..]) => (a1, a2, a) == (b2, b1, b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typos(counts: &[(&'static str, usize)]) -> Vec<(&'static str, &'static str)> {
        let counts: BTreeMap<_, _> = counts.iter().copied().collect();
        label_typos(&counts).into_iter().collect()
    }

    #[test]
    fn case_and_hyphens_are_always_typos() {
        assert_eq!(typos(&[("LOC", 3), ("Loc", 3)]), [("Loc", "LOC")]);
        assert_eq!(
            typos(&[("WORK_OF_ART", 9), ("Work of Art", 8)]),
            [("Work of Art", "WORK_OF_ART")]
        );
        assert_eq!(typos(&[("ЛИЦО", 9), ("лицо", 1)]), [("лицо", "ЛИЦО")]);
    }

    #[test]
    fn a_letter_is_a_typo_where_the_other_label_is_much_more_frequent() {
        assert_eq!(typos(&[("ORG", 50), ("ORGS", 2)]), [("ORGS", "ORG")]);
        assert_eq!(typos(&[("ORG", 50), ("ORT", 2)]), [("ORT", "ORG")]);
        assert_eq!(typos(&[("EVENT", 50), ("EVNT", 2)]), [("EVNT", "EVENT")]);
        assert_eq!(typos(&[("LOC", 50), ("LCO", 2)]), [("LCO", "LOC")]);
        assert_eq!(typos(&[("ORG", 50), ("ORT", 20)]), []);
        assert_eq!(typos(&[("A1", 50), ("A2", 1)]), []);
        assert_eq!(typos(&[("PER", 50), ("PRO", 1), ("LOC", 1)]), []);
    }
}
