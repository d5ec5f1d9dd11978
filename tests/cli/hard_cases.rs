//! Twelve short texts that are hard to read, in four languages: what a reader says of them, and what the built-in model
//! says today.
//!
//! The snapshot is no standard to be met, it shows where the model fails. After a change of the model, make it again and
//! review it:
//!
//! ```sh
//! INSTA_UPDATE=always cargo test --test cli hard_cases
//! ```

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// A text and what a reader says of it.
struct Case {
    lang: &'static str,
    kind: &'static str,
    text: &'static str,
    topic: &'static str,
    /// Names as they are first mentioned, with their types and the stances of the text towards them.
    names: &'static [(&'static str, &'static str, &'static str)],
}

const CASES: [Case; 12] = [
    Case {
        lang: "bg",
        kind: "negation",
        text: "Никой не може да обвини Ралица Момкова в липса на смелост: тя не отстъпи нито пред натиска, нито пред обидите.",
        topic: "politics",
        names: &[("Ралица Момкова", "PER", "favour")],
    },
    Case {
        lang: "ru",
        kind: "quoted opinion of a third party",
        text: "По словам адвоката Гурьева, «компания „Речстрой“ годами обманывала дольщиков». В самой „Речстрой“ от комментариев отказались.",
        topic: "crime, law and justice",
        names: &[
            ("Гурьева", "PER", "neutral"),
            ("Речстрой", "ORG", "neutral"),
        ],
    },
    Case {
        lang: "en",
        kind: "two targets with opposite stance",
        text: "While Hartwell quietly rebuilt the burnt-out school in ten weeks, Brandt wasted a year and two million on posters of himself.",
        topic: "politics",
        names: &[("Hartwell", "PER", "favour"), ("Brandt", "PER", "against")],
    },
    Case {
        lang: "uk",
        kind: "irony avoided: praise that is meant",
        text: "Без зайвих слів: волонтери «Світанку» за ніч зробили більше, ніж міська рада Новодолинська за два роки.",
        topic: "society",
        names: &[
            ("Світанку", "ORG", "favour"),
            ("Новодолинська", "LOC", "against"),
        ],
    },
    Case {
        lang: "ru",
        kind: "headline in capitals",
        text: "МЭР СЕВЕРОГОРСКА ЛАПШИН СНОВА ОСТАВИЛ ГОРОД БЕЗ ТЕПЛА\nКотельная встала третий раз за зиму.",
        topic: "disaster, accident and emergency incident",
        names: &[
            ("СЕВЕРОГОРСКА", "LOC", "neutral"),
            ("ЛАПШИН", "PER", "against"),
        ],
    },
    Case {
        lang: "bg",
        kind: "machine-translated text",
        text: "Господин Пол Кестрел, който е шеф на изпълнителната власт от Кестрел Моторс, казал е че неговата фирма няма да прави затварянето на завода вътре в Лидс.",
        topic: "economy, business and finance",
        names: &[
            ("Пол Кестрел", "PER", "neutral"),
            ("Кестрел Моторс", "ORG", "neutral"),
            ("Лидс", "LOC", "neutral"),
        ],
    },
    Case {
        lang: "uk",
        kind: "repeated title",
        text: "Президентка федерації Олена Гай привітала чемпіонок\nПрезидентка федерації Олена Гай привітала чемпіонок. Олена Гай подякувала тренерам за перемогу в Осло.",
        topic: "sport",
        names: &[("Олена Гай", "PER", "neutral"), ("Осло", "LOC", "neutral")],
    },
    Case {
        lang: "bg",
        kind: "list of theses",
        text: "Тезиси:\n1) „Долна банка“ вдига таксите;\n2) БНК мълчи;\n3) Потребителите губят;\n4) Виновникът е Стоян Керчев.",
        topic: "economy, business and finance",
        names: &[
            ("Долна банка", "ORG", "against"),
            ("БНК", "ORG", "against"),
            ("Стоян Керчев", "PER", "against"),
        ],
    },
    Case {
        lang: "ru",
        kind: "mixed scripts",
        text: "Стартап Nordlys AI из Хельсинки показал чип Aurora-7; инвестор Mika Лехтонен назвал его лучшим в классе.",
        topic: "science and technology",
        names: &[
            ("Nordlys AI", "ORG", "neutral"),
            ("Хельсинки", "LOC", "neutral"),
            ("Aurora-7", "PRO", "favour"),
            ("Mika Лехтонен", "PER", "neutral"),
        ],
    },
    Case {
        lang: "en",
        kind: "emoji",
        text: "🔥🔥 Well done, Port Ellery! 👏👏 Three goals and not one mistake, @ElleryFC 🏆 vs FC Marston 😴",
        topic: "sport",
        names: &[
            ("Port Ellery", "ORG", "favour"),
            ("FC Marston", "ORG", "against"),
        ],
    },
    Case {
        lang: "en",
        kind: "negated praise",
        text: "Nobody would call Senator Odell a reformer, and her bill did nothing to change that.",
        topic: "politics",
        names: &[("Odell", "PER", "against")],
    },
    Case {
        lang: "uk",
        kind: "bad news told neutrally",
        text: "Суд у Лучанську засудив колишнього директора «Водоканалу» Петра Сливку до трьох років за хабар.",
        topic: "crime, law and justice",
        names: &[
            ("Лучанську", "LOC", "neutral"),
            ("Водоканалу", "ORG", "neutral"),
            ("Петра Сливку", "PER", "neutral"),
        ],
    },
];

