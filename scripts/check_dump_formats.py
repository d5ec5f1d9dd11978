"""Whether `vestnik tag` reads what other programs write, and gives Parquet back as it was.

    pip install pyarrow polars pandas
    python3 scripts/check_dump_formats.py target/release/vestnik

- JSON lines compressed by gzip, bzip2, xz and zstd, at several levels, in several members: the same output, byte for byte.
- Parquet, CSV and JSON lines by pyarrow and polars, in all their codecs, page versions and encodings.
- Parquet -> tag -> Parquet: the same columns with the same types and values, one new column `vestnik`; twice gives the same.

Nothing is tagged (--dry-run). Prints a line for each file, and ends with 1 when one is not as expected.
"""

import argparse
import datetime as dt
import decimal
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import pandas
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

TEXTS = ["Президент прибыл в Софию.", "Kyiv waits.\nIt rains, \"they\" say.", "Ďábel — 🙂 \u202bשלום\u202c", "a,b;c\td"] * 75
N = len(TEXTS)


class Checks:
    def __init__(self, vestnik, folder):
        self.vestnik, self.folder, self.failed = vestnik, folder, 0

    def path(self, name):
        return self.folder / name

    def tag(self, path, *options):
        command = [self.vestnik, "tag", "--dry-run", "--no-lang", "--progress", "none", path, *options]
        return subprocess.run(command, capture_output=True)

    def tell(self, name, problem):
        print(f"{'ok    ' if problem is None else 'FAILED'} {name}{'' if problem is None else ': ' + problem}")
        self.failed += problem is not None

    def texts(self, name, path, expected, *options, field="text"):
        """The texts that are read of a file."""
        ran = self.tag(path, "--text-field", field, *options)
        if ran.returncode:
            return self.tell(name, ran.stderr.decode().strip())
        found = [json.loads(line)[field] for line in ran.stdout.splitlines()]
        self.tell(name, None if found == expected else f"other texts, the first {found[:1]}")

    def round_trip(self, name, path, table=None):
        """Parquet -> tag -> Parquet."""
        tagged, again = self.path("tagged.parquet"), self.path("again.parquet")
        for source, target in ((path, tagged), (tagged, again)):
            ran = self.tag(source, "-o", target, "--force")
            if ran.returncode:
                return self.tell(name, ran.stderr.decode().strip())
        before, after = pq.read_table(path), pq.read_table(tagged)
        self.tell(name, difference(before, after) or difference(after, pq.read_table(again)))


def difference(before, after):
    """What is not in `after` as it was in `before`."""
    names = [name for name in after.column_names if name != "vestnik"]
    if [name for name in before.column_names if name != "vestnik"] != names:
        return f"columns {after.column_names}"
    for name in names:
        old, new = before.schema.field(name), after.schema.field(name)
        if not old.equals(new, check_metadata=True):
            return f"{old} became {new}, metadata {old.metadata} {new.metadata}"
        if not same(before[name], after[name]):
            return f"other values in {name}"
    lost = set(before.schema.metadata or {}) - set(after.schema.metadata or {})
    return f"metadata {lost} are lost" if lost else None


def same(old, new):
    """NaN is the same as NaN."""
    if old.equals(new):
        return True
    return all(a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))
               for a, b in zip(old.to_pylist(), new.to_pylist(), strict=True))


