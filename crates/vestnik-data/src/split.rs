//! Splits of a corpus: whole documents, groups together, labels or languages in the same shares, the same for a seed.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// Assigns documents to parts: gives the part of each document.
///
/// `shares` are the sizes of the parts in any unit. Documents with the same group stay together; `strata` are what the
/// parts should have in the same shares, beside documents; it may be empty. The method is iterative stratification
/// (Sechidis, Tsoumakas, Vlahavas 2011): the rarest name first, each group to the part that lacks most of it; ties are
/// broken by the lack of documents, then by the order of the parts. The groups come in an order that `seed` and the
/// names of their documents decide, so that a document that is added moves few others.
///
/// ```
/// use vestnik_data::{SplitItem, split};
/// let items: Vec<SplitItem> = (0..10)
///     .map(|n| SplitItem { name: n.to_string(), group: n, strata: Default::default() })
///     .collect();
/// let parts = split(&items, &[8.0, 2.0], 7);
/// assert_eq!(parts.iter().filter(|&&part| part == 1).count(), 2);
/// assert_eq!(parts, split(&items, &[8.0, 2.0], 7));
/// ```
#[must_use]
pub fn split(items: &[SplitItem], shares: &[f64], seed: u64) -> Vec<usize> {
    let mut groups = groups(items, seed);
    let mut lacks = Lacks::new(&groups, shares);
    let mut part_of_group: BTreeMap<usize, usize> = BTreeMap::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for (name, count) in groups.iter().flat_map(|group| &group.strata) {
        *names.entry(name.clone()).or_default() += count;
    }
    while !groups.is_empty() {
        let rarest = names.iter().min_by_key(|(_, count)| **count);
        let rarest = rarest.map(|(name, _)| name.clone());
        let (chosen, rest): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(|group| {
            rarest
                .as_ref()
                .is_none_or(|name| group.strata.contains_key(name))
        });
        for group in chosen {
            let part = lacks.neediest(rarest.as_deref());
            lacks.give(part, &group);
            for (name, count) in &group.strata {
                if let Some(left) = names.get_mut(name) {
                    *left -= count;
                }
            }
            part_of_group.insert(group.id, part);
        }
        names.retain(|name, count| *count > 0 && Some(name) != rarest.as_ref());
        groups = rest;
    }
    items
        .iter()
        .map(|item| part_of_group[&item.group])
        .collect()
}

/// A document as a split sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitItem {
    /// The name that decides about its place in the order, such as its id.
    pub name: String,
    /// Documents with equal numbers stay together.
    pub group: usize,
    /// What parts should have in the same shares, with counts.
    pub strata: BTreeMap<String, usize>,
}

/// Documents that stay together.
struct Group {
    id: usize,
    n_documents: usize,
    strata: BTreeMap<String, usize>,
    /// Its place in the order: greater groups first, then by chance.
    order: (usize, [u8; 32]),
}

fn groups(items: &[SplitItem], seed: u64) -> Vec<Group> {
    let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
    for item in items {
        let chance = chance(seed, &item.name);
        let group = groups.entry(item.group).or_insert(Group {
            id: item.group,
            n_documents: 0,
            strata: BTreeMap::new(),
            order: (usize::MAX, chance),
        });
        group.n_documents += 1;
        group.order.0 -= 1;
        group.order.1 = group.order.1.min(chance);
        for (name, count) in &item.strata {
            *group.strata.entry(name.clone()).or_default() += count;
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| group.order);
    groups
}

fn chance(seed: u64, name: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_le_bytes());
    hasher.update(name);
    hasher.finalize().into()
}

/// What each part still lacks, of documents and of each name.
struct Lacks {
    documents: Vec<f64>,
    names: BTreeMap<String, Vec<f64>>,
}

impl Lacks {
    fn new(groups: &[Group], shares: &[f64]) -> Self {
        let whole: f64 = shares.iter().sum();
        let parts = |count: f64| shares.iter().map(|share| count * share / whole).collect();
        let mut counts: BTreeMap<String, f64> = BTreeMap::new();
        for (name, count) in groups.iter().flat_map(|group| &group.strata) {
            *counts.entry(name.clone()).or_default() += *count as f64;
        }
        let n_documents: usize = groups.iter().map(|group| group.n_documents).sum();
        Self {
            documents: parts(n_documents as f64),
            names: counts
                .into_iter()
                .map(|(name, count)| (name, parts(count)))
                .collect(),
        }
    }

    fn neediest(&self, name: Option<&str>) -> usize {
        let of_name = name.and_then(|name| self.names.get(name));
        let lack = |part: usize| {
            let of_name = of_name.map_or(0.0, |lacks| lacks[part]);
            (of_name, self.documents[part])
        };
        let parts = 0..self.documents.len();
        parts
            .reduce(|best, part| if lack(part) > lack(best) { part } else { best })
            .unwrap_or_default()
    }

    fn give(&mut self, part: usize, group: &Group) {
        self.documents[part] -= group.n_documents as f64;
        for (name, count) in &group.strata {
            if let Some(lacks) = self.names.get_mut(name) {
                lacks[part] -= *count as f64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(n: usize, group: usize, strata: &[(&str, usize)]) -> SplitItem {
        SplitItem {
            name: format!("d{n}"),
            group,
            strata: strata
                .iter()
                .map(|&(name, count)| (name.to_owned(), count))
                .collect(),
        }
    }

    fn sizes(parts: &[usize], n_parts: usize) -> Vec<usize> {
        (0..n_parts)
            .map(|part| parts.iter().filter(|&&p| p == part).count())
            .collect()
    }

    #[test]
    fn shares_are_kept_and_the_seed_decides() {
        let items: Vec<_> = (0..100).map(|n| item(n, n, &[])).collect();
        let parts = split(&items, &[80.0, 10.0, 10.0], 1);
        assert_eq!(sizes(&parts, 3), [80, 10, 10]);
        assert_ne!(parts, split(&items, &[80.0, 10.0, 10.0], 2));
        // The order of the documents does not matter.
        let mut reversed = items.clone();
        reversed.reverse();
        let mut other = split(&reversed, &[80.0, 10.0, 10.0], 1);
        other.reverse();
        assert_eq!(parts, other);
    }

    #[test]
    fn a_group_is_never_divided() {
        let items: Vec<_> = (0..60).map(|n| item(n, n % 7, &[])).collect();
        let parts = split(&items, &[0.8, 0.2], 3);
        for (a, b) in (0..60).flat_map(|a| (0..60).map(move |b| (a, b))) {
            assert!(a % 7 != b % 7 || parts[a] == parts[b]);
        }
        assert!(sizes(&parts, 2)[1] > 0);
    }

    #[test]
    fn rare_labels_are_in_every_part() {
        let items: Vec<_> = (0..200)
            .map(|n| match n % 20 {
                0 => item(n, n, &[("EVT", 1), ("PER", 3)]),
                1..10 => item(n, n, &[("PER", 2)]),
                _ => item(n, n, &[]),
            })
            .collect();
        let parts = split(&items, &[0.8, 0.1, 0.1], 5);
        assert_eq!(sizes(&parts, 3), [160, 20, 20]);
        for (part, expected) in [(0, 8), (1, 1), (2, 1)] {
            let n = (0..200)
                .filter(|n| n % 20 == 0 && parts[*n] == part)
                .count();
            assert_eq!(n, expected);
        }
    }
}
