//! The languages of articles: recognised by their text, kept or passed over.

use std::collections::BTreeSet;

use rayon::prelude::*;
use vestnik_data::Article;
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

/// Recognises languages.
pub(super) struct Languages {
    detector: Detector,
    /// Only these are tagged; all when there are none.
    only: BTreeSet<String>,
    n_others: u64,
}

impl Languages {
    pub(super) fn new(only: &[String]) -> Self {
        Self {
            detector: Detector::new(),
            only: only.iter().cloned().collect(),
            n_others: 0,
        }
    }

    /// Notes the language of articles that do not say it, and passes over those in languages that are not wanted.
    pub(super) fn sort(&mut self, mut articles: Vec<Article>) -> Vec<Article> {
        articles.par_iter_mut().for_each(|article| {
            if !article.fields.contains_key("lang") {
                article.detected_lang = self.recognise(&article.text).map(str::to_owned);
            }
        });
        if self.only.is_empty() {
            return articles;
        }
        let n_before = articles.len();
        articles.retain(|article| {
            let said = article
                .fields
                .str("lang")
                .map(|lang| primary(&lang).to_lowercase());
            let lang = said.or_else(|| article.detected_lang.clone());
            lang.is_some_and(|lang| self.only.contains(&lang))
        });
        self.n_others += (n_before - articles.len()) as u64;
        articles
    }

    /// Articles that were passed over.
    pub(super) fn n_others(&self) -> u64 {
        self.n_others
    }

    fn recognise(&self, text: &str) -> Option<&'static str> {
        let head = &text[..text.floor_char_boundary(LOOKED_BYTES)];
        let lang = self.detector.detect_lang(head)?;
        CODES
            .iter()
            .find(|(known, _)| *known == lang)
            .map(|(_, code)| *code)
    }
}

/// `pt` of `pt-BR`.
fn primary(lang: &str) -> &str {
    lang.split(['-', '_']).next().unwrap_or(lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_languages_are_told_apart() {
        let languages = Languages::new(&[]);
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
            assert_eq!(languages.recognise(text), Some(lang), "{text}");
        }
        assert_eq!(languages.recognise("1234 …"), None);
    }

    #[test]
    fn every_language_has_a_code_of_its_own() {
        let codes: BTreeSet<&str> = CODES.iter().map(|(_, code)| *code).collect();
        assert_eq!(codes.len(), CODES.len());
        let has_code = |lang: &Lang| CODES.iter().any(|(known, _)| known == lang);
        assert!(Lang::all().iter().all(has_code));
    }
}
