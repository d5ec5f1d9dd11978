"""Makes the Parquet fixtures of vestnik-data: the same few sentences as several programs write them.

    python scripts/make_parquet.py crates/vestnik-data/tests/fixtures

datasets.parquet  as datasets 4 and 5 write it: snappy, numbered tags, their names in the key "huggingface"
pandas.parquet    as pandas writes it: zstd, names of tags, an index column, categories, large lists, two row groups
others.parquet    gzip, numbered tags without names, columns that JSON has no values for
"""

import json
import sys
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
SENTENCES = [
    ("7", "uk", ["Ірина", "Мороз", "мешкає", "у", "Полтаві", "."], [1, 2, 0, 0, 3, 0]),
    ("8", "en", ["Nobody", "came", "."], [0, 0, 0]),
    ("9", "el", ["Η", "Άννα", "🕊", "είδε", "τη", "Νέα", "Αγχίαλο"], [0, 1, 0, 0, 0, 3, 4]),
]


def columns():
    ids, langs, tokens, tags = map(list, zip(*SENTENCES))
    return ids, langs, tokens, tags


def datasets():
    ids, langs, tokens, tags = columns()
    features = {
        "id": {"dtype": "string", "_type": "Value"},
        "lang": {"dtype": "string", "_type": "Value"},
        "tokens": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
        "ner_tags": {"feature": {"names": NAMES, "_type": "ClassLabel"}, "_type": "List"},
        "pos_tags": {"feature": {"names": ["X"], "_type": "ClassLabel"}, "_type": "List"},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table(
        {
            "id": ids,
            "lang": langs,
            "tokens": pa.array(tokens, pa.list_(pa.string())),
            "ner_tags": pa.array(tags, pa.list_(pa.int64())),
            "pos_tags": pa.array([[0] * len(row) for row in tags], pa.list_(pa.int64())),
        }
    )
    return table.replace_schema_metadata(metadata)


def pandas():
    ids, langs, tokens, tags = columns()
    names = [[NAMES[tag] for tag in row] for row in tags]
    return pa.table(
        {
            "id": pa.array(ids, pa.large_string()),
            "lang": pa.array(langs).dictionary_encode(),
            "tokens": pa.array(tokens, pa.large_list(pa.large_string())),
            "tags": pa.array(names, pa.list_(pa.string())),
            "score": pa.array([0.5, None, 0.1], pa.float32()),
            "__index_level_0__": pa.array([4, 5, 6], pa.int64()),
        }
    )


def others():
    ids, _, tokens, tags = columns()
    return pa.table(
        {
            "id": pa.array([int(number) for number in ids], pa.int32()),
            "tokens": tokens,
            "ner_tags": pa.array(tags, pa.list_(pa.int8())),
            "date": pa.array([datetime(2024, 5, 1)] * 3, pa.timestamp("ms")),
            "image": pa.array([b"\x00\x01"] * 3),
        }
    )


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    pq.write_table(datasets(), folder / "datasets.parquet", compression="snappy")
    pq.write_table(pandas(), folder / "pandas.parquet", compression="zstd", row_group_size=2)
    pq.write_table(others(), folder / "others.parquet", compression="gzip")


if __name__ == "__main__":
    main()
