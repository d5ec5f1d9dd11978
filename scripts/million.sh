#!/usr/bin/env bash
# A dump of N records (1,000,000 by default, 1 % of them hostile) through `vestnik tag`: everything but the model first
# (--dry-run --no-lang), then with languages (--dry-run), then, with further arguments, as they say:
#
#   scripts/million.sh target/release/vestnik
#   scripts/million.sh target/release/vestnik 20000 --model crates/vestnik-model/tests/fixtures/bert
#
# For each run: articles a second, articles a second of processor time, memory at the start, in the middle and at the end, and
# records set aside by reason. Fails when a record is neither in the output nor among those set aside, or is there twice, or
# when others are set aside than the hostile ones.
# Takes about 5 GB of disk in $TMPDIR for a million records.
set -euo pipefail

vestnik=$(realpath "$1")
n=${2:-1000000}
shift $(($# < 2 ? $# : 2))
scripts=$(dirname "$(realpath "$0")")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
every=$([ "$n" -lt 200000 ] && echo 0.1 || echo 1)

python3 "$scripts/make_dump.py" "$n" >"$folder/dump.jsonl" 2>"$folder/kinds"
printf 'dump: %d records, %d MB\n' "$n" $(($(stat -c %s "$folder/dump.jsonl") / 1000000))

# Resident memory in MB, a line each time, until the process ends.
sample_memory() {
  local key value
  while kill -0 "$1" 2>/dev/null; do
    while read -r key value _; do
      if [ "$key" = VmRSS: ]; then echo $((value / 1024)); fi
    done <"/proc/$1/status" 2>/dev/null
    sleep "$every"
  done
}

run() {
  local status=0 pid start
  rm -f "$folder"/out.jsonl "$folder"/aside.jsonl
  times >"$folder/before"
  start=$(date +%s.%N)
  "$vestnik" tag "$folder/dump.jsonl" -o "$folder/out.jsonl" --errors "$folder/aside.jsonl" --progress none "$@" \
    2>"$folder/told" &
  pid=$!
  sample_memory "$pid" >"$folder/memory"
  wait "$pid" || status=$?
  if [ "$status" -ne 1 ]; then
    printf 'exit %d, expected 1\n' "$status"
    cat "$folder/told"
    exit 1
  fi
  times >"$folder/after"
  printf -- '--- %s\n' "$*"
  python3 - "$n" "$folder" "$(date +%s.%N)" "$start" <<'PYTHON'
import collections, json, re, sys

n, folder = int(sys.argv[1]), sys.argv[2]
end, start = map(float, sys.argv[3:])


def processor_time(name):
    """Seconds of the shell's children, from the second line of its `times`."""
    parts = re.findall(r"(\d+)m([\d.]+)s", open(f"{folder}/{name}").read().splitlines()[1])
    return sum(60 * int(minutes) + float(seconds) for minutes, seconds in parts)


cpu = processor_time("after") - processor_time("before")
seen = bytearray(n + 1)
n_articles = 0
for line in open(f"{folder}/out.jsonl", "rb"):
    # Records are numbered from 0, lines from 1.
    seen[int(re.match(rb'\{"id": (\d+)', line)[1]) + 1] += 1
    n_articles += 1
reasons = collections.Counter()
for line in open(f"{folder}/aside.jsonl", encoding="utf-8"):
    record = json.loads(line)
    seen[record["line"]] += 1
    reasons[re.sub(r"(column|byte) \d+", r"\1 N", record["problem"])[:70]] += 1
expected = json.load(open(f"{folder}/kinds"))["set_aside"]
if sum(reasons.values()) != expected:
    sys.exit(f"{sum(reasons.values())} records were set aside, expected {expected}: {reasons.most_common()}")
wrong = [number for number in range(1, n + 1) if seen[number] != 1]
if wrong:
    sys.exit(f"not exactly once: {len(wrong)} records, the first on line {wrong[0]}")
memory = [int(line) for line in open(f"{folder}/memory")] or [0]
tenth = max(1, len(memory) // 10)
middle = len(memory) // 2
print(f"articles: {n_articles}, set aside: {sum(reasons.values())}, each record exactly once")
print(f"articles/s: {n_articles / (end - start):.0f} ({end - start:.1f} s)")
print(f"articles per second of processor time: {n_articles / cpu:.0f} ({cpu:.2f} s)")
print(f"memory in MB: start {max(memory[:tenth])}, middle {max(memory[middle : middle + tenth])}, "
      f"end {max(memory[-tenth:])}, most {max(memory)} ({len(memory)} samples)")
for reason, count in reasons.most_common():
    print(f"  {count:7} {reason}")
PYTHON
}

run --dry-run --no-lang
run --dry-run
if [ "$#" -gt 0 ]; then run "$@"; fi
