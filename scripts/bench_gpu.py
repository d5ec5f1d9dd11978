#!/usr/bin/env python3
"""Tagging on a GPU: vestnik beside PyTorch and the pipeline of transformers, with the same weights and articles on one card.

    pip install torch==2.15.0 transformers==5.23.0
    cargo build --release --features cuda
    python scripts/bench_gpu.py --articles NEWS.jsonl.gz [--shape default|xlm-r-base|xlm-r-large] [--limit 2000] [--json]

`default` is models/vestnik-news, the other shapes get random weights. Everybody reads the articles from text to entities or labels
of tokens, in windows of at most 512 tokens (vestnik's own window where a model names one). PyTorch gets what a careful user does:
windows sorted by length, batches of `--batch-tokens` padded tokens, bf16, scaled-dot-product attention, with and without
`torch.compile`; its tokenizer runs before the clock starts, while vestnik's and the pipeline's time holds it. Tokens are those of the
texts, each counted once, whatever windows overlap; padding does not count.

One after the other, the fastest of `--rounds` after one that does not count. `share` is that of the bf16 products which the card does
in one large product of matrices, measured in the same run. `--device cpu` tries the script without a GPU.
"""

import argparse
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_peers import LONGEST, ROOT, SHAPES, read_texts

SHAPES = SHAPES | {
    "xlm-r-large": dict(
        hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096, vocab_size=250002
    )
}
LABELS = ["O", *(f"{place}-{label}" for label in ("PER", "ORG", "LOC") for place in "BI")]
DEFAULT_MODEL = ROOT / "models/vestnik-news"
# Of its tokenizer, which all shapes use.
PAD = 0


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(Path(folder), arguments.shape)
        articles = Path(folder) / "articles.jsonl"
        texts = list(itertools.islice(read_texts(arguments.articles), arguments.limit))
        articles.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
        report(measure(model, articles, texts, arguments), texts, model, arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=Path, required=True, help="JSON lines with texts")
    parser.add_argument("--shape", choices=SHAPES, default="default")
    parser.add_argument("--limit", type=int, default=2000, help="articles")
    parser.add_argument("--batch-tokens", type=int, default=32768)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def make_model(folder: Path, shape: str) -> Path:
    if shape == "default":
        return DEFAULT_MODEL
    import torch
    import transformers

    torch.manual_seed(1)
    config = transformers.XLMRobertaConfig(
        **SHAPES[shape],
        max_position_embeddings=514,
        type_vocab_size=1,
        pad_token_id=PAD,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )
    model = folder / "model"
    transformers.XLMRobertaForTokenClassification(config).save_pretrained(model)
    shutil.copy(DEFAULT_MODEL / "tokenizer.json", model)
    return model


