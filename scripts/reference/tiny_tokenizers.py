"""Tiny tokenizers of the kinds that the architectures use: WordPiece, Unigram and byte-level BPE."""

from dataclasses import dataclass

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

WORDPIECE_VOCABULARY = """
[PAD] [UNK] [CLS] [SEP] [MASK] . , - ( ) « » „ “ ' : ; ! ? 0 1 2
а б в г д е и к м н о п р с т у ##а ##е ##у ##ом ##ск ##ий ##ова
Москва Киев София Иван Мария Петров London Maria Smith Bank the of in said сказал
""".split()
UNIGRAM_PIECES = """
▁ . , - ( ) « » „ “ ' : ; ! ? 0 1 2
а б в г д е и к м н о п р с т у ов ск ий ом
▁в ▁на ▁и ▁Москва ▁Киев ▁София ▁Иван ▁Петр ▁Мария ▁London ▁Smith ▁Bank ▁the ▁of ▁in ▁said ▁сказал
""".split()
ROBERTA_SPECIALS = "<s> <pad> </s> <unk> <mask>".split()
CAMEMBERT_SPECIALS = "<s>NOTUSED <pad> </s>NOTUSED <unk> <unk>NOTUSED <s> </s> <mask>".split()
DEBERTA_SPECIALS = "[PAD] [CLS] [SEP] [UNK] [MASK]".split()
MODERNBERT_SPECIALS = "[UNK] [CLS] [SEP] [PAD] [MASK]".split()
# Each word is merged from the left, byte by byte; "Ġ" is a space in the byte-level alphabet.
BPE_WORDS = [" the", " of", " in", " said", "Lond", "Sm", "ith", "Ба", " в", "Ив", "ан", " Со", "фия", "Ки"]


@dataclass
class Specials:
    """Ids of the first, the last and the padding token, how many stand between the texts of a pair, and where the
    ids of the other tokens begin and end."""

    first: int
    last: int
    padding: int
    between: int
    free: int
    end: int


def wordpiece() -> tuple[Tokenizer, Specials]:
    ids = {piece: index for index, piece in enumerate(WORDPIECE_VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    add_template(tokenizer, "[CLS]", "[SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ids)
    tokenizer.add_special_tokens(WORDPIECE_VOCABULARY[:5])
    return tokenizer, Specials(first=2, last=3, padding=0, between=1, free=5, end=60)


def xlm_roberta() -> tuple[Tokenizer, Specials]:
    tokenizer, ids = unigram(ROBERTA_SPECIALS + UNIGRAM_PIECES, len(ROBERTA_SPECIALS), unknown="<unk>")
    add_template(tokenizer, "<s>", "</s>", "<s> $A </s> </s> $B </s>", ids)
    tokenizer.add_special_tokens(ROBERTA_SPECIALS)
    return tokenizer, Specials(first=0, last=2, padding=1, between=2, free=5, end=60)


def camembert() -> tuple[Tokenizer, Specials]:
    tokenizer, ids = unigram(CAMEMBERT_SPECIALS + UNIGRAM_PIECES, len(CAMEMBERT_SPECIALS), unknown="<unk>")
    add_template(tokenizer, "<s>", "</s>", "<s> $A </s> </s> $B </s>", ids)
    tokenizer.add_special_tokens(CAMEMBERT_SPECIALS)
    return tokenizer, Specials(first=5, last=6, padding=1, between=2, free=8, end=len(ids))


def deberta() -> tuple[Tokenizer, Specials]:
    tokenizer, ids = unigram(DEBERTA_SPECIALS + UNIGRAM_PIECES, len(DEBERTA_SPECIALS), unknown="[UNK]")
    add_template(tokenizer, "[CLS]", "[SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ids)
    tokenizer.add_special_tokens(DEBERTA_SPECIALS)
    return tokenizer, Specials(first=1, last=2, padding=0, between=1, free=5, end=60)


def unigram(pieces: list, n_specials: int, unknown: str) -> tuple[Tokenizer, dict]:
    ids = {piece: index for index, piece in enumerate(pieces)}
    scores = [(piece, 0.0 if index < n_specials else -2.0 - 0.05 * index) for piece, index in ids.items()]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=ids[unknown]))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer, ids


def roberta() -> tuple[Tokenizer, Specials]:
    specials = ROBERTA_SPECIALS[:4]
    tokenizer, ids = byte_level(before=specials, after=["<mask>"])
    tokenizer.post_processor = processors.RobertaProcessing(
        sep=("</s>", ids["</s>"]), cls_token=("<s>", ids["<s>"]), trim_offsets=True, add_prefix_space=False
    )
    tokenizer.add_special_tokens([*specials, AddedToken("<mask>", lstrip=True)])
    return tokenizer, Specials(first=0, last=2, padding=1, between=2, free=4, end=ids["<mask>"])


def modernbert() -> tuple[Tokenizer, Specials]:
    """Its special tokens have the highest ids."""
    tokenizer, ids = byte_level(before=[], after=MODERNBERT_SPECIALS)
    tokenizer.normalizer = normalizers.NFC()
    add_template(tokenizer, "[CLS]", "[SEP]", "[CLS] $A [SEP] $B [SEP]", ids)
    tokenizer.add_special_tokens([*MODERNBERT_SPECIALS[:4], AddedToken("[MASK]", lstrip=True)])
    first, last, padding = (ids[name] for name in ("[CLS]", "[SEP]", "[PAD]"))
    return tokenizer, Specials(first, last, padding, between=1, free=0, end=ids["[UNK]"])


# Where ModernBERT's specials stand in a model without a tokenizer.
MODERNBERT_WITHOUT_TOKENIZER = Specials(first=0, last=1, padding=2, between=1, free=3, end=10**6)


def byte_level(before: list, after: list) -> tuple[Tokenizer, dict]:
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    merges = {}
    for word in BPE_WORDS:
        for spelled, _ in pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(word):
            for length in range(1, len(spelled)):
                merges[spelled[:length], spelled[length]] = None
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*before, *alphabet, *("".join(pair) for pair in merges), *after]
    ids = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.BPE(ids, list(merges)))
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer, ids


def add_template(tokenizer: Tokenizer, first: str, last: str, pair: str, ids: dict) -> None:
    specials = [(first, ids[first]), (last, ids[last])]
    tokenizer.post_processor = processors.TemplateProcessing(f"{first} $A {last}", pair, specials)


TOKENIZERS = {
    "bert": wordpiece,
    "distilbert": wordpiece,
    "electra": wordpiece,
    "roberta": roberta,
    "xlm-roberta": xlm_roberta,
    "camembert": camembert,
    "deberta-v2": deberta,
    "modernbert": modernbert,
}
