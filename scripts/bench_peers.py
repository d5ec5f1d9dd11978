#!/usr/bin/env python3
"""Encoders on a CPU: vestnik's engine beside ONNX Runtime and PyTorch, with the same weights, lengths and threads.

    pip install torch==2.15.0 transformers==5.23.0 onnx onnxscript onnxruntime natasha
    cargo build --release --workspace --examples --bins
    python scripts/bench_peers.py [--shape xlm-r-base|default] [--articles NEWS.jsonl.gz] [--threads 2] [--json]
    python scripts/bench_peers.py --documents NEWS_RU.jsonl.gz [--threads 2]

The first form makes a random model of the shape and measures its forward pass over sequences of the lengths that the
articles have in `models/vestnik-news/tokenizer.json` (without articles: a built-in distribution), at most 510. vestnik packs
them; the others get padded batches of 32, of like length ("sorted", as a careful user does) or in the order of arrival.
ONNX Runtime gets the graph that its own optimizer for transformers has fused (attention, GELU, norms with their residuals),
and for int8 the same graph quantized dynamically, one scale for each output.
The second form compares `vestnik bench --tasks ner` with natasha (for Russian alone) and with the token-classification
pipeline of transformers on the same weights, as its users call it, on Russian articles, by documents.

Every contestant is a process of its own that loads once (`vestnik bench` once for each turn, with a first pass that does not
count); contestants take turns, and the fastest of `--rounds` counts. The last column says how many times as fast `vestnik int8`
was in the same round, the median of all rounds: it stays true on machines whose speed changes from minute to minute. The
clock is that on the wall; `--clock cpu` takes the processor time of the process instead, for machines that do other work
meanwhile (with one thread: several may wait for each other in loops). Padding does not count as tokens.
"""

import argparse
import contextlib
import gzip
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHAPES = {
    "default": dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, vocab_size=32000),
    "xlm-r-base": dict(
        hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072, vocab_size=250002
    ),
}
BATCH = 32
LONGEST = 510
CONTESTANTS = [
    "vestnik f32",
    "vestnik int8",
    "onnxruntime f32 sorted",
    "onnxruntime int8 sorted",
    "onnxruntime int8 arrival",
    "torch f32 sorted",
    "torch bf16 sorted",
    "candle-transformers f32 sorted",
]
MEASURE = "vestnik int8"  # of which the table says how many times as fast it is
READERS = ["natasha", "transformers pipeline"]


def main() -> None:
    arguments = parse()
    if arguments.contestant:
        serve(arguments)
    elif arguments.documents:
        report(compare_readers(arguments), "documents", arguments)
    else:
        with tempfile.TemporaryDirectory() as folder:
            report(compare_encoders(Path(folder), arguments), "tokens", arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="xlm-r-base")
    parser.add_argument("--articles", type=Path, help="JSON lines with texts, for the lengths")
    parser.add_argument("--sequences", type=int, default=200)
    parser.add_argument("--documents", type=Path, help="JSON lines with Russian texts: whole programs are compared")
    parser.add_argument("--limit", type=int, default=200, help="articles of --documents")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--only", nargs="*", help="some of the contestants")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--svg", type=Path, help="a plot of the rates")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


# Who takes part


def compare_encoders(folder: Path, arguments: argparse.Namespace) -> dict:
    make_model(folder, arguments)
    names = [name for name in CONTESTANTS if not arguments.only or name in arguments.only]
    return take_turns({name: Contestant(command(name, folder, arguments), arguments) for name in names}, arguments)


def compare_readers(arguments: argparse.Namespace) -> dict:
    texts = list(itertools.islice(read_texts(arguments.documents), arguments.limit))
    names = [name for name in READERS if not arguments.only or name in arguments.only]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "articles.jsonl"
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
        contestants = {name: Contestant(self_command(name, Path(folder), arguments), arguments) for name in names}
        for dtype in ("f32", "int8"):
            if not arguments.only or f"vestnik {dtype}" in arguments.only:
                contestants[f"vestnik {dtype}"] = VestnikBench(path, dtype, arguments)
        return take_turns(contestants, arguments)


