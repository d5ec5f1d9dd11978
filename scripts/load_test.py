#!/usr/bin/env python3
"""Load on `vestnik serve` over loopback, beside `vestnik bench` on the same texts.

    apt-get install wrk && cargo build --release
    python3 scripts/load_test.py                     # about 6 minutes; writes load/load.json, load/load.svg, load/load.md
    python3 scripts/load_test.py --seconds 3         # a try

For 1, 8, 64 and 512 connections wrk sends articles one by one for so many seconds each. Reported are requests, the
tokens that the server counted, latency, answers by status, errors of sockets, texts per batch, and the memory of the
server before and after. Then requests come at random times at half of the speed that 64 connections reached, whether
or not earlier ones are answered, and the latency is compared with that of one request at a time.

Texts are those of `--texts FILE`, JSON lines with a field `text`; without it, paragraphs of examples/articles are put
together to articles of lengths as in the news (log-normal, median 1800 characters), the same ones in every run.

`scripts/load_report.py load/load.json` makes plot and table again. Needs Python 3.9 and wrk, nothing else.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = [1, 8, 64, 512]
SEED = 7
# Longer than any queue takes to be worked off: what is measured is the wait, and not who gives up.
PATIENCE_S = 600

LUA = """
local bodies = {}
for line in io.lines(os.getenv("LOAD_TEXTS")) do bodies[#bodies + 1] = line end
local place = tonumber(os.getenv("LOAD_OFFSET")) % #bodies
statuses = {}
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
function request()
  place = place % #bodies + 1
  return wrk.format(nil, "/v1/tag", nil, bodies[place])
end
function response(status)
  statuses[status] = (statuses[status] or 0) + 1
end
local threads = {}
function setup(thread) threads[#threads + 1] = thread end
function done(summary, latency)
  local each = {}
  for status, count in pairs(threads[1]:get("statuses")) do
    each[#each + 1] = string.format('"%d": %d', status, count)
  end
  local errors = summary.errors
  io.write(string.format(
    '\\nRESULT {"seconds": %f, "requests": %d, "p50_ms": %f, "p90_ms": %f, "p99_ms": %f, "statuses": {%s}, ' ..
    '"socket_errors": %d}\\n',
    summary.duration / 1e6, summary.requests, latency:percentile(50) / 1e3, latency:percentile(90) / 1e3,
    latency:percentile(99) / 1e3, table.concat(each, ", "),
    errors.connect + errors.read + errors.write + errors.timeout))
end
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=ROOT / "target/release/vestnik")
    parser.add_argument("--seconds", type=int, default=60, help="of each measurement [60]")
    parser.add_argument("--texts", type=Path, help="JSON lines with a field `text`")
    parser.add_argument("--n-texts", type=int, default=400, help="texts, at most [400]")
    parser.add_argument("--out", type=Path, default=Path("load"), help="folder of the results [load]")
    parser.add_argument("arguments", nargs="*", help="further arguments of serve and bench, behind --")
    args = parser.parse_args()
    texts = read_texts(args.texts, args.n_texts) if args.texts else make_texts(args.n_texts)
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.jsonl"
        path.write_text("".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts))
        results = {"machine": machine(args.program), "seconds": args.seconds, "texts": lengths(texts)}
        tell("vestnik bench")
        results["bench"] = bench(args, path)
        tell(f"{results['bench']['tokens_per_second']:.0f} tokens/s")
        with serving(args, Path(folder)) as server:
            measure(server, args.seconds, path, results)
    (args.out / "load.json").write_text(json.dumps(results, indent=1) + "\n")
    report = [sys.executable, ROOT / "scripts/load_report.py", args.out / "load.json"]
    subprocess.run(report, check=True)


def tell(line):
    print(line, file=sys.stderr, flush=True)


def read_texts(path, n_texts):
    with open(path, encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines if line.strip()]
    random.Random(SEED).shuffle(texts)
    return texts[:n_texts]


def make_texts(n_texts):
    """Articles of the lengths of news, from paragraphs of the examples in the same language."""
    draw = random.Random(SEED)
    by_language = {}
    for path in sorted((ROOT / "examples/articles").glob("*.txt")):
        lines = [line.strip() for line in path.read_text().splitlines()]
        by_language.setdefault(path.name[:2], []).extend(line for line in lines if len(line) > 60)
    texts = []
    for _ in range(n_texts):
        paragraphs = by_language[draw.choice(sorted(by_language))]
        length, chosen = min(draw.lognormvariate(7.5, 0.6), 20000), []
        while sum(map(len, chosen)) < length:
            chosen.append(draw.choice(paragraphs))
        texts.append("\n\n".join(chosen))
    return texts


def lengths(texts):
    chars = sorted(map(len, texts))
    return {"count": len(texts), "median_chars": chars[len(chars) // 2], "p90_chars": chars[len(chars) * 9 // 10]}


def machine(program):
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {
        "cpu": model[1] if model else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "version": version,
        "commit": commit.stdout.strip(),
    }


def bench(args, texts):
    command = [args.program, "bench", "--json", "--device", "cpu", "--rounds", "2", *args.arguments, texts]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


class Server:
    """`vestnik serve` while it runs."""

    def __init__(self, process, address):
        self.process, self.address = process, address

    def metric(self, name):
        with urllib.request.urlopen(f"http://{self.address}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(rf"{name}(\{{| )", line))

    def memory_mb(self, field="VmRSS"):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return round(int(re.search(rf"{field}:\s*(\d+)", status)[1]) / 1024, 1)

    def wait_until_idle(self):
        while self.metric("vestnik_queue_texts"):
            time.sleep(0.1)


@contextlib.contextmanager
def serving(args, folder):
    command = [args.program, "serve", "--port", "0", "--device", "cpu", "--log-level", "error"]
    command += ["--request-timeout-ms", str(PATIENCE_S * 1000), *args.arguments]
    with open(folder / "log", "w+") as log:
        process = subprocess.Popen(command, stderr=log)
        try:
            while not (found := re.search(r"http://(\S+)", (folder / "log").read_text())):
                if process.poll() is not None:
                    sys.exit((folder / "log").read_text())
                time.sleep(0.05)
            yield Server(process, found[1])
        finally:
            process.terminate()
            process.wait()


def measure(server, seconds, texts, results):
    # The first requests pay for memory and code that later ones find warm.
    wrk(server, 8, max(1, seconds // 10), texts)
    server.wait_until_idle()
    results["memory_mb_at_start"] = server.memory_mb()
    results["steps"] = []
    for connections in CONNECTIONS:
        step = load(server, connections, seconds, texts)
        results["steps"].append(step)
        tell(f"{connections} connections: {json.dumps(step)}")
    results["memory_mb_at_end"] = server.memory_mb()
    results["memory_mb_at_most"] = server.memory_mb("VmHWM")
    step = next(step for step in results["steps"] if step["connections"] == 64)
    # By tokens: within a short time few answers come, and those of short texts.
    bench = results["bench"]
    rate = step["tokens_per_second"] * bench["documents"] / bench["tokens"] / 2
    bodies = texts.read_bytes().splitlines()
    results["one_at_a_time"] = asyncio.run(OpenLoop(server.address, bodies).one_by_one(seconds))
    results["half_load"] = asyncio.run(OpenLoop(server.address, bodies).at_rate(rate, seconds))
    tell(f"one at a time: {json.dumps(results['one_at_a_time'])}")
    tell(f"half load: {json.dumps(results['half_load'])}")


def wrk(server, connections, seconds, texts):
    script = texts.with_name("load.lua")
    script.write_text(LUA)
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", f"{PATIENCE_S}s"]
    environment = {**os.environ, "LOAD_TEXTS": str(texts), "LOAD_OFFSET": str(connections * 31)}
    ran = subprocess.run([*command, "-s", script, f"http://{server.address}"], env=environment, capture_output=True, text=True)
    found = re.search(r"^RESULT (.*)$", ran.stdout, re.MULTILINE)
    if not found:
        sys.exit(f"wrk: {ran.stdout}{ran.stderr}")
    step = json.loads(found[1])
    if not step["requests"]:
        step.update(p50_ms=None, p90_ms=None, p99_ms=None)
    return step


def load(server, connections, seconds, texts):
    names = ["vestnik_tokens_total", "vestnik_texts_total", "vestnik_batch_texts_count", "vestnik_batch_texts_sum"]
    memory = server.memory_mb()
    before = {name: server.metric(name) for name in names}
    step = wrk(server, connections, seconds, texts)
    spent = {name: server.metric(name) - before[name] for name in names}
    server.wait_until_idle()
    return {
        "connections": connections,
        **step,
        "answers_per_second": step["requests"] / step["seconds"],
        "tokens_per_second": spent["vestnik_tokens_total"] / step["seconds"],
        "texts_per_batch": spent["vestnik_batch_texts_sum"] / max(1, spent["vestnik_batch_texts_count"]),
        "memory_mb_before": memory,
        "memory_mb_after": server.memory_mb(),
    }


class OpenLoop:
    """A client whose requests come when they come, and not when the server is done with others."""

    def __init__(self, address, bodies):
        self.host, self.port = address.split(":")
        self.bodies, self.idle, self.latencies, self.statuses = bodies, [], [], {}

    async def one_by_one(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.ask(time.monotonic(), self.bodies[len(self.latencies) % len(self.bodies)])
        return self.summary(seconds)

    async def at_rate(self, rate, seconds):
        draw, asked = random.Random(SEED), []
        begin = when = time.monotonic()
        while (when := when + draw.expovariate(rate)) < begin + seconds:
            await asyncio.sleep(max(0, when - time.monotonic()))
            body = self.bodies[len(asked) % len(self.bodies)]
            asked.append(asyncio.create_task(self.ask(when, body)))
        await asyncio.gather(*asked)
        return self.summary(seconds)

    async def ask(self, since, body):
        answer = None
        while answer is None:
            was_idle = bool(self.idle)
            connection = self.idle.pop() if was_idle else await asyncio.open_connection(self.host, self.port)
            try:
                answer = await self.exchange(connection, body)
            except (asyncio.IncompleteReadError, ConnectionError):
                # The server closes connections on which nothing was asked for long, as any client has to expect.
                if not was_idle:
                    raise
        self.latencies.append((time.monotonic() - since) * 1e3)
        self.statuses[answer] = self.statuses.get(answer, 0) + 1
        self.idle.append(connection)

    async def exchange(self, connection, body):
        reader, writer = connection
        head = f"POST /v1/tag HTTP/1.1\r\nHost: load\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(re.search(r"content-length: (\d+)", head)[1]))
        return head.split(" ")[1]

    def summary(self, seconds):
        latencies = sorted(self.latencies) or [float("nan")]
        at = lambda share: latencies[min(len(latencies) - 1, int(len(latencies) * share))]
        return {
            "requests": len(self.latencies),
            "answers_per_second": len(self.latencies) / seconds,
            "statuses": self.statuses,
            "mean_ms": sum(latencies) / len(latencies),
            "p50_ms": at(0.5),
            "p99_ms": at(0.99),
        }


if __name__ == "__main__":
    main()
