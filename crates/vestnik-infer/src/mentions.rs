//! Stances towards stretches of texts, from the states of the windows that own them.

use std::collections::BTreeMap;

use vestnik_core::{Span, Stance};
use vestnik_model::{Mode, TaskHeads};
use vestnik_text::SpanPlace;

use crate::error::Result;
use crate::reader::{ReadBatch, Sequence, Text, to_host};
use crate::stance_scores::StanceScores;
use crate::task::Task;

/// The stretches of texts towards which stances are asked, and the stances found so far.
///
/// A stretch belongs to the window that owns its first token; its sentence and its text are those parts of them that the
/// window has, as in training.
pub(crate) struct Mentions {
    /// By text and window: places counted from the window's first token, each with its number.
    places: BTreeMap<(usize, usize), Vec<(SpanPlace, usize)>>,
    /// By number.
    stances: Vec<Option<Stance>>,
}

impl Mentions {
    /// For each text its stretches; they are numbered through.
    pub(crate) fn new(texts: &[Text<'_>], spans: &[Vec<Span>]) -> Self {
        let mut places: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut number = 0;
        for (index, (text, spans)) in texts.iter().zip(spans).enumerate() {
            for span in spans {
                if let Some((window, place)) = place(text, *span) {
                    places
                        .entry((index, window))
                        .or_default()
                        .push((place, number));
                }
                number += 1;
            }
        }
        Self {
            places,
            stances: vec![None; number],
        }
    }

    /// The windows that have some.
    pub(crate) fn windows(&self) -> Vec<Sequence> {
        let windows = self.places.keys();
        windows
            .map(|&(text, window)| Sequence { text, window })
            .collect()
    }

    /// Finds the stances towards those that stand in the windows of a batch.
    pub(crate) fn add(
        &mut self,
        batch: &ReadBatch,
        heads: &TaskHeads,
        scores: &StanceScores,
    ) -> Result<()> {
        let mut places = Vec::new();
        let mut numbers = Vec::new();
        for (sequence, rows) in batch.windows() {
            let of_window = self.places.get(&(sequence.text, sequence.window));
            for (place, number) in of_window.into_iter().flatten() {
                places.push(place.behind(rows.start));
                numbers.push(*number);
            }
        }
        let Some(first) = places.first().cloned() else {
            return Ok(());
        };
        // A product with one row sums in another order; never alone, a place has the same stance in every batch.
        places.push(first);
        let task = Task::Stance.as_str();
        let logits = heads.span_logits(task, &batch.states, &places, Mode::Inference)?;
        let logits = to_host(&logits)?;
        let rows = logits.chunks_exact(logits.len() / places.len());
        for (number, row) in numbers.into_iter().zip(rows) {
            self.stances[number] = Some(scores.stance(row));
        }
        Ok(())
    }

    /// The stances by number.
    pub(crate) fn into_stances(self) -> Vec<Option<Stance>> {
        self.stances
    }
}

/// The window that owns the first token of a span, and the span's place in it; `None` when no word of it has a token.
fn place(text: &Text<'_>, span: Span) -> Option<(usize, SpanPlace)> {
    let place = SpanPlace::new(&text.tokens, span)?;
    let window = text
        .windows
        .partition_point(|window| window.core.end <= place.span.start);
    let within = place.within(&text.windows.get(window)?.tokens)?;
    Some((window, within))
}
