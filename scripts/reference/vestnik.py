"""Asks the program for what it computes."""

import json
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def newest(name: str) -> str:
    """The newest build of a program of the checkout."""
    built = [path for path in (ROOT / "target" / kind / name for kind in ("release", "debug")) if path.exists()]
    if not built:
        raise SystemExit(f"error: {name} is not built\nhint: build it with cargo, or name the program")
    return str(max(built, key=lambda path: path.stat().st_mtime))


class Vestnik:
    """The program; the newest build unless named."""

    def __init__(self, program: str | None):
        self.program = program or newest("vestnik")

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
