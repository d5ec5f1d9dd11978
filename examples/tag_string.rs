//! Tags one string with the default model: `cargo run --release --example tag_string`.

use vestnik::Vestnik;

fn main() -> Result<(), vestnik::Error> {
    let vestnik = Vestnik::embedded()?;
    let text =
        "Президентка Словаччини Зузана Чапутова приїхала до Києва, повідомляє «Українська правда».";
    for entity in vestnik.analyze(text)?.entities {
        let score = entity.score.unwrap_or_default();
        print_line(&entity.label, score, &text[entity.span.range()]);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the example shows")]
fn print_line(label: &str, score: f32, name: &str) {
    println!("{label}  {score:.2}  {name}");
}
