//! Tables for people: columns apart by spaces, numbers to the right.

/// Lines of a table; all rows have as many cells as the first. Cells but the first are aligned to the right.
pub(super) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let n_columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..n_columns).map(width).collect();
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).enumerate();
    let cells = cells.map(|(column, (cell, &width))| {
        if column == 0 {
            format!("{cell:width$}")
        } else {
            format!("{cell:>width$}")
        }
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// A row of anything that can be shown.
pub(super) fn row(first: &str, others: &[&dyn std::fmt::Display]) -> Vec<String> {
    let others = others.iter().map(ToString::to_string);
    std::iter::once(first.to_owned()).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_aligned() {
        let rows = [
            row("lang", &[&"documents"]),
            row("български", &[&7]),
            row("uk", &[&1234]),
        ];
        assert_eq!(
            table(&rows),
            [
                "lang       documents",
                "български          7",
                "uk              1234"
            ]
        );
        assert!(table(&[]).is_empty());
    }
}
