//! From strings to integers and back: tokenizers, words, windows, batches, decoding.
