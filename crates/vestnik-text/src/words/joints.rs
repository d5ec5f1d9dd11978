//! Which marks hold the parts of a word together.

use super::abbreviations::{is_abbreviation, is_domain_ending};
use super::compounds::is_loose_compound;
use super::{Atom, Kind, is_apostrophe};

/// Joins atoms into words, as byte ranges.
pub(super) fn join(text: &str, atoms: &[Atom]) -> Vec<(usize, usize)> {
    let mut words = Vec::with_capacity(atoms.len());
    let mut rest = Atoms { text, atoms };
    while !rest.atoms.is_empty() {
        let n_atoms = rest.word_length();
        words.push((rest.atoms[0].start, rest.atoms[n_atoms - 1].end));
        rest.atoms = &rest.atoms[n_atoms..];
    }
    words
}

/// The atoms from the one where a word starts.
#[derive(Clone, Copy)]
struct Atoms<'a> {
    text: &'a str,
    atoms: &'a [Atom],
}

impl<'a> Atoms<'a> {
    /// Number of atoms, at least 1, of the word that starts here.
    fn word_length(&self) -> usize {
        if self.is_possessive(0) {
            return 2;
        }
        let mut last = 0;
        while self.is_alphanumeric(last) && self.holds(last) {
            last += 2;
        }
        last + 1 + usize::from(self.takes_full_stop(last))
    }

    /// Whether the mark behind atom `i` holds it and the atom behind the mark together.
    fn holds(&self, i: usize) -> bool {
        let Some(Kind::Joint(mark)) = self.adjacent(i + 1) else {
            return false;
        };
        if !self.is_alphanumeric(i + 2) || self.adjacent(i + 2).is_none() {
            return false;
        }
        let digits = self.kind(i) == Some(Kind::Digits) && self.kind(i + 2) == Some(Kind::Digits);
        match mark {
            '.' => digits || is_domain_ending(self.slice(i + 2)) || self.is_dotted(i),
            ',' | ':' => digits,
            ';' | '_' => false,
            '&' => self.slice(i + 2).starts_with(char::is_uppercase),
            mark if is_apostrophe(mark) => !self.is_possessive(i + 1),
            _hyphen => !is_loose_compound(self.slice(i), self.slice(i + 2)),
        }
    }

    /// `U.S`, `т.е`, `т.нар`: atom `i` and the one behind the full stop abbreviate together.
    fn is_dotted(&self, i: usize) -> bool {
        is_abbreviation(&self.text[self.atoms[i].start..self.atoms[i + 2].end])
    }

    /// The English `'s` behind a word: a name ends before it.
    fn is_possessive(&self, i: usize) -> bool {
        let apostrophe = matches!(self.kind(i), Some(Kind::Joint(mark)) if is_apostrophe(mark));
        apostrophe && self.adjacent(i + 1).is_some() && matches!(self.slice(i + 1), "s" | "S")
    }

    /// Whether a full stop behind atom `last` belongs to the word that ends with it.
    fn takes_full_stop(&self, last: usize) -> bool {
        if self.adjacent(last + 1) != Some(Kind::Joint('.')) {
            return false;
        }
        let word = &self.text[self.atoms[0].start..self.atoms[last].end];
        is_abbreviation(word) || (last == 0 && self.is_initial())
    }

    /// A capital letter alone with a full stop, and something behind it in the same line: `А. С. Пушкин`.
    fn is_initial(&self) -> bool {
        let Some(stop) = self.atoms.get(1) else {
            return false;
        };
        let capital = self.slice(0).starts_with(char::is_uppercase) && self.is_single_letter(0);
        capital
            && self
                .atoms
                .get(2)
                .is_some_and(|next| !self.text[stop.end..next.start].contains('\n'))
    }

    fn is_single_letter(&self, i: usize) -> bool {
        self.kind(i) == Some(Kind::Letters) && self.slice(i).chars().nth(1).is_none()
    }

    fn is_alphanumeric(&self, i: usize) -> bool {
        matches!(self.kind(i), Some(Kind::Letters | Kind::Digits))
    }

    fn kind(&self, i: usize) -> Option<Kind> {
        self.atoms.get(i).map(|atom| atom.kind)
    }

    /// The kind of atom `i` when nothing lies between it and the atom before it.
    fn adjacent(&self, i: usize) -> Option<Kind> {
        let atom = self.atoms.get(i)?;
        (self.atoms[i - 1].end == atom.start).then_some(atom.kind)
    }

    fn slice(&self, i: usize) -> &'a str {
        self.atoms
            .get(i)
            .map_or("", |atom| &self.text[atom.start..atom.end])
    }
}
