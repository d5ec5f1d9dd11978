//! Hyphens between a name and a common word.

/// What news put before a name, in lower case.
const BEFORE_NAMES: &[&str] = &[
    "anti",
    "ex",
    "mid",
    "non",
    "post",
    "pre",
    "pro",
    "анти",
    "екс",
    "контр",
    "пост",
    "про",
    "экс",
];

/// What English news put behind a name.
const BEHIND_NAMES: &[&str] = &[
    "aligned",
    "allied",
    "appointed",
    "backed",
    "based",
    "born",
    "bound",
    "brokered",
    "built",
    "controlled",
    "educated",
    "era",
    "friendly",
    "funded",
    "held",
    "installed",
    "led",
    "level",
    "like",
    "linked",
    "listed",
    "made",
    "occupied",
    "owned",
    "related",
    "run",
    "sponsored",
    "style",
    "supported",
    "trained",
    "wide",
];

/// Whether a hyphen joins a name with a common word, so that the name alone may be an entity: `US-based`, `pro-Russia`,
/// `Telegram-канал`, `LNG-terminal`.
pub(super) fn is_loose_compound(left: &str, right: &str) -> bool {
    let capital = |word: &str| word.starts_with(char::is_uppercase);
    if capital(right) {
        return BEFORE_NAMES.contains(&left.to_lowercase().as_str());
    }
    let common = right.starts_with(char::is_lowercase);
    let other_script = left.is_ascii() && !right.is_ascii() && right.starts_with(is_cyrillic);
    // Shorter ones are endings: `ONZ-etu`, `НАТО-вски`.
    let behind_acronym = is_acronym(left) && right.chars().nth(4).is_some();
    common && capital(left) && (other_script || behind_acronym || BEHIND_NAMES.contains(&right))
}

fn is_cyrillic(c: char) -> bool {
    ('\u{400}'..='\u{52F}').contains(&c)
}

fn is_acronym(word: &str) -> bool {
    word.chars().nth(1).is_some() && word.chars().all(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use super::is_loose_compound;

    #[test]
    fn names_come_off_common_words() {
        for (left, right) in [
            ("US", "based"),
            ("Kyiv", "born"),
            ("pro", "Russia"),
            ("Telegram", "каналу"),
            ("LNG", "terminalov"),
        ] {
            assert!(is_loose_compound(left, right), "{left}-{right}");
        }
    }

    #[test]
    fn names_and_their_endings_stay_whole() {
        for (left, right) in [
            ("Нью", "Йорк"),
            ("Coca", "cola"),
            ("ONZ", "etu"),
            ("Praha", "východ"),
            ("Ми", "8"),
            ("про", "російський"),
        ] {
            assert!(!is_loose_compound(left, right), "{left}-{right}");
        }
    }
}
