#!/usr/bin/env python3
"""A plot and a table of what scripts/load_test.py measured: scripts/load_report.py LOAD.json

Writes LOAD.svg and LOAD.md beside it and prints the table. Needs Python alone.
"""

import json
import math
import sys
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 360, 280, 62, 14, 40, 44


def main():
    path = Path(sys.argv[1])
    results = json.loads(path.read_text())
    table = markdown(results)
    path.with_suffix(".md").write_text(table)
    path.with_suffix(".svg").write_text(plot(results))
    print(table)


def markdown(results):
    bench, one, half = results["bench"], results["one_at_a_time"], results["half_load"]
    machine, texts = results["machine"], results["texts"]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores; {machine['version']}, commit {machine['commit']}; "
        f"{texts['count']} texts, median {texts['median_chars']} characters; {results['seconds']} s each.",
        "",
        "| connections | answers/s | tokens/s | of `vestnik bench` | p50 ms | p99 ms | texts a batch | answers by status | broken connections | MB before, after |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for step in results["steps"]:
        share = 100 * step["tokens_per_second"] / bench["tokens_per_second"]
        cells = [
            step["connections"],
            f"{step['answers_per_second']:.1f}",
            f"{step['tokens_per_second']:.0f}",
            f"{share:.0f} %",
            whole(step["p50_ms"]),
            whole(step["p99_ms"]),
            f"{step['texts_per_batch']:.1f}",
            by_status(step["statuses"]),
            step["socket_errors"],
            f"{step['memory_mb_before']:.0f}, {step['memory_mb_after']:.0f}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += [
        "",
        f"`vestnik bench` on the same texts: {bench['tokens_per_second']:.0f} tokens/s. Memory of the server: "
        f"{results['memory_mb_at_start']:.0f} MB at the start, {results['memory_mb_at_end']:.0f} MB at the end, "
        f"{results['memory_mb_at_most']:.0f} MB at most.",
        "",
        f"One request at a time: p50 {one['p50_ms']:.0f} ms, p99 {one['p99_ms']:.0f} ms ({one['requests']} requests). At half "
        f"of the rate of 64 connections, {half['answers_per_second']:.1f} requests/s at random times: p50 {half['p50_ms']:.0f} ms, p99 "
        f"{half['p99_ms']:.0f} ms ({half['requests']} requests, {by_status(half['statuses'])}): the p99 is {half['p99_ms'] / one['p50_ms']:.1f} times "
        f"the p50 of one request at a time, {half['p99_ms'] / one['p99_ms']:.1f} times its p99.",
        "",
    ]
    return "\n".join(lines)


def whole(number):
    """Nothing where no answer came in time."""
    return "" if number is None else f"{number:.0f}"


def by_status(statuses):
    return ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))


def plot(results):
    steps = results["steps"]
    connections = [step["connections"] for step in steps]
    speed = Panel(0, "tokens/s", connections, 0, 1.1 * max(results["bench"]["tokens_per_second"], *(s["tokens_per_second"] for s in steps)))
    speed.line([step["tokens_per_second"] for step in steps], "#1f6feb", "vestnik serve")
    speed.level(results["bench"]["tokens_per_second"], "#8250df", "vestnik bench")
    latencies = [step[name] for step in steps for name in ("p50_ms", "p99_ms") if step[name]]
    low, high = 10 ** math.floor(math.log10(min(latencies))), 10 ** math.ceil(math.log10(max(latencies)))
    latency = Panel(WIDTH, "latency, ms", connections, low, high, log=True)
    latency.line([step["p50_ms"] for step in steps], "#1f6feb", "p50")
    latency.line([step["p99_ms"] for step in steps], "#cf222e", "p99")
    body = "\n".join(speed.parts + latency.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">\n'
        f'<title>Speed and latency of vestnik serve by connections</title>\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


class Panel:
    """Axes with lines over the numbers of connections."""

    def __init__(self, left, title, connections, low, high, log=False):
        self.left, self.connections, self.low, self.high, self.log = left, connections, low, high, log
        self.labels = 0
        self.parts = [text(left + LEFT, 18, title, weight="bold"), text(left + WIDTH / 2, HEIGHT - 8, "connections", anchor="middle")]
        for value in self.ticks():
            y = self.y(value)
            self.parts.append(f'<path d="M{left + LEFT} {y:.1f}H{left + WIDTH - RIGHT}" stroke="#d8dee4"/>')
            self.parts.append(text(left + LEFT - 6, y + 4, f"{value:,.0f}".replace(",", " "), anchor="end"))
        for place, count in enumerate(connections):
            self.parts.append(text(self.x(place), HEIGHT - BOTTOM + 16, str(count), anchor="middle"))

    def ticks(self):
        if self.log:
            return [10**power for power in range(round(math.log10(self.low)), round(math.log10(self.high)) + 1)]
        step = 10 ** math.floor(math.log10(self.high / 2))
        step *= next(factor for factor in (1, 2, 5, 10) if self.high / (step * factor) <= 6)
        return [step * place for place in range(int(self.high / step) + 1)]

    def x(self, place):
        room = WIDTH - LEFT - RIGHT - 40
        return self.left + LEFT + 20 + room * place / max(1, len(self.connections) - 1)

    def y(self, value):
        scale = math.log10 if self.log else float
        share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def line(self, values, colour, label):
        points = [(self.x(place), self.y(value)) for place, value in enumerate(values) if value is not None]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self.parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        self.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        self.name(label, colour)

    def level(self, value, colour, label):
        y = self.y(value)
        self.parts.append(f'<path d="M{self.left + LEFT} {y:.1f}H{self.left + WIDTH - RIGHT}" stroke="{colour}" stroke-width="2" stroke-dasharray="5 4"/>')
        self.name(label, colour)

    def name(self, label, colour):
        """Names of lines stand beside the title."""
        x = self.left + LEFT + 95 + 105 * self.labels
        self.labels += 1
        self.parts.append(f'<path d="M{x} 14h14" stroke="{colour}" stroke-width="3"/>')
        self.parts.append(text(x + 19, 18, label))


def text(x, y, value, anchor="start", weight="normal"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="#24292f">{value}</text>'


if __name__ == "__main__":
    main()
