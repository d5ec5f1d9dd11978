//! Text and tables as HTML.

/// Text for HTML, inside of elements and of quoted attributes. Control characters, which no page may hold, are replaced.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => escaped.push('\u{FFFD}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A table; the cells are HTML already. Nothing without rows.
pub(super) fn table(caption: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head: String = head
        .iter()
        .map(|name| format!("<th scope=\"col\">{}</th>", escape(name)))
        .collect();
    let row = |cells: &Vec<String>| {
        let cells: String = cells.iter().map(|cell| cell_of(cell)).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = rows.iter().map(row).collect();
    format!(
        "<table>\n<caption>{}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n",
        escape(caption)
    )
}

/// A cell that brings its own `td` keeps it.
fn cell_of(cell: &str) -> String {
    match cell.starts_with("<td") {
        true => cell.to_owned(),
        false => format!("<td>{cell}</td>"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        assert_eq!(
            escape("<script>alert('a' && \"b\")</script>\0"),
            "&lt;script&gt;alert(&#39;a&#39; &amp;&amp; &quot;b&quot;)&lt;/script&gt;\u{FFFD}"
        );
    }

    #[test]
    fn tables_without_rows_are_left_out() {
        assert_eq!(table("Data", &["a"], &[]), "");
        let one = table("<Data>", &["a"], &[vec!["1".to_owned()]]);
        assert!(one.contains("<caption>&lt;Data&gt;</caption>"), "{one}");
        assert!(one.contains("<tr><td>1</td></tr>"), "{one}");
    }
}
