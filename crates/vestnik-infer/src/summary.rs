//! What a whole text says of each thing that it names.

use std::collections::BTreeMap;

use vestnik_core::{Entity, Span, StanceLabel};

use crate::analysis::Analysis;

/// All mentions of a thing in a text.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Mentioned {
    /// Its type.
    pub label: String,
    /// The first mention, in UTF-8 bytes of the text.
    pub first: Span,
    /// Number of mentions.
    pub mentions: usize,
    /// The stances of the text towards them; `None` where none was asked.
    pub stance: Option<MeanStance>,
}

/// The stances of a text towards all mentions of a thing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MeanStance {
    /// Mean polarity of the mentions, from -1 (against) to 1 (favour).
    pub mean: f64,
    /// Mentions that the text stands against.
    pub against: usize,
    /// Mentions that it is neutral towards.
    pub neutral: usize,
    /// Mentions that it favours.
    pub favour: usize,
}

impl Analysis {
    /// The entities of the text by what they name, in the order of their first mentions.
    ///
    /// Mentions are one thing when they have one label and one form: case, white space between words, quotation marks and
    /// soft hyphens do not matter. Inflected forms (`Киев`, `Киева`) stay apart.
    ///
    /// # Panics
    /// When `text` is not the one that was analysed.
    #[must_use]
    pub fn summary(&self, text: &str) -> Vec<Mentioned> {
        let mut groups: BTreeMap<(String, &str), usize> = BTreeMap::new();
        let mut mentions: Vec<Vec<&Entity>> = Vec::new();
        for entity in &self.entities {
            let key = (
                normal_form(&text[entity.span.range()]),
                entity.label.as_str(),
            );
            let group = *groups.entry(key).or_insert(mentions.len());
            if group == mentions.len() {
                mentions.push(Vec::new());
            }
            mentions[group].push(entity);
        }
        mentions
            .iter()
            .map(|mentions| mentioned(mentions))
            .collect()
    }
}

fn mentioned(mentions: &[&Entity]) -> Mentioned {
    let stances: Vec<_> = mentions.iter().filter_map(|entity| entity.stance).collect();
    let count = |label| {
        stances
            .iter()
            .filter(|stance| stance.label == label)
            .count()
    };
    let sum: f64 = stances
        .iter()
        .map(|stance| f64::from(stance.polarity))
        .sum();
    Mentioned {
        label: mentions[0].label.clone(),
        first: mentions[0].span,
        mentions: mentions.len(),
        stance: (!stances.is_empty()).then(|| MeanStance {
            mean: sum / stances.len() as f64,
            against: count(StanceLabel::Against),
            neutral: count(StanceLabel::Neutral),
            favour: count(StanceLabel::Favour),
        }),
    }
}

fn normal_form(name: &str) -> String {
    let is_mark = |c: char| matches!(c, '"' | '«' | '»' | '\u{201c}'..='\u{201f}' | '\u{ad}');
    let kept: String = name.chars().filter(|&c| !is_mark(c)).collect();
    let words: Vec<&str> = kept.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use vestnik_core::Stance;

    use super::*;

    fn entity(text: &str, name: &str, label: &str, stance: Option<(StanceLabel, f32)>) -> Entity {
        let start = text.find(name).unwrap();
        let span = Span::new(start, start + name.len()).unwrap();
        let mut entity = Entity::new(span, label);
        entity.stance = stance.map(|(label, polarity)| Stance {
            label,
            score: 0.5,
            polarity,
        });
        entity
    }

    #[test]
    fn mentions_of_one_form_are_one_thing() {
        let text = "КИЇВ «Нова\u{ad} Рада» київ Нова\n рада Київ Києва";
        let analysis = Analysis {
            entities: vec![
                entity(text, "КИЇВ", "LOC", Some((StanceLabel::Against, -0.5))),
                entity(text, "«Нова\u{ad} Рада»", "ORG", None),
                entity(text, "київ", "LOC", Some((StanceLabel::Neutral, 0.25))),
                entity(text, "Нова\n рада", "ORG", None),
                entity(text, "Київ", "ORG", None),
                entity(text, "Києва", "LOC", None),
            ],
            ..Analysis::default()
        };
        let summary = analysis.summary(text);
        let told: Vec<(&str, &str, usize)> = summary
            .iter()
            .map(|m| (m.first.slice(text).unwrap(), m.label.as_str(), m.mentions))
            .collect();
        assert_eq!(
            told,
            [
                ("КИЇВ", "LOC", 2),
                ("«Нова\u{ad} Рада»", "ORG", 2),
                ("Київ", "ORG", 1),
                ("Києва", "LOC", 1)
            ]
        );
        let mean = MeanStance {
            mean: -0.125,
            against: 1,
            neutral: 1,
            favour: 0,
        };
        assert_eq!(summary[0].stance, Some(mean));
        assert_eq!(summary[1].stance, None);
        assert!(Analysis::default().summary("").is_empty());
    }
}
