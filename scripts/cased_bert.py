#!/usr/bin/env python3
"""Makes a BERT that reads lower-cased text read capitals, too.

    pip install numpy safetensors
    python3 scripts/cased_bert.py MINILM -o OUT

Each piece of the vocabulary is added again with a first capital and all in capitals. The embedding of such a piece is that of the
lower-cased one plus a vector that is drawn once for each of both forms: half as long as an embedding (--length), which a model
whose meanings are spread over hundreds of numbers bears, and the same everywhere, so that a few hundred sentences of fine-tuning
teach what it means. The tokenizer keeps case from then on. Only the word embeddings and the vocabulary change; the tokenizer
must be a WordPiece one. The same arguments give the same files.
"""

import argparse
import json
import pathlib

import numpy
from safetensors.numpy import load_file, save_file

PREFIX = "##"
"""Of pieces that go on with a word."""
FORMS = [lambda word: word[:1].upper() + word[1:], str.upper]


def in_other_forms(vocabulary):
    """New pieces: their names, and for each the id that it is another form of, and which form."""
    names, sources = set(vocabulary), []
    added = []
    for piece, index in sorted(vocabulary.items(), key=lambda item: item[1]):
        if piece.startswith("[") and piece.endswith("]"):
            continue
        prefix = PREFIX if piece.startswith(PREFIX) else ""
        for number, form in enumerate(FORMS):
            other = prefix + form(piece.removeprefix(PREFIX))
            if other not in names:
                names.add(other)
                added.append(other)
                sources.append((index, number))
    return added, sources


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--length", type=float, default=0.5, help="of the vectors, in mean lengths of an embedding")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    tokenizer = json.loads((arguments.model / "tokenizer.json").read_text(encoding="utf-8"))
    config = json.loads((arguments.model / "config.json").read_text(encoding="utf-8"))
    if tokenizer["model"].get("type", "WordPiece") != "WordPiece":
        parser.error(f"{arguments.model}: its tokenizer is not a WordPiece one")
    tensors = load_file(arguments.model / "model.safetensors")
    name = next(name for name in tensors if name.endswith("word_embeddings.weight"))
    embeddings = tensors[name].astype(numpy.float32)

    added, sources = in_other_forms(tokenizer["model"]["vocab"])
    vectors = numpy.random.default_rng(arguments.seed).normal(size=(len(FORMS), embeddings.shape[1]))
    length = numpy.linalg.norm(embeddings, axis=1).mean() * arguments.length
    vectors = (vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True) * length).astype(numpy.float32)
    rows = [embeddings[index] + vectors[form] for index, form in sources]
    tensors[name] = numpy.concatenate([embeddings, numpy.array(rows, numpy.float32)])
    tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith("position_ids")}

    vocabulary = tokenizer["model"]["vocab"]
    vocabulary.update(zip(added, range(len(embeddings), len(embeddings) + len(added)), strict=True))
    tokenizer["normalizer"].update(lowercase=False, strip_accents=True)
    tokenizer.update(truncation=None, padding=None)
    config["vocab_size"] = len(vocabulary)
    arguments.output.mkdir(parents=True)
    save_file(tensors, arguments.output / "model.safetensors", metadata={"format": "pt"})
    for file, content in [("tokenizer.json", tokenizer), ("config.json", config)]:
        (arguments.output / file).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    print(f"{len(added)} pieces added to {len(embeddings)}")


if __name__ == "__main__":
    main()