def command(name: str, folder: Path, arguments: argparse.Namespace) -> list:
    if name.startswith("vestnik"):
        dtype = name.split()[1]
        program = ROOT / "target/release/examples/throughput"
        return [program, folder, folder / "lengths.json", dtype, str(arguments.threads)]
    if name.startswith("candle"):
        return candle_command(folder, arguments)
    return self_command(name, folder, arguments)


def candle_command(folder: Path, arguments: argparse.Namespace) -> list:
    program = ROOT / "target/release/examples/candle_transformers"
    return [program, folder, folder / "lengths.json", str(arguments.threads)]


def self_command(name: str, folder: Path, arguments: argparse.Namespace) -> list:
    return [sys.executable, __file__, "--contestant", name, "--folder", folder, "--threads", str(arguments.threads)]


class Contestant:
    """A process that reads everything once for each line it gets."""

    def __init__(self, command: list, arguments: argparse.Namespace):
        threads = str(arguments.threads)
        variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "CANDLE_NUM_THREADS")
        environment = os.environ | dict.fromkeys(variables, threads) | {"TOKENIZERS_PARALLELISM": "false"}
        start = time.perf_counter()
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        json.loads(self.process.stdout.readline())
        self.load_seconds = time.perf_counter() - start

    def turn(self, clock: str) -> dict:
        before = self.processor_time()
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        seconds = self.processor_time() - before if clock == "cpu" else answer["seconds"]
        return {"count": answer.get("tokens", answer.get("documents")), "seconds": seconds}

    def processor_time(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_memory(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))

    def finish(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class VestnikBench:
    """`vestnik bench`, which opens the model and reads everything twice in each turn; the second time counts."""

    load_seconds = None

    def __init__(self, path: Path, dtype: str, arguments: argparse.Namespace):
        program = ROOT / "target/release/vestnik"
        options = ["--tasks", "ner", "--dtype", dtype, "--threads", str(arguments.threads), "--rounds", "1", "--json"]
        self.command = [program, "bench", path, *options]
        self.peak = 0

    def turn(self, clock: str) -> dict:
        before = os.times()
        found = json.loads(subprocess.run(self.command, check=True, capture_output=True, text=True).stdout)
        after = os.times()
        self.peak = max(self.peak, found["peak_memory_bytes"])
        used = after.children_user + after.children_system - before.children_user - before.children_system
        return {"count": found["documents"], "seconds": used / 2 if clock == "cpu" else found["seconds"]}

    def peak_memory(self) -> int:
        return self.peak

    def finish(self) -> None:
        pass


def take_turns(contestants: dict, arguments: argparse.Namespace) -> dict:
    for contestant in contestants.values():
        contestant.turn(arguments.clock)  # does not count
    rounds = [{name: it.turn(arguments.clock) for name, it in contestants.items()} for _ in range(arguments.rounds)]
    results = {}
    for name, contestant in contestants.items():
        results[name] = min((turns[name] for turns in rounds), key=lambda turn: turn["seconds"])
        results[name] |= {"peak_memory_bytes": contestant.peak_memory(), "load_seconds": contestant.load_seconds}
        if MEASURE in contestants:
            ratios = [turns[name]["seconds"] / turns[MEASURE]["seconds"] for turns in rounds]
            results[name]["vestnik_int8_is_faster"] = statistics.median(ratios)
        contestant.finish()
    return results


def report(results: dict, unit: str, arguments: argparse.Namespace) -> None:
    for result in results.values():
        result[f"{unit}_per_second"] = result["count"] / result["seconds"]
    if arguments.svg:
        arguments.svg.write_text(plot({name: result[f"{unit}_per_second"] for name, result in results.items()}, unit))
    if arguments.json:
        print(json.dumps(results))
        return
    print(f"{'':28}{unit + '/s':>12}{'peak MB':>10}{'load s':>8}{'int8 is x':>11}")
    for name, result in results.items():
        load = f"{result['load_seconds']:.2f}" if result["load_seconds"] is not None else ""
        memory = result["peak_memory_bytes"] / 1e6
        ratio = f"{result['vestnik_int8_is_faster']:.2f}" if "vestnik_int8_is_faster" in result else ""
        print(f"{name:28}{result[f'{unit}_per_second']:12.0f}{memory:10.0f}{load:>8}{ratio:>11}")


def plot(rates: dict[str, float], unit: str) -> str:
    """Horizontal bars, the fastest first; colours that hold on light and dark pages."""
    rates = dict(sorted(rates.items(), key=lambda item: -item[1]))
    row, left, width = 26, 240, 760
    scale = (width - left - 90) / max(rates.values())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {row * len(rates) + 34}" font-family="sans-serif" '
        'font-size="13" role="img">',
        f"<title>{unit} per second</title>",
        f'<text x="{left}" y="16" fill="#888">{unit} per second</text>',
    ]
    for index, (name, rate) in enumerate(rates.items()):
        y = 28 + index * row
        colour = "#2f6fdb" if name.startswith("vestnik") else "#9a9a9a"
        lines.append(f'<text x="{left - 8}" y="{y + 14}" text-anchor="end" fill="#888">{name}</text>')
        lines.append(f'<rect x="{left}" y="{y}" width="{max(rate * scale, 1):.1f}" height="{row - 7}" rx="2" fill="{colour}"/>')
        digits = 1 if rate < 100 else 0
        lines.append(f'<text x="{left + rate * scale + 6:.1f}" y="{y + 14}" fill="#888">{rate:,.{digits}f}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


# The model and the lengths


def make_model(folder: Path, arguments: argparse.Namespace) -> None:
    import torch
    import transformers

    torch.manual_seed(1)
    if arguments.shape == "xlm-r-base":
        config = transformers.XLMRobertaConfig(
            **SHAPES[arguments.shape], max_position_embeddings=514, type_vocab_size=1, pad_token_id=1
        )
        model = transformers.XLMRobertaModel(config, add_pooling_layer=False)
    else:
        model = transformers.BertModel(transformers.BertConfig(**SHAPES[arguments.shape]), add_pooling_layer=False)
    model.save_pretrained(folder)
    lengths = article_lengths(arguments)
    (folder / "lengths.json").write_text(json.dumps(lengths))


def article_lengths(arguments: argparse.Namespace) -> list[int]:
    draw = random.Random(1)
    if not arguments.articles:  # of news: the median is 150 tokens
        return [min(LONGEST, max(8, int(draw.lognormvariate(5.0, 0.8)))) for _ in range(arguments.sequences)]
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(ROOT / "models/vestnik-news/tokenizer.json"))
    texts = list(read_texts(arguments.articles))
    texts = draw.sample(texts, min(arguments.sequences, len(texts)))
    return [min(LONGEST, len(tokenizer.encode(text).ids)) for text in texts]


