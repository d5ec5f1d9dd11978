//! Names of the outputs.

use serde_json::json;

use super::{CONFIG, refused_for_tagging};

#[test]
fn labels() {
    refused_for_tagging(&[
        (
            "no map",
            |s| {
                s.edit(CONFIG, |config| {
                    config.as_object_mut().unwrap().remove("id2label");
                });
            },
            "tiny/config.json: the labels are placeholders (LABEL_0, LABEL_1)",
        ),
        (
            "another head",
            |s| s.configure("architectures", json!(["BertForMaskedLM"])),
            "tiny/config.json: the model is a BertForMaskedLM, expected one for token classification",
        ),
        (
            "a hole",
            |s| s.configure("id2label", json!({"0": "O", "1": "B-PER", "3": "I-PER"})),
            "the 3 ids of id2label are not 0, 1, 2",
        ),
        (
            "too few",
            |s| s.configure("id2label", json!({"0": "O", "1": "B-PER", "2": "I-PER"})),
            "tensor classifier.weight has shape [5, 24], config.json demands [3, 24]",
        ),
        (
            "twice",
            |s| {
                s.configure(
                    "id2label",
                    json!({"0": "O", "1": "B-PER", "2": "I-PER", "3": "B-PER", "4": "I-LOC"}),
                );
            },
            "label \"B-PER\" occurs twice",
        ),
        (
            "placeholders",
            |s| {
                s.configure("id2label", json!({"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2", "3": "LABEL_3", "4": "LABEL_4"}));
            },
            "tiny/config.json: the labels are placeholders (LABEL_0, LABEL_1, LABEL_2)",
        ),
        (
            "a number",
            |s| s.configure("id2label", json!({"0": 7})),
            "id2label has the entry \"0\": 7",
        ),
        (
            "a list",
            |s| s.configure("id2label", json!(["O", "B-PER"])),
            "id2label",
        ),
        (
            "a name of no id",
            |s| s.configure("id2label", json!({"O": 0, "B-PER": 1})),
            "id2label has the entry \"O\": 0",
        ),
    ]);
}
