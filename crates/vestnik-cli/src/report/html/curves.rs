//! Curves as inline SVG.

use std::fmt::Write as _;

use super::markup::escape;
use crate::report::curves::{Curve, Curves};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 180.0;
/// Room for the numbers left of and below the curve.
const LEFT: f64 = 70.0;
const EDGE: f64 = 22.0;

/// All curves of a run.
pub(super) fn section(curves: &Curves) -> String {
    let figures: String = curves
        .0
        .iter()
        .map(|(name, curve)| figure(name, curve))
        .collect();
    format!("<h2>Curves</h2>\n{figures}")
}

fn title(name: &str) -> String {
    match name {
        "loss" => "Loss".to_owned(),
        "lr" => "Learning rate".to_owned(),
        "grad_norm" => "Gradient norm".to_owned(),
        "tokens_per_second" => "Tokens per second".to_owned(),
        "dev_f1" => "F1 on dev".to_owned(),
        other => other.replace("dev_", "dev: ").replace('_', " "),
    }
}

fn figure(name: &str, curve: &Curve) -> String {
    let (Some(first), Some(last)) = (curve.first(), curve.last()) else {
        return String::new();
    };
    let values = curve.iter().map(|point| point.1);
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let title = escape(&title(name));
    let summary = format!(
        "{title}: {} at step {:.0}, {} at step {:.0}; lowest {}, highest {}",
        number(first.1),
        first.0,
        number(last.1),
        last.0,
        number(low),
        number(high)
    );
    let mut svg = format!(
        "<figure>\n<figcaption>{summary}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{title}\">\n"
    );
    let scale = Scale {
        steps: (first.0, last.0),
        values: (low, high),
    };
    for (value, y) in [(high, EDGE), (low, HEIGHT - EDGE)] {
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{y}\" x2=\"{WIDTH}\" y2=\"{y}\"/><text x=\"{}\" y=\"{}\" \
             text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            y + 4.0,
            number(value)
        );
    }
    svg.push_str(&line(curve, &scale));
    let bottom = HEIGHT - 5.0;
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{bottom}\">step {:.0}</text><text x=\"{WIDTH}\" y=\"{bottom}\" \
         text-anchor=\"end\">step {:.0}</text>\n</svg>\n</figure>",
        first.0, last.0
    );
    svg
}

/// A line; a single point is a dot.
fn line(curve: &Curve, scale: &Scale) -> String {
    if let [point] = curve[..] {
        let (x, y) = scale.place(point);
        return format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>\n");
    }
    let place = |&point: &(f64, f64)| {
        let (x, y) = scale.place(point);
        format!("{x:.1},{y:.1}")
    };
    let points: Vec<String> = curve.iter().map(place).collect();
    format!("<polyline points=\"{}\"/>\n", points.join(" "))
}

struct Scale {
    steps: (f64, f64),
    values: (f64, f64),
}

impl Scale {
    fn place(&self, (step, value): (f64, f64)) -> (f64, f64) {
        let x = share(step, self.steps);
        let y = share(value, self.values);
        (
            LEFT + x * (WIDTH - LEFT - 4.0),
            HEIGHT - EDGE - y * (HEIGHT - 2.0 * EDGE),
        )
    }
}

/// Where a value lies in a range, 0 to 1; in the middle of an empty one.
fn share(value: f64, (low, high): (f64, f64)) -> f64 {
    match high > low {
        true => (value - low) / (high - low),
        false => 0.5,
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !(0.001..1e5).contains(&size) => format!("{value:.2e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        _ => format!("{value:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_stay_within_their_frame() {
        let scale = Scale {
            steps: (1.0, 9.0),
            values: (-2.0, 2.0),
        };
        assert_eq!(scale.place((1.0, -2.0)), (LEFT, HEIGHT - EDGE));
        assert_eq!(scale.place((9.0, 2.0)), (WIDTH - 4.0, EDGE));
    }

    #[test]
    fn flat_and_single_curves_are_drawn() {
        let flat = figure("lr", &vec![(1.0, 0.5), (2.0, 0.5)]);
        assert!(flat.contains("points=\"70.0,90.0 636.0,90.0\""), "{flat}");
        assert!(figure("loss", &vec![(3.0, 0.0)]).contains("<circle"));
        assert!(!flat.contains("NaN"));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, 3e-5, 0.25, 1234.6].map(number),
            ["0", "3.00e-5", "0.2500", "1235"]
        );
    }
}