def read_texts(path: Path):
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as lines:
        for line in lines:
            record = json.loads(line)
            if record.get("lang", "ru") == "ru" or "articles" in str(path):
                yield record["text"]


# One contestant in a process of its own


def serve(arguments: argparse.Namespace) -> None:
    with contextlib.redirect_stdout(sys.stderr):  # libraries talk; only answers go to the other end
        read = prepare(arguments)
    print(json.dumps({}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        count = read()
        unit = "documents" if arguments.contestant in READERS else "tokens"
        print(json.dumps({"seconds": time.perf_counter() - start, unit: count}), flush=True)


def prepare(arguments: argparse.Namespace):
    if arguments.contestant == "natasha":
        return natasha_reader(arguments)
    if arguments.contestant == "transformers pipeline":
        return pipeline_reader(arguments)
    engine, dtype, order = arguments.contestant.split()
    lengths = json.loads((arguments.folder / "lengths.json").read_text())
    if order == "sorted":
        lengths.sort(reverse=True)
    batches = [padded(lengths[start : start + BATCH]) for start in range(0, len(lengths), BATCH)]
    run = (onnx_runner if engine == "onnxruntime" else torch_runner)(arguments, dtype)

    def read() -> int:
        for ids, mask in batches:
            run(ids, mask)
        return sum(lengths)

    return read


def padded(lengths: list[int]):
    import numpy

    width = max(lengths)
    ids = numpy.ones((len(lengths), width), dtype=numpy.int64)
    mask = numpy.zeros_like(ids)
    for row, length in enumerate(lengths):
        ids[row, :length] = 5 + 7919 * numpy.arange(length) % 20000
        mask[row, :length] = 1
    return ids, mask


def torch_model(folder: Path):
    import transformers

    return transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="sdpa").eval()


def torch_runner(arguments: argparse.Namespace, dtype: str):
    import torch

    torch.set_num_threads(arguments.threads)
    model = torch_model(arguments.folder).to(torch.bfloat16 if dtype == "bf16" else torch.float32)

    def run(ids, mask) -> None:
        with torch.inference_mode():
            model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).last_hidden_state.float()

    return run


