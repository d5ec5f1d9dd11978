//! Sentences of a raw text.

use vestnik_core::Span;

use crate::words::may_end_sentence;

/// The sentences of a text, in order and disjoint, without the white space around them.
///
/// A line break always ends a sentence: news have headings and lists without full stops. A full stop that belongs to an
/// initial or an abbreviation (`А. С. Пушкин`, `г.`, `U.S.`) ends none, unless the abbreviation is one that often stands
/// last (`т.д.`, `etc.`) and a capital follows. A full stop without a space behind it ends a sentence when a capital
/// follows.
///
/// # Example
/// ```
/// let text = "Проф. А. С. Иванов е в гр. София. „Няма! Не идвам“, каза той.";
/// let sentences: Vec<&str> = vestnik_text::sentences(text).iter().map(|span| &text[span.range()]).collect();
/// assert_eq!(sentences, ["Проф. А. С. Иванов е в гр. София.", "„Няма!", "Не идвам“, каза той."]);
/// ```
pub fn sentences(text: &str) -> Vec<Span> {
    let words = crate::words(text);
    let starts = sentence_starts(text, &words);
    let ends = starts.iter().skip(1).copied().chain([words.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| words[start].cover(words[end - 1]))
        .collect()
}

/// Indices of the words with which sentences start; the first is 0 unless there are no words.
pub(crate) fn sentence_starts(text: &str, words: &[Span]) -> Vec<usize> {
    let mut starts: Vec<usize> = (0..words.len().min(1)).collect();
    let mut ended = false;
    for (i, pair) in words.windows(2).enumerate() {
        let [word, next] = [pair[0], pair[1]].map(|span| &text[span.range()]);
        let gap = &text[pair[0].end()..pair[1].start()];
        ended = is_terminal(word) || (ended && is_closer(word));
        if gap.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
            || (ended && may_start(next, gap.is_empty()))
        {
            starts.push(i + 1);
        }
        // Closing marks belong to the sentence only when they touch it.
        ended &= gap.is_empty();
    }
    starts
}

fn is_terminal(word: &str) -> bool {
    matches!(
        word,
        "." | "!" | "?" | "…" | "‼" | "⁇" | "⁈" | "⁉" | "。" | "！" | "？"
    ) || may_end_sentence(word)
}

fn is_closer(word: &str) -> bool {
    matches!(
        word,
        "\"" | "'" | "”" | "“" | "’" | "‘" | "»" | "›" | ")" | "]" | "」" | "』"
    )
}

/// Whether a sentence can start with the word. Where the space is missing only a capital shows it.
fn may_start(word: &str, glued: bool) -> bool {
    let Some(first) = word.chars().next() else {
        return false;
    };
    let capital = first.is_alphabetic() && !first.is_lowercase();
    let opener = matches!(
        first,
        '"' | '\'' | '„' | '“' | '”' | '‘' | '‚' | '«' | '‹' | '(' | '[' | '•' | '#' | '@'
    );
    capital || (!glued && (opener || first.is_numeric()))
}

#[cfg(test)]
mod tests {
    use super::sentences;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = sentences(text)
            .iter()
            .map(|span| &text[span.range()])
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn full_stops_of_abbreviations_and_initials_end_nothing() {
        check(
            "Она живёт на ул. Мира в г. Орле. Там тихо.",
            &["Она живёт на ул. Мира в г. Орле.", "Там тихо."],
        );
        check(
            "Пише А. С. Пушкін і Т.Г. Шевченко.",
            &["Пише А. С. Пушкін і Т.Г. Шевченко."],
        );
        check(
            "The U.S. Senate met at 5 p.m. Then it rested.",
            &["The U.S. Senate met at 5 p.m.", "Then it rested."],
        );
        check(
            "Хляб, сирене и др. Има и вино.",
            &["Хляб, сирене и др.", "Има и вино."],
        );
        check(
            "Сирене, хляб и др. продукти.",
            &["Сирене, хляб и др. продукти."],
        );
        check(
            "V Praze žije 1,3 mil. lidí, např. Jan.",
            &["V Praze žije 1,3 mil. lidí, např. Jan."],
        );
    }

    #[test]
    fn quotation_marks_and_brackets_close_with_the_sentence() {
        check("«Да!» Он ушёл.", &["«Да!»", "Он ушёл."]);
        check(
            "„Да!“ „Не!“ (Смях.) Край",
            &["„Да!“", "„Не!“", "(Смях.)", "Край"],
        );
        check(
            "He said \"No.\" She left.",
            &["He said \"No.\"", "She left."],
        );
        check(
            "\"Ідемо!\" – сказала вона.",
            &["\"Ідемо!\" – сказала вона."],
        );
    }

    #[test]
    fn line_breaks_end_sentences_and_lower_case_does_not_start_them() {
        check(
            "Заглавие без точка\nтекст...  и още\r\n\r\nкрай",
            &["Заглавие без точка", "текст...  и още", "край"],
        );
        check(
            "Сума 3.5 млн. лв. за 2014.",
            &["Сума 3.5 млн. лв. за 2014."],
        );
        check("Точка.Без интервал", &["Точка.", "Без интервал"]);
        check("你好。世界！", &["你好。", "世界！"]);
        check("", &[]);
        check(" \n\0\n ", &[]);
    }
}
