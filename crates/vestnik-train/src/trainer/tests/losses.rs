//! Losses and the conditional random field in whole runs.

use super::*;

#[test]
fn one_batch_is_learnt_by_heart_with_every_loss() {
    for (overrides, most) in [
        (&["model.head=crf", "optimizer.head_lr_factor=3"][..], 0.02),
        (&["loss.class_weights=\"balanced\""], 0.02),
        (&["loss.class_weights={O = 0.5, PER = 2}"], 0.02),
        (&["loss.focal_gamma=2"], 0.002),
        // The entropy of the smoothed target remains.
        (&["loss.label_smoothing=0.1"], 0.42),
    ] {
        let (loss, measures) = learn_by_heart(overrides);
        assert!(loss < most, "{overrides:?}: {loss}");
        assert_eq!(measures.score(), 1.0, "{overrides:?}");
    }
}

/// One entity of all 40 words, so that every window but the first begins inside of it.
fn long_entity() -> Document {
    let text = vec!["Anna"; 40].join(" ");
    let whole = vestnik_core::Span::new(0, text.len()).unwrap();
    let mut document = Document::new("long", text);
    let entity = vestnik_core::Entity::new(whole, "PER");
    document.push_entity(entity).unwrap();
    document
}

#[test]
fn a_crf_learns_entities_that_windows_cut() {
    let out = tempfile::tempdir().unwrap();
    let config = config(&["epochs=40", "model.head=crf", "schedule.decay=constant"]);
    let mut data = data(0..6, 0..0);
    data.train[0].documents.push(long_entity());
    data.dev.push(long_entity());
    let mut trainer = trainer(0.0, data, &config, out.path());
    let examples = &trainer.run.task.entities().examples;
    let long: Vec<vestnik_text::Example> = examples
        .examples
        .iter()
        .filter(|e| e.document == 6)
        .cloned()
        .collect();
    let batch = trainer.run.task.collator.batch(&long);
    let parts = examples.parts(&batch);
    let last = parts.len() - 1;
    assert!(last >= 3);
    for (place, part) in parts.iter().enumerate() {
        assert_eq!((part.begins, part.ends), (place == 0, place == last));
    }
    let (record, events) = run(&mut trainer);
    assert!(steps(&events).iter().all(|step| step.loss.is_finite()));
    assert_eq!(record.best.unwrap().measures.score(), 1.0);
}

#[test]
fn a_crf_learns_from_corpora_that_annotate_different_types() {
    let out = tempfile::tempdir().unwrap();
    let config = config(&["epochs=40", "model.head=crf", "schedule.decay=constant"]);
    let partly = |document: Document, keep: &str| {
        let entities = document
            .entities()
            .iter()
            .filter(|e| e.label == keep)
            .cloned()
            .collect();
        let mut document = Document::new(document.id(), document.text()).with_annotated([keep]);
        document.set_entities(entities).unwrap();
        document
    };
    let persons = documents(0..30).into_iter().map(|d| partly(d, "PER"));
    let places = documents(30..60).into_iter().map(|d| partly(d, "LOC"));
    let mut data = data(0..0, 0..20);
    data.train[0].documents = persons.chain(places).collect();
    let (record, _) = run(&mut trainer(0.0, data, &config, out.path()));
    let f1 = record.best.unwrap().measures.score();
    assert!(f1 > 0.9, "{f1}");
}

#[test]
fn losses_that_do_not_fit_are_refused() {
    let out = tempfile::tempdir().unwrap();
    let message = |overrides: &[&str]| {
        let config = config(overrides);
        let model = tagger(0.0, &config);
        let (tokenizer, data) = (testing::tokenizer(), data(0..3, 0..0));
        let refused = Trainer::new(model, tokenizer, data, &config, out.path());
        refused.unwrap_err().to_string()
    };
    assert_eq!(
        message(&["loss.class_weights={SHIP = 2}"]),
        "setting `loss.class_weights` is for \"SHIP\", expected labels of the model: O, PER, LOC"
    );
    assert!(message(&["model.head=crf", "loss.focal_gamma=2"]).contains("the model has a CRF"));
}

#[test]
fn a_crf_learns_beside_what_is_frozen_or_adapted() {
    for what_learns in ["freeze.encoder=true", "lora.rank=2"] {
        let out = tempfile::tempdir().unwrap();
        let config = config(&["max_steps=5", "model.head=crf", what_learns]);
        run(&mut trainer(0.1, data(0..10, 0..4), &config, out.path()));
        let dir = vestnik_model::ModelDir::open(&out.path().join("model")).unwrap();
        let (model, _) = TokenClassifier::load(&dir, &vestnik_model::Device::Cpu).unwrap();
        let transitions = model.crf().unwrap().transitions().unwrap();
        assert_ne!(transitions.between(0, 1), 0.0, "{what_learns}");
        assert_ne!(transitions.end(0), 0.0, "{what_learns}");
    }
}
