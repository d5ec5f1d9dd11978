//! Texts that share most of their words in the same order, such as rewrites of one agency story.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many words in a row are compared.
pub const SHINGLE_WORDS: usize = 5;

/// From which similarity on two texts count as near duplicates, by default.
pub const NEAR_DUPLICATE: f64 = 0.5;

/// Of the texts that share a stretch of words later ones are compared with so many, which bounds the time: of very many
/// copies each is still near to the first ones.
const MAX_TEXTS: usize = 50;

/// Of how many stretches of words one is kept: all of a short text, a sample of a long one.
const FULL_SHINGLES: usize = 200;

/// Two texts that are nearly the same.
#[derive(Debug, Clone, PartialEq)]
pub struct NearDuplicate {
    /// The later text.
    pub text: usize,
    /// The earlier one that is most similar.
    pub earlier: usize,
    /// The share of the stretches of words of the smaller text that the other one has too: 1 for the same words.
    pub similarity: f64,
}

/// Finds for each text the earlier text that is most similar, from a similarity of `threshold` on, among those that
/// `compared` wants to compare it with: it gets both places, the later one first.
///
/// A text is the set of all stretches of [`SHINGLE_WORDS`] words in a row, in lower case and without punctuation; a
/// shorter text is one stretch. The similarity is the share of common stretches in the smaller of the two sets
/// (containment, Broder 1997), so that a text that was cut is found too. Of long texts a fixed sample of stretches is
/// compared, the same in all texts (those with the smallest hashes modulo a power of two). Nothing is random: the same
/// texts give the same pairs. Time and memory grow linearly with the texts.
///
/// ```
/// let story = "The president of Bulgaria met the mayor of Sofia on Monday to discuss the budget";
/// let longer = format!("{story} and then he left.");
/// let found = vestnik_data::near_duplicates(&[story, "Other news of the day", &longer], 0.5, |_, _| true);
/// assert_eq!((found[0].text, found[0].earlier, found[0].similarity), (2, 0, 1.0));
/// assert_eq!(found.len(), 1);
/// ```
#[must_use]
pub fn near_duplicates<T: AsRef<str>>(
    texts: &[T],
    threshold: f64,
    compared: impl Fn(usize, usize) -> bool,
) -> Vec<NearDuplicate> {
    let sets: Vec<Shingles> = texts.iter().map(|text| shingles(text.as_ref())).collect();
    let mut texts_of: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut found = Vec::new();
    for (text, set) in sets.iter().enumerate() {
        let mut common: BTreeMap<usize, usize> = BTreeMap::new();
        for shingle in &set.hashes {
            let known = texts_of.entry(*shingle).or_default();
            for &earlier in &*known {
                *common.entry(earlier).or_default() += 1;
            }
            if known.len() < MAX_TEXTS {
                known.push(text);
            }
        }
        common.retain(|&earlier, _| compared(text, earlier));
        found.extend(best(text, &common, &sets).filter(|pair| pair.similarity >= threshold));
    }
    found
}

/// The earlier text with the greatest similarity; the first of several.
fn best(text: usize, common: &BTreeMap<usize, usize>, sets: &[Shingles]) -> Option<NearDuplicate> {
    let pairs = common.iter().map(|(&earlier, &n)| NearDuplicate {
        text,
        earlier,
        similarity: similarity(n, &sets[text], &sets[earlier]),
    });
    pairs.reduce(|best, next| {
        if next.similarity > best.similarity {
            next
        } else {
            best
        }
    })
}

/// The stretches of words of a text, as hashes.
struct Shingles {
    hashes: BTreeSet<u64>,
    /// Only hashes that this power of two divides are in the set.
    density: u64,
}

/// Sets of different density are compared in what both would have kept.
fn similarity(n_common: usize, a: &Shingles, b: &Shingles) -> f64 {
    let density = a.density.max(b.density);
    let kept = |set: &Shingles| {
        set.hashes
            .iter()
            .filter(|&hash| hash % density == 0)
            .count()
    };
    n_common as f64 / kept(a).min(kept(b)).max(1) as f64
}

/// The hashes of all stretches of words of a text, in their order.
pub(crate) fn shingle_hashes(text: &str) -> Vec<u64> {
    let words: Vec<u64> = words(text).map(|word| hash(word.bytes())).collect();
    let hash = |window: &[u64]| hash(window.iter().flat_map(|word| word.to_le_bytes()));
    words.windows(SHINGLE_WORDS).map(hash).collect()
}

fn shingles(text: &str) -> Shingles {
    let words: Vec<u64> = words(text).map(|word| hash(word.bytes())).collect();
    let width = SHINGLE_WORDS.min(words.len()).max(1);
    let all = words
        .windows(width)
        .map(|window| hash(window.iter().flat_map(|word| word.to_le_bytes())));
    let density = (words.len() / FULL_SHINGLES).max(1).next_power_of_two() as u64;
    Shingles {
        hashes: all.filter(|hash| hash % density == 0).collect(),
        density,
    }
}

/// Runs of letters and digits, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric() && !is_mark(c))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// Combining marks, as in a decomposed `й`.
fn is_mark(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// FNV-1a with a final mix: the same on every machine, and quick on short input.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(n_words: usize, seed: usize) -> Vec<String> {
        (0..n_words)
            .map(|i| format!("дума{}", (i * 7919 + seed * 104_729) % 5003))
            .collect()
    }

    #[test]
    fn rewrites_are_found_and_other_texts_are_not() {
        let first = story(300, 1);
        let mut rewritten = first.clone();
        for place in (0..300).step_by(40) {
            rewritten[place] = "друго".to_owned();
        }
        let texts = [
            first.join(" "),
            story(300, 2).join(" "),
            rewritten.join(", ").to_uppercase(),
        ];
        let found = near_duplicates(&texts, NEAR_DUPLICATE, |_, _| true);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].text, found[0].earlier), (2, 0));
        assert!((0.75..1.0).contains(&found[0].similarity), "{found:?}");
    }

    #[test]
    fn a_cut_copy_is_found() {
        let whole = story(1000, 3);
        let texts = [whole.join(" "), whole[..600].join(" ")];
        let found = near_duplicates(&texts, NEAR_DUPLICATE, |_, _| true);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].similarity > 0.9, "{found:?}");
    }

    #[test]
    fn short_texts_are_compared_whole() {
        let found = near_duplicates(
            &["Sofia", "sofia!", "Sofia Kyiv", "", "…"],
            NEAR_DUPLICATE,
            |_, _| true,
        );
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].text, found[0].earlier), (1, 0));
    }

    #[test]
    fn formulas_of_many_texts_do_not_make_them_duplicates() {
        let formula = "read more on our site and subscribe to our channel";
        let texts: Vec<String> = (0..200)
            .map(|n| format!("{} {formula}", story(30, n + 10).join(" ")))
            .collect();
        assert_eq!(near_duplicates(&texts, NEAR_DUPLICATE, |_, _| true), []);
    }

    #[test]
    fn every_one_of_many_copies_is_found() {
        let story = "one two three four five six seven eight nine ten";
        let texts = [story; 3 * MAX_TEXTS];
        let found = near_duplicates(&texts, 0.5, |_, _| true);
        assert_eq!(found.len(), texts.len() - 1);
        assert!(found.iter().all(|pair| pair.similarity == 1.0));
    }
}