def check_compression(checks):
    plain = checks.path("news.jsonl")
    plain.write_text("".join(json.dumps({"id": n, "x": 0.10, "text": text}) + "\n" for n, text in enumerate(TEXTS)))
    expected = checks.tag(plain).stdout
    whole = plain.read_bytes()
    programs = ["gzip -1", "gzip -9", "bzip2 -1", "bzip2 -9", "xz -0", "xz -9e", "xz --check=sha256", "xz --block-size=4096",
                "zstd -1", "zstd -19", "zstd --ultra -22", "zstd --long=27", "zstd --fast=5", "zstd --no-check",
                "zstd --rsyncable -T2"]
    for command in programs:
        pack = lambda data: subprocess.run([*command.split(), "-c"], input=data, capture_output=True, check=True).stdout
        half = whole.index(b"\n", len(whole) // 2) + 1
        files = {"": pack(whole), ", two members": pack(whole[:half]) + pack(whole[half:])}
        for what, packed in files.items():
            # The name says nothing: the bytes decide.
            path = checks.path("packed.jsonl")
            path.write_bytes(packed)
            ran = checks.tag(path)
            checks.tell(command + what, None if ran.stdout == expected else f"another output {ran.stderr.decode().strip()}")
    path.write_bytes(pack(whole)[:-200])
    ran = checks.tag(path)
    checks.tell("a file that is cut is told", None if ran.returncode in (1, 2) and b"cannot be read" in ran.stderr else "not told")


def all_types():
    """A table with a column of each type that pyarrow writes."""
    every = lambda values, kind: pa.array((values * N)[:N], kind)
    day = dt.datetime(2024, 2, 29, 23, 59, 59, 123456)
    columns = {
        "text": pa.array(TEXTS),
        "large_string": every(["a", None, "й"], pa.large_string()),
        "string_view": every(["a", None, "longer than twelve bytes"], pa.string_view()),
        "dictionary": every(["a", "b", None], pa.string()).dictionary_encode(),
        "dictionary_int8": every(["a", "b", None], pa.string()).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string())),
        "bool": every([True, False, None], pa.bool_()),
        "float32": every([0.1, -0.0, None, math.inf, math.nan], pa.float32()),
        "float64": every([0.1, 1e300, None, -math.inf, math.nan], pa.float64()),
        "float16": every([0.5, None], pa.float16()),
        "decimal128": every([decimal.Decimal("1.50"), None, decimal.Decimal("-99999999999999999999.99")], pa.decimal128(30, 2)),
        "decimal256": every([decimal.Decimal("1.50"), None], pa.decimal256(50, 2)),
        "decimal9": every([decimal.Decimal("1.5"), None], pa.decimal128(9, 1)),
        "date32": every([day.date(), None], pa.date32()),
        "date64": every([day.date(), None], pa.date64()),
        "time32": every([day.time().replace(microsecond=0), None], pa.time32("s")),
        "time64": every([day.time(), None], pa.time64("us")),
        "time_ns": every([1000, None], pa.time64("ns")),
        "timestamp_s": every([1, None], pa.timestamp("s")),
        "timestamp_ms": every([1, None], pa.timestamp("ms", "Europe/Sofia")),
        "timestamp_us": every([day, None], pa.timestamp("us")),
        "timestamp_ns": every([1000, None], pa.timestamp("ns", "UTC")),
        "duration": every([dt.timedelta(seconds=1), None], pa.duration("ms")),
        "binary": every([b"\xff\x00", b"text", None], pa.binary()),
        "large_binary": every([b"\xff\x00", None], pa.large_binary()),
        "fixed_binary": every([b"1234", None], pa.binary(4)),
        "null": pa.nulls(N),
        "list": every([[1, None], [], None], pa.list_(pa.int32())),
        "large_list": every([["a"], [], None], pa.large_list(pa.large_string())),
        "fixed_list": every([[1.0, 2.0], None], pa.list_(pa.float32(), 2)),
        "struct": every([{"a": 1, "b": {"c": "x"}}, {"a": None, "b": None}, None],
                        pa.struct({"a": pa.int16(), "b": pa.struct({"c": pa.string()})})),
        "list_of_struct": every([[{"a": 1}], [], None], pa.list_(pa.struct({"a": pa.uint8()}))),
        "map": every([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64())),
    }
    for bits in (8, 16, 32, 64):
        columns[f"int{bits}"] = every([-(2 ** (bits - 1)), 0, None], getattr(pa, f"int{bits}")())
        columns[f"uint{bits}"] = every([2**bits - 1, 0, None], getattr(pa, f"uint{bits}")())
    table = pa.table(columns)
    field = table.schema.field("int8").with_metadata({"unit": "words"})
    table = table.set_column(table.schema.get_field_index("int8"), field, table["int8"])
    return table.replace_schema_metadata({"owner": "the desk", "vestnik.other": "x"})


