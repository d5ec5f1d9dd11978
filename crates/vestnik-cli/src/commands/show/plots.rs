//! Plots as inline SVG: bars, shares of stances, columns over time.

use std::fmt::Write as _;

use crate::report::escape;

/// Room for the names left of bars.
const NAMES: f64 = 215.0;
const WIDTH: f64 = 560.0;
const ROW: f64 = 24.0;
const HEIGHT: f64 = 130.0;
/// The widest column.
const MOST_WIDTH: f64 = 48.0;

/// A bar with its name.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: u64,
    /// What is seen when the pointer rests on it.
    pub(super) note: String,
}

fn figure(caption: &str, width: f64, height: f64, content: &str) -> String {
    format!(
        "<figure>\n<figcaption>{caption}</figcaption>\n<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" role=\"img\" \
         aria-label=\"{caption}\">\n{content}</svg>\n</figure>\n",
        caption = escape(caption)
    )
}

/// A name left of its bar, cut so that it fits; whole when the pointer rests on it.
fn name(text: &str, y: f64) -> String {
    let mut short: String = text.chars().take(20).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!(
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\" direction=\"ltr\" unicode-bidi=\"isolate\">{}<title>{}</title></text>\n",
        escape(&short),
        escape(text),
        x = NAMES - 8.0
    )
}

/// Bars below each other, in the colour of a class. Nothing without bars.
pub(super) fn bars(caption: &str, class: &str, bars: &[Bar]) -> String {
    let Some(most) = bars
        .iter()
        .map(|bar| bar.value)
        .max()
        .filter(|&most| most > 0)
    else {
        return String::new();
    };
    let mut svg = String::new();
    for (row, bar) in bars.iter().enumerate() {
        let y = row as f64 * ROW;
        let length = (WIDTH - NAMES - 60.0) * bar.value as f64 / most as f64;
        svg.push_str(&name(&bar.name, y + 16.0));
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{NAMES}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"{:.1}\"><title>{}</title></rect>\
             <text class=\"dim\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            y + 3.0,
            ROW - 6.0,
            escape(&bar.note),
            NAMES + length + 6.0,
            y + 16.0,
            bar.value
        );
    }
    figure(caption, WIDTH, bars.len() as f64 * ROW, &svg)
}

/// For each name the shares of against, neutral and favour. Nothing without names.
pub(super) fn stances(caption: &str, rows: &[(String, [u64; 3])]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut svg = String::new();
    for (row, (text, counts)) in rows.iter().enumerate() {
        let y = row as f64 * ROW;
        svg.push_str(&name(text, y + 16.0));
        let all: u64 = counts.iter().sum();
        let mut x = NAMES;
        for (count, stance) in counts.iter().zip(["against", "neutral", "favour"]) {
            let length = (WIDTH - NAMES - 60.0) * *count as f64 / all.max(1) as f64;
            let _ = writeln!(
                svg,
                "<rect class=\"{stance}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"{:.1}\"><title>{stance}: {count} of \
                 {all}</title></rect>",
                y + 3.0,
                ROW - 6.0
            );
            x += length;
        }
        let _ = writeln!(
            svg,
            "<text class=\"dim\" x=\"{:.1}\" y=\"{:.1}\">{all}</text>",
            x + 6.0,
            y + 16.0
        );
    }
    let y = rows.len() as f64 * ROW;
    for (place, stance) in ["against", "neutral", "favour"].into_iter().enumerate() {
        let x = NAMES + 100.0 * place as f64;
        let _ = writeln!(
            svg,
            "<rect class=\"{stance}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\"/>\
             <text class=\"dim\" x=\"{:.1}\" y=\"{:.1}\">{stance}</text>",
            y + 8.0,
            x + 15.0,
            y + 18.0
        );
    }
    figure(caption, WIDTH, y + ROW, &svg)
}

/// Columns over time.
pub(super) fn columns(caption: &str, periods: &[(String, u64)]) -> String {
    let most = periods
        .iter()
        .map(|(_, n)| *n)
        .max()
        .unwrap_or_default()
        .max(1);
    let (left, bottom) = (44.0, HEIGHT - 20.0);
    let step = (WIDTH - left) / periods.len().max(1) as f64;
    let mut svg = format!(
        "<path class=\"axis\" d=\"M{left} {bottom}H{WIDTH}\"/>\n<text class=\"dim\" x=\"{}\" y=\"14\" text-anchor=\"end\">{most}</text>\n",
        left - 6.0
    );
    let width = (step * 0.86).clamp(0.5, MOST_WIDTH);
    for (place, (period, n)) in periods.iter().enumerate() {
        let height = (bottom - 6.0) * *n as f64 / most as f64;
        let x = left + place as f64 * step + (step - width) / 2.0;
        let _ = writeln!(
            svg,
            "<rect class=\"bar\" x=\"{x:.2}\" y=\"{:.1}\" width=\"{width:.2}\" height=\"{height:.1}\"><title>{period}: {n}</title></rect>",
            bottom - height,
        );
    }
    // Below their columns where these are wide enough, else at the ends.
    let ends = match step > 90.0 {
        true => [
            (left + step / 2.0, "middle"),
            (WIDTH - step / 2.0, "middle"),
        ],
        false => [(left, "start"), (WIDTH, "end")],
    };
    let shown = periods.len().min(2);
    let named = [periods.first(), periods.last()].into_iter().flatten();
    for ((period, _), (x, anchor)) in named.take(shown).zip(ends) {
        let y = HEIGHT - 4.0;
        let _ = writeln!(
            svg,
            "<text class=\"dim\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{period}</text>"
        );
    }
    figure(caption, WIDTH, HEIGHT, &svg)
}
