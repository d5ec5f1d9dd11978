"""Texts that the parity check reads, beside the sentences: other scripts, and what tokenizers stumble over."""

from pathlib import Path

SENTENCES = Path(__file__).with_name("sentences.txt").read_text(encoding="utf-8").splitlines()
TEXTS = [
    "",
    " ",
    ".",
    "Q",
    "ა",
    "  Two  spaces\tand a tab\nand a line  ",
    "non\u00a0breaking, thin\u2009space, zero\u200bwidth, so\u00adft hyphen",
    "«Ёж» и й: й",  # composed and decomposed
    "ﬁne ﬂat Ⅷ ½ ①  ｆｕｌｌｗｉｄｔｈ",
    "e-mail: a.b@example.org, https://example.org/news?id=7&x=%D0%9F",
    "1,234.56 − 78 % = €9 ± 0.1 №5 §3",
    "🙂 👩‍🚀 🇧🇬 flags and families",
    "O'Neill’s “quotes” „кавички“ ‚x‘ ‹y› 'z'",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "საქართველოს პრემიერი თბილისში ჩავიდა.",
    "Հայաստանի վարչապետը ժամանեց Գյումրի։",
    "وصل الرئيس إلى القاهرة يوم الاثنين.",
    "ראש הממשלה הגיע לירושלים ביום שני.",
    "प्रधानमंत्री सोमवार को दिल्ली पहुँचे।",
    "นายกรัฐมนตรีเดินทางถึงเชียงใหม่",
    "首相は月曜日に東京へ到着した。カタカナ",
    "대통령은 월요일 부산에 도착했다.",
]
# An empty second text is left out: transformers takes it for none.
PAIRS = [
    ("The harbour of Kelmouth reopened.", "This text is about transport."),
    ("Президент Петров прибыл в Софию.", "Этот текст о политике."),
    ("", "Only the second."),
    ("上海港重新开放。", "Η νέα γραμμή του μετρό."),
]
