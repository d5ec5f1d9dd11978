//! The best sequence of tags.

use super::Chain;

impl Chain<'_> {
    /// The sequence of tags with the highest score, the first of equals (Viterbi 1967). Time is linear in the words.
    #[must_use]
    pub fn best_path(&self) -> Vec<usize> {
        let n_tags = self.transitions.n_tags();
        let mut back = vec![0_u16; self.emissions.len()];
        // Score of the best sequence up to a word that gives it a certain tag.
        let mut best: Vec<f64> = (0..n_tags).map(|tag| self.start(tag)).collect();
        for word in 0..self.n_words() {
            if word > 0 {
                let back = &mut back[word * n_tags..][..n_tags];
                best = self.step(&best, back);
            }
            let row = self.row(word).iter();
            best.iter_mut().zip(row).for_each(|(best, x)| *best += x);
        }
        let ends = best.iter().enumerate();
        let last = maximum(ends.map(|(tag, score)| (tag, score + self.end(tag))));
        trace(&back, n_tags, last.0)
    }

    /// The score of the best way to each tag of the next word; the tag before it goes to `back`.
    fn step(&self, best: &[f64], back: &mut [u16]) -> Vec<f64> {
        let mut next = Vec::with_capacity(best.len());
        for (tag, back) in back.iter_mut().enumerate() {
            let ways = best.iter().enumerate();
            let (previous, score) = maximum(ways.map(|(previous, score)| {
                (previous, score + self.transitions.between(previous, tag))
            }));
            *back = previous as u16;
            next.push(score);
        }
        next
    }
}

/// The tags of a path from the last one and each tag's predecessor.
fn trace(back: &[u16], n_tags: usize, last: usize) -> Vec<usize> {
    let mut path = vec![last; back.len() / n_tags];
    for word in (1..path.len()).rev() {
        path[word - 1] = usize::from(back[word * n_tags + path[word]]);
    }
    path
}

/// The first of the largest values.
fn maximum(values: impl Iterator<Item = (usize, f64)>) -> (usize, f64) {
    values.fold((0, f64::NEG_INFINITY), |best, value| {
        if value.1 > best.1 { value } else { best }
    })
}
