//! Offsets of tokens that stand for single bytes.

use std::ops::Range;

/// The byte that a piece stands for: `<0x0A>` is 10.
pub(crate) fn byte_of(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Gives byte tokens the span of their own character.
///
/// The tokenizer spells neighbouring unknown characters together and gives each of their bytes the span of all of them. A
/// text in Chinese would be one span for each run without punctuation. Where the bytes are not those of the text, because
/// normalisation changed it, the span stays.
pub(crate) fn narrow(text: &str, bytes: &[Option<u8>], offsets: &mut [(usize, usize)]) {
    let mut start = 0;
    while start < bytes.len() {
        let same = |i: &usize| bytes[*i].is_some() && offsets[*i] == offsets[start];
        let end = start + (start..bytes.len()).take_while(same).count();
        if end > start {
            narrow_run(text, bytes, offsets, start..end);
        }
        start = end.max(start + 1);
    }
}

fn narrow_run(text: &str, bytes: &[Option<u8>], offsets: &mut [(usize, usize)], run: Range<usize>) {
    let (start, end) = offsets[run.start];
    let spelt: Vec<u8> = bytes[run.clone()].iter().flatten().copied().collect();
    let Ok(spelt) = String::from_utf8(spelt) else {
        return;
    };
    let Some(spans) = align(&text[start..end], &spelt) else {
        return;
    };
    let spans = spelt
        .chars()
        .zip(spans)
        .flat_map(|(c, span)| std::iter::repeat_n(span, c.len_utf8()));
    for (offset, span) in offsets[run].iter_mut().zip(spans) {
        *offset = (start + span.start, start + span.end);
    }
}

/// Where in `original` each character of `spelt` stands; characters that normalisation took out are passed over.
fn align(original: &str, spelt: &str) -> Option<Vec<Range<usize>>> {
    let mut characters = original.char_indices();
    let find = |wanted| {
        characters
            .find(|&(_, c)| c == wanted)
            .map(|(at, c)| at..at + c.len_utf8())
    };
    spelt.chars().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, spelt: &str, expected: &[(usize, usize)]) {
        let bytes: Vec<Option<u8>> = spelt.bytes().map(Some).collect();
        let mut offsets = vec![(0, text.len()); bytes.len()];
        narrow(text, &bytes, &mut offsets);
        offsets.dedup();
        assert_eq!(offsets, expected);
    }

    #[test]
    fn pieces_of_bytes_are_recognised() {
        assert_eq!(byte_of("<0x0A>"), Some(10));
        assert_eq!(byte_of("<0xFF>"), Some(255));
        for piece in ["<0x>", "<0xZZ>", "<0x123>", "0x12", "▁<", "<0x+1>é"] {
            assert_eq!(byte_of(piece), None, "{piece}");
        }
    }

    #[test]
    fn each_character_gets_its_own_bytes() {
        check("漢字", "漢字", &[(0, 3), (3, 6)]);
        check("🙂", "🙂", &[(0, 4)]);
        check("❤\u{FE0F}漢", "❤漢", &[(0, 3), (6, 9)]);
    }

    #[test]
    fn what_is_not_in_the_text_keeps_the_whole_span() {
        check("漢字", "字漢", &[(0, 6)]);
        let bytes = [Some(0xE6), None, Some(0xBC)];
        let mut offsets = [(0, 3); 3];
        narrow("漢", &bytes, &mut offsets);
        assert_eq!(offsets, [(0, 3); 3]);
    }
}
