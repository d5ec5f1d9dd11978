//! Labels of one's own from a handful of examples, without training: `cargo run --release --example few_shot`.

use vestnik::{FewShot, Options, TextFeatures};

const EXAMPLES: [(&str, &str); 12] = [
    ("The striker scored twice before half-time.", "sport"),
    ("The team won the final after extra time.", "sport"),
    (
        "The goalkeeper saved a penalty in the last minute.",
        "sport",
    ),
    ("The champion lost her first match of the season.", "sport"),
    ("Two goals in five minutes decided the match.", "sport"),
    ("The coach praised his players after the game.", "sport"),
    ("The central bank raised interest rates again.", "money"),
    ("Shares fell after the company cut its forecast.", "money"),
    ("Oil prices rose by three per cent on Monday.", "money"),
    ("The budget deficit grew to two billion euros.", "money"),
    ("Inflation slowed, but rents and food cost more.", "money"),
    ("The company sold its shares in the bank.", "money"),
];

fn main() -> Result<(), vestnik::Error> {
    let features = TextFeatures::embedded(&Options::default())?;
    let few_shot = FewShot::fit(&features, &EXAMPLES)?;
    let texts = [
        "The players scored three goals in the second match.",
        "The company raised its forecast, and its shares rose by two per cent.",
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
