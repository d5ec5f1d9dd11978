//! A run as an iterator over its events.

use super::*;

const EPOCHS: &str = "epochs=3";

fn fresh(overrides: &[&str], out: &Path) -> Trainer {
    trainer(0.1, data(0..6, 6..8), &config(overrides), out)
}

/// What does not depend on the clock.
fn facts(events: &[Event]) -> Vec<(u64, f64)> {
    let steps = steps(events);
    steps.iter().map(|step| (step.step, step.loss)).collect()
}

#[test]
fn the_iterator_tells_what_the_callback_is_told() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (expected, told) = run(&mut fresh(&[EPOCHS], one.path()));
    let mut events = fresh(&[EPOCHS], other.path()).events().unwrap();
    let found: Vec<Event> = events.by_ref().collect();
    let record = events.finish().unwrap();
    assert_eq!(facts(&found), facts(&told));
    assert!(matches!(found.first(), Some(Event::Start(_))));
    assert!(matches!(found.last(), Some(Event::Finish { .. })));
    assert_eq!(found.len(), told.len());
    assert_eq!(record.best, expected.best);
}

#[test]
fn a_run_that_nobody_follows_ends_by_itself() {
    // More events than there is room for those that wait.
    let out = tempfile::tempdir().unwrap();
    let events = fresh(
        &["epochs=100", "max_steps=100", "evaluate_every=100"],
        out.path(),
    );
    let record = events.events().unwrap().finish().unwrap();
    assert_eq!(record.finish, Some(FinishReason::Complete));
}

#[test]
fn an_iterator_that_is_dropped_ends_the_run_with_a_checkpoint() {
    let out = tempfile::tempdir().unwrap();
    let overrides = ["epochs=1000", "evaluate_every=100000"];
    let mut events = fresh(&overrides, out.path()).events().unwrap();
    let step = |event: Event| matches!(event, Event::Step(_)).then_some(());
    events.find_map(step).unwrap();
    drop(events);
    let mut resumed = fresh(&overrides, out.path());
    assert!(matches!(
        resumed.resume().unwrap(),
        Resumed { step: 1.., .. }
    ));

    let mut events = resumed.events().unwrap();
    events.find_map(step).unwrap();
    let record = events.stop().unwrap();
    assert_eq!(record.finish, Some(FinishReason::Stopped));
}

#[test]
fn what_goes_wrong_comes_at_the_end() {
    let out = tempfile::tempdir().unwrap();
    run(&mut fresh(&["epochs=1"], out.path()));
    let mut again = fresh(&["epochs=1"], out.path()).events().unwrap();
    assert!(again.next().is_none());
    assert!(matches!(again.finish(), Err(Error::OutputExists { .. })));
}
