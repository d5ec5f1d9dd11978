//! The language of a text, recognised by its letters.

use whatlang::{Detector, Lang};

/// So much of a text is looked at, in bytes: more of it says nothing more.
const LOOKED_BYTES: usize = 2000;

/// Codes of ISO 639-1 for the languages that have one; the detector has those of ISO 639-3.
const CODES: [(Lang, &str); 70] = [
    (Lang::Afr, "af"),
    (Lang::Aka, "ak"),
    (Lang::Amh, "am"),
    (Lang::Ara, "ar"),
    (Lang::Aze, "az"),
    (Lang::Bel, "be"),
    (Lang::Ben, "bn"),
    (Lang::Bul, "bg"),
    (Lang::Cat, "ca"),
    (Lang::Ces, "cs"),
    (Lang::Cmn, "zh"),
    (Lang::Cym, "cy"),
    (Lang::Dan, "da"),
    (Lang::Deu, "de"),
    (Lang::Ell, "el"),
    (Lang::Eng, "en"),
    (Lang::Epo, "eo"),
    (Lang::Est, "et"),
    (Lang::Fin, "fi"),
    (Lang::Fra, "fr"),
    (Lang::Guj, "gu"),
    (Lang::Heb, "he"),
    (Lang::Hin, "hi"),
    (Lang::Hrv, "hr"),
    (Lang::Hun, "hu"),
    (Lang::Hye, "hy"),
    (Lang::Ind, "id"),
    (Lang::Ita, "it"),
    (Lang::Jav, "jv"),
    (Lang::Jpn, "ja"),
    (Lang::Kan, "kn"),
    (Lang::Kat, "ka"),
    (Lang::Khm, "km"),
    (Lang::Kor, "ko"),
    (Lang::Lat, "la"),
    (Lang::Lav, "lv"),
    (Lang::Lit, "lt"),
    (Lang::Mal, "ml"),
    (Lang::Mar, "mr"),
    (Lang::Mkd, "mk"),
    (Lang::Mya, "my"),
    (Lang::Nep, "ne"),
    (Lang::Nld, "nl"),
    (Lang::Nob, "no"),
    (Lang::Ori, "or"),
    (Lang::Pan, "pa"),
    (Lang::Pes, "fa"),
    (Lang::Pol, "pl"),
    (Lang::Por, "pt"),
    (Lang::Ron, "ro"),
    (Lang::Rus, "ru"),
    (Lang::Sin, "si"),
    (Lang::Slk, "sk"),
    (Lang::Slv, "sl"),
    (Lang::Sna, "sn"),
    (Lang::Spa, "es"),
    (Lang::Srp, "sr"),
    (Lang::Swe, "sv"),
    (Lang::Tam, "ta"),
    (Lang::Tel, "te"),
    (Lang::Tgl, "tl"),
    (Lang::Tha, "th"),
    (Lang::Tuk, "tk"),
    (Lang::Tur, "tr"),
    (Lang::Ukr, "uk"),
    (Lang::Urd, "ur"),
    (Lang::Uzb, "uz"),
    (Lang::Vie, "vi"),
    (Lang::Yid, "yi"),
    (Lang::Zul, "zu"),
];

/// The language that a text is recognised in, as a code of ISO 639-1; `None` for a text that says none, such as one without
/// letters. Its first 2000 bytes are looked at.
///
/// ```
/// assert_eq!(vestnik_text::recognise_language("Прем'єр-міністр заявив, що уряд обговорить бюджет."), Some("uk"));
/// ```
#[must_use]
pub fn recognise_language(text: &str) -> Option<&'static str> {
    let head = &text[..text.floor_char_boundary(LOOKED_BYTES)];
    let lang = Detector::new().detect_lang(head)?;
    CODES
        .iter()
        .find(|(known, _)| *known == lang)
        .map(|(_, code)| *code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn close_languages_are_told_apart() {
        for (lang, text) in [
            (
                "bg",
                "Министър-председателят заяви, че правителството ще обсъди бюджета за следващата година в сряда.",
            ),
            (
                "ru",
                "Премьер-министр заявил, что правительство обсудит бюджет на следующий год в среду.",
            ),
            (
                "uk",
                "Прем'єр-міністр заявив, що уряд обговорить бюджет на наступний рік у середу.",
            ),
            (
                "en",
                "The prime minister said that the government would discuss next year's budget on Wednesday.",
            ),
            (
                "cs",
                "Předseda vlády řekl, že vláda bude ve středu jednat o rozpočtu na příští rok.",
            ),
            (
                "pl",
                "Premier powiedział, że w środę rząd omówi budżet na przyszły rok.",
            ),
            (
                "sl",
                "Predsednik vlade je dejal, da bo vlada v sredo razpravljala o proračunu za prihodnje leto.",
            ),
        ] {
            assert_eq!(recognise_language(text), Some(lang), "{text}");
        }
        assert_eq!(recognise_language("1234 …"), None);
    }

    #[test]
    fn every_language_has_a_code_of_its_own() {
        let codes: BTreeSet<&str> = CODES.iter().map(|(_, code)| *code).collect();
        assert_eq!(codes.len(), CODES.len());
        let has_code = |lang: &Lang| CODES.iter().any(|(known, _)| known == lang);
        assert!(Lang::all().iter().all(has_code));
    }
}
