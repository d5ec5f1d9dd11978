//! All ways to cut a word into pieces.

use std::collections::HashMap;

use super::Piece;

/// A vocabulary in which the pieces that begin at a place are found quickly.
#[derive(Debug)]
pub(super) struct Lattice {
    /// Nodes of the prefix tree by parent and character; node 0 is the root.
    children: HashMap<(u32, char), u32>,
    /// For each node the piece that ends there.
    piece_at: Vec<Option<u32>>,
    scores: Vec<f64>,
}

/// A piece in a word.
#[derive(Debug, Clone, Copy)]
struct Edge {
    start: usize,
    end: usize,
    piece: usize,
}

impl Lattice {
    pub(super) fn new(pieces: &[Piece]) -> Self {
        let mut lattice = Self {
            children: HashMap::new(),
            piece_at: vec![None],
            scores: pieces.iter().map(|(_, score)| *score).collect(),
        };
        for (id, (piece, _)) in pieces.iter().enumerate() {
            let node = piece.chars().fold(0, |node, c| lattice.child(node, c));
            lattice.piece_at[node as usize] = Some(id as u32);
        }
        lattice
    }

    fn child(&mut self, node: u32, c: char) -> u32 {
        let next = self.piece_at.len() as u32;
        let child = *self.children.entry((node, c)).or_insert(next);
        if child == next {
            self.piece_at.push(None);
        }
        child
    }

    /// Adds to `counts` how often each piece is expected in a word that occurs `weight` times, over all ways to cut it,
    /// by the forward-backward algorithm.
    pub(super) fn add_expected(&self, word: &str, weight: f64, counts: &mut [f64]) {
        let edges = self.edges(word);
        let mut forward = vec![f64::NEG_INFINITY; word.len() + 1];
        forward[0] = 0.0;
        for edge in &edges {
            let score = forward[edge.start] + self.scores[edge.piece];
            forward[edge.end] = log_add(forward[edge.end], score);
        }
        let mut backward = vec![f64::NEG_INFINITY; word.len() + 1];
        backward[word.len()] = 0.0;
        for edge in edges.iter().rev() {
            let score = backward[edge.end] + self.scores[edge.piece];
            backward[edge.start] = log_add(backward[edge.start], score);
        }
        let total = forward[word.len()];
        for edge in &edges {
            let score = forward[edge.start] + self.scores[edge.piece] + backward[edge.end];
            counts[edge.piece] += weight * (score - total).exp();
        }
    }

    /// The most likely way to cut a word, without the piece `excluded`.
    pub(super) fn best_path(&self, word: &str, excluded: Option<usize>) -> Vec<usize> {
        let mut best: Vec<(f64, Option<Edge>)> = vec![(f64::NEG_INFINITY, None); word.len() + 1];
        best[0].0 = 0.0;
        for edge in self.edges(word) {
            let score = best[edge.start].0 + self.scores[edge.piece];
            if score > best[edge.end].0 && Some(edge.piece) != excluded {
                best[edge.end] = (score, Some(edge));
            }
        }
        let mut path = Vec::new();
        let mut end = word.len();
        while let Some(edge) = best[end].1 {
            path.push(edge.piece);
            end = edge.start;
        }
        path.reverse();
        path
    }

    /// All pieces in a word, by where they start.
    fn edges(&self, word: &str) -> Vec<Edge> {
        let mut edges = Vec::with_capacity(4 * word.len());
        for (start, _) in word.char_indices() {
            let mut node = 0;
            for (at, c) in word[start..].char_indices() {
                let Some(&child) = self.children.get(&(node, c)) else {
                    break;
                };
                node = child;
                if let Some(piece) = self.piece_at[node as usize] {
                    let end = start + at + c.len_utf8();
                    edges.push(Edge {
                        start,
                        end,
                        piece: piece as usize,
                    });
                }
            }
        }
        edges
    }
}

/// `ln(exp(a) + exp(b))`.
fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY {
        high
    } else {
        high + (low - high).exp().ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lattice() -> Lattice {
        let pieces = [("а", 0.1), ("б", 0.2), ("аб", 0.4), ("ба", 0.3)];
        Lattice::new(
            &pieces.map(|(piece, probability): (&str, f64)| (piece.to_owned(), probability.ln())),
        )
    }

    #[test]
    fn expected_counts_are_those_of_all_cuts() {
        // аба: а|б|а 0.002, аб|а 0.04, а|ба 0.03.
        let mut counts = [0.0; 4];
        lattice().add_expected("аба", 2.0, &mut counts);
        let total = 0.072;
        let expected = [
            (2.0 * 0.002 + 0.04 + 0.03) / total,
            0.002 / total,
            0.04 / total,
            0.03 / total,
        ];
        for (count, expected) in counts.iter().zip(expected) {
            assert!((count - 2.0 * expected).abs() < 1e-12, "{counts:?}");
        }
    }

    #[test]
    fn the_best_path_avoids_the_excluded_piece() {
        assert_eq!(lattice().best_path("аба", None), [2, 0]);
        assert_eq!(lattice().best_path("аба", Some(2)), [0, 3]);
        assert_eq!(lattice().best_path("аб", Some(2)), [0, 1]);
        assert_eq!(lattice().best_path("", None), Vec::<usize>::new());
    }

    #[test]
    fn logarithms_are_added_without_overflow() {
        assert_eq!(log_add(f64::NEG_INFINITY, -3.0), -3.0);
        assert_eq!(
            log_add(f64::NEG_INFINITY, f64::NEG_INFINITY),
            f64::NEG_INFINITY
        );
        assert!((log_add(-1000.0, -1000.0) - (-1000.0 + 2.0_f64.ln())).abs() < 1e-9);
    }
}