def onnx_runner(arguments: argparse.Namespace, dtype: str):
    import onnx
    import onnxruntime

    path = fused(arguments.folder)
    if dtype == "int8":
        from onnxruntime.quantization import QuantType, quantize_dynamic

        path, plain = arguments.folder / "int8.onnx", path
        if not path.exists():
            quantize_dynamic(
                plain,
                path,
                weight_type=QuantType.QInt8,
                per_channel=True,
                use_external_data_format=plain.stat().st_size > 1 << 30,
                # What the optimizer's own operations give, which shape inference does not know.
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
            )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(ids, mask) -> None:
        session.run(None, {"input_ids": ids, "attention_mask": mask})

    return run


def fused(folder: Path) -> Path:
    """The graph as ONNX Runtime's own tools prepare it."""
    path = folder / "fused.onnx"
    if path.exists():
        return path
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    config = json.loads((folder / "config.json").read_text())
    model = optimizer.optimize_model(
        str(exported(folder)),
        model_type="bert",
        num_heads=config["num_attention_heads"],
        hidden_size=config["hidden_size"],
        optimization_options=FusionOptions("bert"),
    )
    counts = model.get_fused_operator_statistics()
    print("fused for ONNX Runtime:", {name: count for name, count in counts.items() if count}, file=sys.stderr)
    if counts.get("Attention", 0) + counts.get("MultiHeadAttention", 0) == 0:
        raise SystemExit("attention was not fused: this would be no fair contestant")
    model.save_model_to_file(str(path))
    return path


def exported(folder: Path) -> Path:
    path = folder / "plain.onnx"
    import torch
    import transformers

    # Attention written out, as the optimizer looks for it.
    model = transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager").eval()
    ids = torch.ones((2, 16), dtype=torch.int64)
    axes = {0: "batch", 1: "width"}

    class States(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    torch.onnx.export(
        States().eval(),
        (ids, torch.ones_like(ids)),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["states"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "states": axes},
        opset_version=17,
        dynamo=False,
    )
    return path


def pipeline_reader(arguments: argparse.Namespace):
    import torch
    import transformers

    torch.set_num_threads(arguments.threads)
    texts = list(read_texts(arguments.folder / "articles.jsonl"))
    folder = str(ROOT / "models/vestnik-news")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, model_max_length=LONGEST + 2)
    tagger = transformers.pipeline(
        "token-classification", model=folder, tokenizer=tokenizer, aggregation_strategy="simple", stride=32, device="cpu"
    )

    def read() -> int:
        for text in texts:
            tagger(text)
        return len(texts)

    return read


def natasha_reader(arguments: argparse.Namespace):
    from natasha import Doc, NewsEmbedding, NewsNERTagger, Segmenter

    texts = list(read_texts(arguments.folder / "articles.jsonl"))
    segmenter, tagger = Segmenter(), NewsNERTagger(NewsEmbedding())

    def read() -> int:
        for text in texts:
            document = Doc(text)
            document.segment(segmenter)
            document.tag_ner(tagger)
        return len(texts)

    return read


if __name__ == "__main__":
    main()