def check_pyarrow(checks):
    table = all_types()
    path = checks.path("pyarrow.parquet")
    codecs = [codec for codec in ("none", "snappy", "gzip", "zstd", "lz4", "brotli")]
    ways = {codec: {"compression": codec} for codec in codecs} | {
        "format 1.0": {"version": "1.0"},
        "pages 2.0": {"data_page_version": "2.0"},
        "no dictionaries": {"use_dictionary": False},
        "small groups": {"row_group_size": 7},
        "small pages": {"data_page_size": 100, "write_batch_size": 10},
        "page index": {"write_page_index": True},
        "checksums": {"write_page_checksum": True},
        "no arrow schema": {"store_schema": False},
        "lists as of old": {"use_compliant_nested_type": False},
    }
    for name, options in ways.items():
        pq.write_table(table, path, **options)
        checks.round_trip(f"pyarrow {name}, round trip", path)
        checks.texts(f"pyarrow {name}", path, TEXTS)
    # pyarrow forgets the zones of such times when it reads them; we do not.
    pq.write_table(table.drop_columns(["timestamp_ms", "timestamp_ns"]), path, use_deprecated_int96_timestamps=True)
    checks.round_trip("pyarrow old nanoseconds, round trip", path)
    few = table.select(["text", "int32", "int64", "float32", "float64", "binary"])
    encodings = {"text": "DELTA_BYTE_ARRAY", "int32": "DELTA_BINARY_PACKED", "int64": "BYTE_STREAM_SPLIT",
                 "float32": "BYTE_STREAM_SPLIT", "float64": "BYTE_STREAM_SPLIT", "binary": "DELTA_LENGTH_BYTE_ARRAY"}
    pq.write_table(few, path, use_dictionary=False, column_encoding=encodings)
    checks.round_trip("pyarrow encodings", path)
    for kind in (pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string())):
        pq.write_table(pa.table({"text": pa.array(TEXTS).cast(kind)}), path)
        checks.texts(f"pyarrow text as {kind}", path, TEXTS)
        checks.round_trip(f"pyarrow text as {kind}, round trip", path)
    frame = pandas.DataFrame({"text": TEXTS, "n": range(N)}, index=[f"row {n}" for n in range(N)])
    frame["kind"] = pandas.Categorical(["a", "b"] * (N // 2))
    frame.to_parquet(path)
    checks.round_trip("pandas with an index", path)
    tagged = pandas.read_parquet(checks.path("tagged.parquet"))
    checks.tell("pandas with an index, read again", None if tagged.drop(columns="vestnik").equals(frame) else "another frame")


def check_some_rows(checks):
    """Rows without text are set aside, and the others stay beside their own values."""
    path, tagged = checks.path("some.parquet"), checks.path("some-tagged.parquet")
    texts = [None if n % 7 == 3 else text for n, text in enumerate(TEXTS)]
    table = pa.table({"n": pa.array(range(N)), "text": texts, "kind": pa.array(["a", "b"] * (N // 2)).dictionary_encode()})
    pq.write_table(table, path, row_group_size=11)
    ran = checks.tag(path, "-o", tagged, "--errors", checks.path("some-aside.jsonl"))
    kept = table.filter(pa.compute.is_valid(table["text"]))
    found = pq.read_table(tagged) if ran.returncode == 1 else None
    checks.tell("rows without text", ran.stderr.decode() if found is None else difference(kept, found))


def check_polars(checks):
    path = checks.path("polars.parquet")
    frame = pl.DataFrame({
        "text": TEXTS,
        "categorical": pl.Series(["a", "b", None] * (N // 3), dtype=pl.Categorical),
        "enum": pl.Series(["a", "b", None] * (N // 3), dtype=pl.Enum(["a", "b"])),
        "decimal": pl.Series(["1.50", None, "-2.25"] * (N // 3)).cast(pl.Decimal(20, 2)),
        "date": [dt.date(2024, 2, 29), None, dt.date(1900, 1, 1)] * (N // 3),
        "datetime": pl.Series([dt.datetime(2024, 2, 29), None, None] * (N // 3)).dt.replace_time_zone("Europe/Sofia"),
        "duration": [dt.timedelta(days=1), None, None] * (N // 3),
        "time": [dt.time(23, 59), None, None] * (N // 3),
        "list": [["a"], [], None] * (N // 3),
        "array": pl.Series([[1, 2], None, [3, 4]] * (N // 3), dtype=pl.Array(pl.Int64, 2)),
        "struct": [{"a": 1, "b": "x"}, {"a": None, "b": None}, {"a": 2, "b": "y"}] * (N // 3),
        "binary": [b"\xff", None, b"x"] * (N // 3),
        "bool": [True, None, False] * (N // 3),
        "null": [None] * N,
        "int128": pl.Series([1, None, -1] * (N // 3), dtype=pl.Int8),
    })
    for codec in ("lz4", "uncompressed", "snappy", "gzip", "brotli", "zstd"):
        frame.write_parquet(path, compression=codec, row_group_size=100)
        checks.texts(f"polars {codec}", path, TEXTS)
        checks.round_trip(f"polars {codec}, round trip", path)
        tagged = pl.read_parquet(checks.path("tagged.parquet")).drop("vestnik")
        checks.tell(f"polars {codec}, read again", None if tagged.equals(frame) and tagged.schema == frame.schema else "another frame")
    flat = frame.select("text", "bool", "date")
    flat.write_csv(checks.path("polars.csv"))
    checks.texts("polars CSV", checks.path("polars.csv"), TEXTS)
    flat.write_csv(checks.path("polars.tsv"), separator="\t", quote_style="always")
    checks.texts("polars TSV", checks.path("polars.tsv"), TEXTS)
    flat.write_csv(checks.path("semicolons.csv"), separator=";", include_bom=True, line_terminator="\r\n")
    checks.texts("polars CSV with semicolons", checks.path("semicolons.csv"), TEXTS)
    flat.write_ndjson(checks.path("polars.ndjson"))
    checks.texts("polars NDJSON", checks.path("polars.ndjson"), TEXTS)
    checks.path("polars.json").write_text(flat.write_json())
    checks.texts("polars JSON", checks.path("polars.json"), TEXTS)
    pandas.DataFrame({"text": TEXTS}).to_json(checks.path("pandas.json"), orient="records", indent=1)
    checks.texts("pandas JSON", checks.path("pandas.json"), TEXTS)
    pandas.DataFrame({"text": TEXTS, "n": 1.5}).to_csv(checks.path("pandas.csv.gz"))
    checks.texts("pandas CSV", checks.path("pandas.csv.gz"), TEXTS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vestnik", type=lambda path: pathlib.Path(path).resolve())
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(arguments.vestnik, pathlib.Path(folder))
        for check in (check_compression, check_pyarrow, check_some_rows, check_polars):
            check(checks)
    print(f"{checks.failed} failed")
    sys.exit(checks.failed > 0)


if __name__ == "__main__":
    main()
