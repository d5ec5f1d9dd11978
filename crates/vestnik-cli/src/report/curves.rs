//! The curves of a run, from its log.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;

/// Most points of a curve; longer ones are averaged.
const POINTS: usize = 300;

/// A curve: steps with values.
pub(crate) type Curve = Vec<(f64, f64)>;

/// The curves of a run by what they measure.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Curves(pub(crate) BTreeMap<String, Curve>);

/// Fields of an update that are drawn.
const OF_STEPS: [&str; 4] = ["loss", "lr", "grad_norm", "tokens_per_second"];

impl Curves {
    /// Reads a log; lines that are none of ours are passed over. `None` when there is nothing to draw.
    pub(crate) fn read(log: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(log).ok()?;
        let mut curves: BTreeMap<String, Curve> = BTreeMap::new();
        for line in text.lines() {
            let Ok(event) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            for (name, value) in measures(&event) {
                let point = (event["step"].as_f64(), value.as_f64());
                if let (Some(step), Some(value)) = point {
                    curves.entry(name).or_default().push((step, value));
                }
            }
        }
        curves.values_mut().for_each(thin);
        (!curves.is_empty()).then_some(Self(curves))
    }

    /// The curves of the run that wrote the model directory `model`, if it was one.
    pub(crate) fn of_model(model: &Path) -> Option<Self> {
        let of_run = model.join("run.json").is_file();
        let log = model.canonicalize().ok()?.parent()?.join("log.jsonl");
        of_run.then(|| Self::read(&log)).flatten()
    }
}

fn measures(event: &Value) -> Vec<(String, &Value)> {
    match event["event"].as_str() {
        Some("step") => OF_STEPS
            .iter()
            .map(|&name| (name.to_owned(), &event[name]))
            .collect(),
        Some("evaluation") => {
            let scores = &event["measures"]["scores"];
            let heads = scores["heads"].as_object().into_iter().flatten();
            let tasks = std::iter::once(("dev_ner".to_owned(), &scores["ner"]))
                .chain(heads.map(|(task, scores)| (format!("dev_{task}"), scores)));
            numbers("dev".to_owned(), scores)
                .chain(tasks.flat_map(|(task, scores)| numbers(task, scores)))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The fields that are numbers.
fn numbers(prefix: String, scores: &Value) -> impl Iterator<Item = (String, &Value)> {
    let scores = scores.as_object().into_iter().flatten();
    scores
        .filter(|(_, value)| value.is_number())
        .map(move |(name, value)| (format!("{prefix}_{name}"), value))
}

/// Averages neighbours until there are few enough points.
fn thin(curve: &mut Curve) {
    let size = curve.len().div_ceil(POINTS).max(1);
    let mean = |points: &[(f64, f64)]| {
        let n = points.len() as f64;
        let (steps, values) = points
            .iter()
            .fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (steps / n, values / n)
    };
    *curve = curve.chunks(size).map(mean).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_curves_are_averaged() {
        let mut curve: Curve = (0..3000).map(|i| (f64::from(i), 2.0)).collect();
        thin(&mut curve);
        assert_eq!(curve.len(), POINTS);
        assert_eq!(curve[0], (4.5, 2.0));
        let mut short = vec![(1.0, 3.0)];
        thin(&mut short);
        assert_eq!(short, [(1.0, 3.0)]);
    }

    #[test]
    fn lines_that_are_none_of_ours_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.jsonl");
        let lines = [
            r#"{"event":"step","step":1,"loss":0.5,"lr":null}"#,
            "half a li",
            r#"{"event":"evaluation","step":1,"measures":{"task":"ner","scores":{"f1":0.25,"per_label":{}}}}"#,
        ];
        std::fs::write(&log, lines.join("\n")).unwrap();
        let curves = Curves::read(&log).unwrap().0;
        assert_eq!(curves["loss"], [(1.0, 0.5)]);
        assert_eq!(curves["dev_f1"], [(1.0, 0.25)]);
        assert_eq!(curves.len(), 2);
        assert!(Curves::read(&folder.path().join("missing")).is_none());
    }
}
