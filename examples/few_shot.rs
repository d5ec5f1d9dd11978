//! Labels of one's own from a handful of examples, without training: `cargo run --release --example few_shot`.

use vestnik::{FewShot, Options, TextFeatures};

const EXAMPLES: [(&str, &str); 8] = [
    ("The striker scored twice before half-time.", "sport"),
    ("Сборная выиграла матч в дополнительное время.", "sport"),
    ("Гросмайсторката спечели турнира в Тбилиси.", "sport"),
    ("The goalkeeper saved a penalty in the final.", "sport"),
    ("The central bank raised interest rates again.", "money"),
    ("Цены на нефть выросли на три процента.", "money"),
    ("Акциите на банката поевтиняха след отчета.", "money"),
    ("Shares fell after the company cut its forecast.", "money"),
];

fn main() -> Result<(), vestnik::Error> {
    let features = TextFeatures::embedded(&Options::default())?;
    let few_shot = FewShot::fit(&features, &EXAMPLES)?;
    let texts = [
        "Капитан команды забил гол на последней минуте.",
        "Inflation and interest rates worry the markets.",
    ];
    for (text, classified) in texts
        .iter()
        .zip(few_shot.classify_batch(&features, &texts)?)
    {
        let (label, score) = classified.best().unwrap_or_default();
        print_line(label, score, text);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the example shows")]
fn print_line(label: &str, score: f32, text: &str) {
    println!("{label}  {score:.2}  {text}");
}
