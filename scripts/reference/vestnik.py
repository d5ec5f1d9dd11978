"""Asks the program for what it computes."""

import json
import subprocess
import tempfile
from pathlib import Path

BUILT = ["target/release/vestnik", "target/debug/vestnik"]


class Vestnik:
    """The program; the newest build of the checkout unless named."""

    def __init__(self, program: str | None):
        root = Path(__file__).resolve().parents[2]
        built = [root / path for path in BUILT if (root / path).exists()]
        if program is None and not built:
            raise SystemExit("error: no vestnik is built\nhint: cargo build --release, or --vestnik PROGRAM")
        self.program = program or str(max(built, key=lambda path: path.stat().st_mtime))

    def logits(self, folder: Path, inputs: list[dict], hidden: bool = False) -> list[dict]:
        """`inputs`: {"text", "pair"?} or {"ids", "type_ids"?}; all go through the model in one packed batch."""
        option = ["--ids"] if "ids" in inputs[0] else []
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
            file.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in inputs)
            file.flush()
            output = self.run("model", "logits", str(folder), *option, file.name, "--json", *["--hidden"] * hidden)
        return [json.loads(line) for line in output.splitlines()]

    def run(self, *arguments: str) -> str:
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, encoding="utf-8")
        if done.returncode != 0:
            raise SystemExit(f"{self.program} {' '.join(arguments)}\n{done.stderr.strip()}")
        return done.stdout
