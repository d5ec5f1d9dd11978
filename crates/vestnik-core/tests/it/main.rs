//! Tests of the crate as its users see it: properties, hand-computed cases, recorded answers.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of tests that fails, fails the test"
)]

mod columns;
mod entity_scores;
mod metrics;
mod seqeval;
mod tags;
mod texts;
