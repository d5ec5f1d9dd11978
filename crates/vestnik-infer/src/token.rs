//! The tokens of a text, for those who want to look.

use vestnik_text::Tokenizer;

use crate::error::Result;

/// A token as a model reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Vocabulary id.
    pub id: u32,
    /// The piece of the vocabulary.
    pub piece: String,
    /// UTF-8 bytes of the text, end-exclusive, on character boundaries; `None` for the special tokens around it.
    pub span: Option<(usize, usize)>,
}

/// The tokens of a text with the special tokens around it, however long it is.
pub(crate) fn tokens(tokenizer: &Tokenizer, text: &str) -> Result<Vec<Token>> {
    let input = tokenizer.encode_for_model(text, None)?;
    let each = input.ids.iter().zip(&input.texts).zip(&input.offsets);
    let token = |((id, text), offsets): ((&u32, &Option<usize>), &(usize, usize))| Token {
        id: *id,
        piece: tokenizer.token(*id).unwrap_or_default().to_owned(),
        span: text.map(|_| *offsets),
    };
    Ok(each.map(token).collect())
}
