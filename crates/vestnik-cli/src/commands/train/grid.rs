//! `--sweep key=value,value,…`: the combinations of listed values.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::failure::Mistake;

/// Longest name of a folder that is made of values.
const LONGEST_NAME: usize = 150;

/// A setting with the values that it is to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    key: String,
    values: Vec<String>,
}

/// One combination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Point {
    /// The name of its folder.
    pub(super) name: String,
    /// Keys with values, in the order of the axes.
    pub(super) values: Vec<(String, String)>,
}

impl Point {
    /// The values as overrides of the run file.
    pub(super) fn overrides(&self) -> Vec<String> {
        let values = self.values.iter();
        values
            .map(|(key, value)| format!("{key}={value}"))
            .collect()
    }
}

/// All combinations of the axes that `sweeps` describe, the last axis running fastest; `set` are overrides that hold for
/// all of them.
///
/// # Errors
/// A sweep is not of the form `key=value,…`, repeats a value, or is about a key that another one or `set` is about.
pub(super) fn grid(sweeps: &[String], set: &[String]) -> Result<Vec<Point>> {
    let axes: Vec<Axis> = sweeps
        .iter()
        .map(|text| axis(text))
        .collect::<Result<_>>()?;
    let keys_of_set = set.iter().filter_map(|entry| entry.split_once('='));
    let mut keys: BTreeSet<&str> = keys_of_set.map(|(key, _)| key.trim()).collect();
    for Axis { key, .. } in &axes {
        if !keys.insert(key) {
            return Err(Mistake::new(format!("the setting {key} is given twice"))
                .hint("name a key in one --sweep alone, and not in --set")
                .into());
        }
    }
    Ok(named(combinations(&axes)))
}

fn axis(text: &str) -> Result<Axis> {
    let malformed = || {
        Mistake::new(format!("--sweep {text} is not of the form key=value,value"))
            .hint("for example --sweep optimizer.learning_rate=1e-4,3e-4")
    };
    let (key, values) = text.split_once('=').ok_or_else(malformed)?;
    let axis = Axis {
        key: key.trim().to_owned(),
        values: split(values),
    };
    if axis.key.is_empty() || axis.values.iter().any(String::is_empty) {
        return Err(malformed().into());
    }
    let different: BTreeSet<&String> = axis.values.iter().collect();
    match different.len() == axis.values.len() {
        true => Ok(axis),
        false => Err(Mistake::new(format!("--sweep {text} has a value twice")).into()),
    }
}

/// The parts between commas that stand in no brackets and no quotation marks.
fn split(values: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut depth, mut quote) = (0_usize, None);
    for c in values.chars() {
        match c {
            ',' if depth == 0 && quote.is_none() => {
                parts.push(String::new());
                continue;
            }
            '"' | '\'' if quote.is_none() => quote = Some(c),
            _ if quote == Some(c) => quote = None,
            '[' | '{' if quote.is_none() => depth += 1,
            ']' | '}' if quote.is_none() => depth = depth.saturating_sub(1),
            _ => {}
        }
        parts.last_mut().expect("one is always there").push(c);
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

fn combinations(axes: &[Axis]) -> Vec<Vec<(String, String)>> {
    axes.iter().fold(vec![Vec::new()], |points, axis| {
        let with_values = |point: &Vec<(String, String)>| -> Vec<Vec<(String, String)>> {
            let with = |value: &String| {
                let last = [(axis.key.clone(), value.clone())];
                [&point[..], &last].concat()
            };
            axis.values.iter().map(with).collect()
        };
        points.iter().flat_map(with_values).collect()
    })
}

/// Names folders after their values; where that makes no good names, or not different ones, after their numbers.
fn named(points: Vec<Vec<(String, String)>>) -> Vec<Point> {
    let names: Vec<String> = points.iter().map(|values| name(values)).collect();
    let different: BTreeSet<&String> = names.iter().collect();
    let is_good = different.len() == names.len() && names.iter().all(|n| n.len() <= LONGEST_NAME);
    let points = points.into_iter().zip(names).enumerate();
    points
        .map(|(number, (values, name))| Point {
            name: if is_good {
                name
            } else {
                format!("run-{}", number + 1)
            },
            values,
        })
        .collect()
}

fn name(values: &[(String, String)]) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_+.=".contains(c);
    let part = |(key, value): &(String, String)| {
        let part = format!("{key}={}", value.trim_matches(['"', '\'']));
        part.replace(|c| !is_plain(c), "-")
    };
    let parts: Vec<String> = values.iter().map(part).collect();
    parts.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid_of(sweeps: &[&str], set: &[&str]) -> Result<Vec<Point>> {
        let owned = |texts: &[&str]| {
            texts
                .iter()
                .map(|&text| text.to_owned())
                .collect::<Vec<_>>()
        };
        grid(&owned(sweeps), &owned(set))
    }

    fn names(sweeps: &[&str]) -> Vec<String> {
        let points = grid_of(sweeps, &[]).unwrap();
        points.into_iter().map(|point| point.name).collect()
    }

    #[test]
    fn the_last_axis_runs_fastest() {
        assert_eq!(
            names(&["optimizer.learning_rate=1e-4,3e-4", "seed=1,2"]),
            [
                "optimizer.learning_rate=1e-4_seed=1",
                "optimizer.learning_rate=1e-4_seed=2",
                "optimizer.learning_rate=3e-4_seed=1",
                "optimizer.learning_rate=3e-4_seed=2",
            ]
        );
        let points = grid_of(&["seed = 1, 2"], &["epochs=1"]).unwrap();
        assert_eq!(points[1].overrides(), ["seed=2"]);
    }

    #[test]
    fn lists_and_texts_are_values() {
        let points = grid_of(&[r#"model.labels=["PER","ORG"],['A,B']"#], &[]).unwrap();
        let values: Vec<&str> = points
            .iter()
            .map(|point| point.values[0].1.as_str())
            .collect();
        assert_eq!(values, [r#"["PER","ORG"]"#, "['A,B']"]);
        assert_eq!(
            points[0].name,
            "model.labels=[\"PER\",\"ORG\"]".replace(['[', ']', '"', ','], "-")
        );
        assert_eq!(
            names(&["model.base=a/b,a:b"]),
            ["run-1", "run-2"],
            "names that would be equal"
        );
        assert_eq!(
            names(&[&format!("model.base=a,{}", "x".repeat(300))]),
            ["run-1", "run-2"]
        );
    }

    #[test]
    fn mistakes_are_told() {
        for (sweeps, set, told) in [
            (
                &["seed"][..],
                &[][..],
                "--sweep seed is not of the form key=value,value",
            ),
            (
                &["seed=1,"],
                &[],
                "--sweep seed=1, is not of the form key=value,value",
            ),
            (
                &["=1"],
                &[],
                "--sweep =1 is not of the form key=value,value",
            ),
            (&["seed=1,1"], &[], "--sweep seed=1,1 has a value twice"),
            (
                &["seed=1,2", "seed=3"],
                &[],
                "the setting seed is given twice",
            ),
            (
                &["seed=1,2"],
                &["seed=3"],
                "the setting seed is given twice",
            ),
        ] {
            assert_eq!(grid_of(sweeps, set).unwrap_err().to_string(), told);
        }
    }
}
