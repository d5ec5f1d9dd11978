//! Whole models against the reference implementation.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test")]

mod freezing;
mod gradients;
mod heads;
mod insides;
mod low_rank;
mod multi_task;
mod parity;
mod stored_encoder;
mod support;

/// The same tests for every folder of fixtures.
macro_rules! test_folders {
    ($($folder:ident)*) => {
        /// Every folder that is tested.
        const FOLDERS: &[&str] = &[$(stringify!($folder)),*];

        $(mod $folder {
            const FOLDER: &str = stringify!($folder);

            #[test]
            fn gives_the_reference_outputs() {
                crate::parity::check_outputs(FOLDER);
            }

            #[test]
            fn gives_the_reference_gradients() {
                crate::parity::check_gradients(FOLDER);
            }

            #[test]
            fn trains_every_tensor() {
                crate::gradients::check_coverage(FOLDER);
            }

            #[test]
            fn has_the_gradients_that_differences_have() {
                crate::gradients::check_finite_differences(FOLDER);
            }

            #[test]
            fn computes_nothing_for_what_is_frozen() {
                crate::freezing::check_cost(FOLDER);
            }

            #[test]
            fn has_the_same_gradients_in_parts() {
                crate::insides::check_gradients(FOLDER);
            }

            #[test]
            fn has_the_tensors_of_its_encoder_one_by_one() {
                crate::stored_encoder::check_tensors(FOLDER);
            }

            #[test]
            fn learns_low_rank_updates() {
                crate::low_rank::check_start(FOLDER);
                crate::low_rank::check_coverage(FOLDER);
                crate::low_rank::check_finite_differences(FOLDER);
            }

            #[test]
            fn is_saved_with_its_updates_merged() {
                crate::low_rank::check_merging(FOLDER);
            }
        })*
    };
}

test_folders! {
    bert bert_relu bert_gelu_new bert_seq bert_seq_multi bert_mlm bert_mlm_untied
    roberta roberta_seq roberta_mlm
    xlm_roberta xlm_roberta_seq xlm_roberta_mlm
    camembert camembert_seq camembert_mlm
    distilbert distilbert_seq distilbert_mlm
    electra electra_seq electra_mlm
    deberta_v2 deberta_v2_xlarge deberta_v2_plain deberta_v2_seq deberta_v2_mlm deberta_v2_mlm_new
    modernbert modernbert_bias modernbert_v4 modernbert_seq modernbert_seq_cls modernbert_mlm
}

#[test]
fn every_folder_is_tested() {
    let entries = std::fs::read_dir(support::path("")).unwrap();
    let folders = entries
        .map(Result::unwrap)
        .filter(|entry| entry.path().join("expected.json").exists());
    let mut found: Vec<String> = folders
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let mut tested: Vec<String> = FOLDERS.iter().map(|name| (*name).to_owned()).collect();
    found.sort();
    tested.sort();
    assert_eq!(found, tested);
}