/// The case as an article, with the names as targets.
fn article(case: &Case) -> Value {
    let targets: Vec<Value> = case
        .names
        .iter()
        .map(|(name, ..)| {
            let start = case.text.find(name).unwrap();
            let start = case.text[..start].chars().count();
            json!({"start": start, "end": start + name.chars().count()})
        })
        .collect();
    json!({"lang": case.lang, "text": case.text, "targets": targets})
}

/// Of what covers a name: the label, or what was found in its place.
fn entity(record: &Value, target: &Value) -> String {
    let at = |value: &Value, field: &str| value[field].as_u64().unwrap();
    let (start, end) = (at(target, "start"), at(target, "end"));
    let entities = record["entities"].as_array().unwrap();
    let found: Vec<String> = entities
        .iter()
        .filter(|entity| at(entity, "start") < end && at(entity, "end") > start)
        .map(|entity| {
            let label = entity["label"].as_str().unwrap();
            match (at(entity, "start"), at(entity, "end")) == (start, end) {
                true => label.to_owned(),
                false => format!("{label} {:?}", entity["text"].as_str().unwrap()),
            }
        })
        .collect();
    match found.is_empty() {
        true => "nothing".to_owned(),
        false => found.join(", "),
    }
}

fn has(record: &Value, task: &str) -> bool {
    let tasks = record["vestnik"]["tasks"].as_array().unwrap();
    tasks.iter().any(|known| known == task)
}

/// Reader and model side by side; `(!)` where they differ.
fn compared(text: &mut String, what: &str, reader: &str, model: &str) {
    let mark = if reader == model { "" } else { "  (!)" };
    writeln!(text, "    {what}: {reader} | {model}{mark}").unwrap();
}

fn told(case: &Case, record: &Value) -> String {
    let mut text = format!(
        "[{}] {}\n  {}\n",
        case.lang,
        case.kind,
        case.text.replace('\n', "\n  ")
    );
    if has(record, "topic") {
        let topics = record["topics"].as_array().unwrap();
        let topics: Vec<&str> = topics
            .iter()
            .map(|t| t["label"].as_str().unwrap())
            .collect();
        compared(&mut text, "topic", case.topic, &topics.join(" + "));
    }
    let targets = record["targets"].as_array().unwrap();
    for ((name, label, stance), target) in case.names.iter().zip(targets) {
        compared(&mut text, name, label, &entity(record, target));
        if has(record, "stance") {
            let found = target["stance"]["label"].as_str().unwrap();
            compared(
                &mut text,
                &format!("  stance towards {name}"),
                stance,
                found,
            );
        }
    }
    let names = record["entities"].as_array().unwrap();
    let others: Vec<String> = names
        .iter()
        .filter(|entity| !targets.iter().any(|target| overlap(entity, target)))
        .map(|entity| format!("{} {}", entity["label"].as_str().unwrap(), entity["text"]))
        .collect();
    if !others.is_empty() {
        writeln!(text, "    also found: {}", others.join(", ")).unwrap();
    }
    text
}

fn overlap(a: &Value, b: &Value) -> bool {
    let at = |value: &Value, field: &str| value[field].as_u64().unwrap();
    at(a, "start") < at(b, "end") && at(b, "start") < at(a, "end")
}

#[test]
fn what_the_built_in_model_says() {
    let sandbox = Sandbox::new();
    let lines: Vec<String> = CASES.iter().map(|case| article(case).to_string()).collect();
    sandbox.write("cases.jsonl", lines.join("\n"));
    let records = sandbox
        .run("tag cases.jsonl --device cpu --progress none")
        .records();
    assert_eq!(records.len(), CASES.len());
    let cases = CASES.iter().zip(&records);
    let told: Vec<String> = cases.map(|(case, record)| told(case, record)).collect();
    assert_snapshot!(format!("reader | model\n\n{}", told.join("\n")));
}