def measure(model: Path, articles: Path, texts: list[str], arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds of each contestant."""
    dtypes = ("bf16", "f32") if arguments.device != "cpu" else ("f32",)
    seconds = {f"vestnik {dtype}": vestnik(model, articles, dtype, arguments) for dtype in dtypes}
    for compiled in (True, False):
        name = "torch bf16 sorted" + " compiled" * compiled
        seconds[name] = fastest(torch_reader(model, texts, compiled, arguments), arguments)
    seconds["transformers pipeline"] = fastest(pipeline_reader(model, texts, arguments), arguments)
    return seconds


def fastest(read, arguments: argparse.Namespace) -> float:
    best = float("inf")
    for turn in range(arguments.rounds + 1):  # the first one does not count
        start = time.perf_counter()
        read()
        if turn > 0:
            best = min(best, time.perf_counter() - start)
    return best


def vestnik(model: Path, articles: Path, dtype: str, arguments: argparse.Namespace) -> float:
    bench = [ROOT / "target/release/vestnik", "bench", articles, "--model", model, "--tasks", "ner", "--json"]
    bench += ["--device", arguments.device, "--dtype", dtype, "--rounds", str(arguments.rounds)]
    found = subprocess.run(bench, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(found)["seconds"]


def torch_reader(model: Path, texts: list[str], compiled: bool, arguments: argparse.Namespace):
    import torch
    import transformers

    tagger = transformers.AutoModelForTokenClassification.from_pretrained(model, attn_implementation="sdpa")
    tagger = tagger.to(arguments.device, torch.bfloat16).eval()
    if compiled:
        tagger = torch.compile(tagger, dynamic=True)
    batches = [batch.pin_memory() if arguments.device != "cpu" else batch for batch in padded(windows(texts), arguments)]

    def read() -> None:
        with torch.inference_mode():
            labels = []
            for ids in batches:
                ids = ids.to(arguments.device, non_blocking=True)
                labels.append(tagger(input_ids=ids, attention_mask=ids != PAD).logits.argmax(-1))
            for found in labels:
                found.cpu()

    return read


def windows(texts: list[str]) -> list[list[int]]:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(DEFAULT_MODEL / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST, stride=32)
    encodings = tokenizer.encode_batch(texts)
    return [window.ids for encoding in encodings for window in (encoding, *encoding.overflowing)]


def padded(sequences: list[list[int]], arguments: argparse.Namespace):
    import torch

    sequences = sorted(sequences, key=len, reverse=True)
    start = 0
    while start < len(sequences):
        # Few different widths: each is compiled and tuned once.
        width = -(-len(sequences[start]) // 32) * 32
        rows = sequences[start : start + max(1, arguments.batch_tokens // width)]
        ids = torch.full((len(rows), width), PAD)
        for row, sequence in zip(ids, rows):
            row[: len(sequence)] = torch.tensor(sequence)
        yield ids
        start += len(rows)


def pipeline_reader(model: Path, texts: list[str], arguments: argparse.Namespace):
    import torch
    import transformers

    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(model / "tokenizer.json"), model_max_length=LONGEST, pad_token_id=PAD, pad_token="[PAD]"
    )
    tagger = transformers.pipeline(
        "token-classification",
        model=str(model),
        tokenizer=tokenizer,
        aggregation_strategy="simple",
        stride=32,
        device=arguments.device,
        dtype=torch.bfloat16,
        batch_size=32,
    )
    return lambda: tagger(texts)


def report(seconds: dict[str, float], texts: list[str], model: Path, arguments: argparse.Namespace) -> None:
    sequences = windows(texts)
    n_tokens = sum(map(len, sequences))
    operations = count_operations(sequences, json.loads((model / "config.json").read_text()))
    peak = peak_rate(arguments)
    results = {
        name: {
            "tokens_per_second": n_tokens / each,
            "documents_per_second": len(texts) / each,
            "share": operations / each / peak,
        }
        for name, each in seconds.items()
    }
    if arguments.json:
        print(json.dumps({"peak": peak, "tokens": n_tokens, "results": results}))
        return
    print(f"{len(texts)} articles, {n_tokens} tokens; peak {peak / 1e12:.1f} Top/s in bf16")
    print(f"{'':28}{'tokens/s':>12}{'articles/s':>12}{'share':>8}")
    for name, result in results.items():
        rates = f"{result['tokens_per_second']:12.0f}{result['documents_per_second']:12.0f}"
        print(f"{name:28}{rates}{result['share']:8.1%}")


def count_operations(sequences: list[list[int]], config: dict) -> float:
    """Multiplications and additions of the layers' products."""
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    linear = 2 * hidden * (4 * hidden + 2 * config["intermediate_size"])
    return float(layers * sum(len(ids) * (linear + 4 * len(ids) * hidden) for ids in sequences))


def peak_rate(arguments: argparse.Namespace) -> float:
    import torch

    size = 8192 if arguments.device != "cpu" else 512
    x = torch.randn((size, size), device=arguments.device, dtype=torch.bfloat16)

    def multiply() -> None:
        for _ in range(20):
            product = x @ x
        product[0, 0].item()

    return 20 * 2 * size**3 / fastest(multiply, arguments)


if __name__ == "__main__":
    sys.exit(main())
