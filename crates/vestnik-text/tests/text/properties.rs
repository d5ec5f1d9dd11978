//! What holds for every text.

use proptest::prelude::*;
use vestnik_core::Span;
use vestnik_text::{
    Collator, Example, IGNORE, TokenizedText, WindowOptions, sentences, windows, words,
};

use crate::support::{texts, tokenizer};

proptest! {
    #[test]
    fn words_are_ordered_disjoint_and_cover_what_is_written(text in texts()) {
        let mut end = 0;
        for word in words(&text) {
            prop_assert!(word.start() >= end);
            let written = word.slice(&text).unwrap();
            prop_assert_eq!(written.trim(), written);
            prop_assert!(!text[end..word.start()].contains(char::is_alphanumeric));
            end = word.end();
        }
        prop_assert!(!text[end..].contains(char::is_alphanumeric));
    }

    #[test]
    fn sentences_are_ordered_disjoint_runs_of_words(text in texts()) {
        let words = words(&text);
        let mut covered: Vec<&Span> = Vec::new();
        let mut end = 0;
        for sentence in sentences(&text) {
            prop_assert!(sentence.start() >= end);
            prop_assert!(!sentence.slice(&text).unwrap().contains('\n'));
            covered.extend(words.iter().filter(|word| sentence.contains(**word)));
            end = sentence.end();
        }
        prop_assert_eq!(covered, words.iter().collect::<Vec<_>>());
    }

    #[test]
    fn tokens_are_slices_without_white_space(text in texts()) {
        let tokens = tokenizer().encode(&text).unwrap();
        prop_assert_eq!(tokens.ids.len(), tokens.offsets.len());
        for (&id, &(start, end)) in tokens.ids.iter().zip(&tokens.offsets) {
            prop_assert!((id as usize) < tokenizer().vocab_size());
            prop_assert!(start <= end);
            let written = text.get(start..end);
            prop_assert_eq!(written.map(str::trim), written);
            prop_assert!(written.is_some());
        }
        let unknown = tokenizer().special().unk.unwrap();
        prop_assert!(!tokens.ids.contains(&unknown));
    }

    #[test]
    fn tokens_and_words_belong_together(text in texts()) {
        let text_tokens = TokenizedText::new(tokenizer(), &text).unwrap();
        prop_assert_eq!(&text_tokens.words, &words(&text));
        prop_assert_eq!(text_tokens.token_word.len(), text_tokens.tokens.len());
        for (token, word) in text_tokens.token_word.iter().enumerate() {
            let Some(word) = word.map(|word| word as usize) else { continue };
            let (start, end) = text_tokens.tokens.offsets[token];
            let span = text_tokens.words[word];
            prop_assert!(span.start() < end && start < span.end());
            let first = text_tokens.word_first_token[word].unwrap() as usize;
            prop_assert!(first <= token);
            prop_assert_eq!(text_tokens.word_begun_by(token), (first == token).then_some(word));
        }
        // Of the characters that are letters for everybody, none is lost.
        for (word, first) in text_tokens.words.iter().zip(&text_tokens.word_first_token) {
            let letters = text[word.range()].chars().all(|c| ('а'..='я').contains(&c));
            prop_assert!(!letters || first.is_some());
        }
        prop_assert!(text_tokens.sentence_starts.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn cores_of_windows_partition_the_tokens(text in texts(), max_tokens in 1usize..30, context in 0usize..9) {
        let text = TokenizedText::new(tokenizer(), &text).unwrap();
        let mut owned = Vec::new();
        for window in windows(&text, &WindowOptions { max_tokens, context }) {
            prop_assert!(window.tokens.len() <= max_tokens);
            prop_assert!(window.tokens.start <= window.core.start && window.core.end <= window.tokens.end);
            owned.extend(window.core);
        }
        prop_assert_eq!(owned, (0..text.tokens.len()).collect::<Vec<_>>());
    }

    #[test]
    fn batches_can_be_taken_apart(rows in prop::collection::vec((prop::collection::vec(5u32..900, 0..20), any::<bool>()), 0..12)) {
        let examples: Vec<Example> = rows.into_iter().enumerate().map(|(number, (ids, labelled))| Example {
            document: number / 3,
            window: number % 3,
            labels: labelled.then(|| ids.iter().map(|&id| i64::from(id % 7)).collect()),
            allowed: labelled.then(|| ids.iter().map(|&id| u64::from(id)).collect()),
            ids,
        }).collect();
        let special = tokenizer().special();
        let batch = Collator::new(special).batch(&examples);
        prop_assert_eq!(batch.n_sequences(), examples.len());
        for (number, (range, example)) in batch.sequences().zip(&examples).enumerate() {
            let inner = range.start + 1..range.end - 1;
            prop_assert_eq!((batch.ids[range.start], batch.ids[inner.end]), (special.cls, special.sep));
            prop_assert_eq!(&batch.ids[inner.clone()], &example.ids);
            let positions: Vec<u32> = (0..range.len() as u32).collect();
            prop_assert_eq!(&batch.position_ids[range], &positions);
            prop_assert_eq!(batch.origins[number], (example.document, example.window));
            if let Some(labels) = &example.labels {
                let all = batch.labels.as_ref().unwrap();
                prop_assert_eq!(&all[inner.clone()], labels);
                prop_assert_eq!((all[inner.start - 1], all[inner.end]), (IGNORE, IGNORE));
                prop_assert_eq!(&batch.allowed.as_ref().unwrap()[inner], example.allowed.as_ref().unwrap());
            }
        }
    }
}

#[test]
fn a_text_tokenised_in_pieces_is_the_text_tokenised_at_once() {
    let text = "Министърът пристигна в София, за да се срещне с 漢字 🙂 на 24.02.2022 г. Край! "
        .repeat(400);
    let pieces = TokenizedText::new(tokenizer(), &text).unwrap();
    assert_eq!(pieces.tokens, tokenizer().encode(&text).unwrap());
    assert!(text.len() > 50_000);
}

#[test]
fn endless_lines_and_gaps_are_read() {
    let letters = "щ".repeat(40_000);
    let ideographs = "漢".repeat(10_000);
    let spaces = " \0".repeat(40_000);
    let text = format!("{letters}{spaces}{ideographs}{spaces}край");
    let tokenized = TokenizedText::new(tokenizer(), &text).unwrap();
    let last = tokenized.words.last().unwrap();
    assert_eq!(last.slice(&text).unwrap(), "край");
    assert!(tokenized.word_first_token.iter().all(Option::is_some));
    // Of the gaps only a little is given to the tokenizer.
    assert!(tokenized.tokens.len() < 40_000 + 3 * 10_000 + 1_000);
}

#[test]
fn nothing_has_no_tokens() {
    for text in ["", " ", "\0", "\u{FEFF}\n\n"] {
        let tokenized = TokenizedText::new(tokenizer(), text).unwrap();
        assert_eq!(tokenized, TokenizedText::default(), "{text:?}");
        assert!(
            windows(
                &tokenized,
                &WindowOptions {
                    max_tokens: 8,
                    context: 2
                }
            )
            .is_empty()
        );
    }
}
