#!/usr/bin/env bash
# Kills a run of `vestnik tag` 20 times at random moments, resumes it each time, and compares the output with that of an
# unbroken run. Then the same with a disk that is full in the middle (needs root for a small tmpfs).
#
#   scripts/kill_and_resume.sh target/release/vestnik dump.jsonl [further arguments of tag]
set -euo pipefail

vestnik=$(realpath "$1") dump=$(realpath "$2")
shift 2
folder=$(mktemp -d)
trap 'umount "$folder/small" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"

tag() { "$vestnik" tag "$dump" --progress none "${arguments[@]}" "$@" 2>/dev/null; }
arguments=("$@")

status=0
start=$SECONDS
tag -o whole.jsonl --errors whole-errors.jsonl || status=$?
[ "$status" -le 1 ]
took=$((SECONDS - start + 1))
printf 'unbroken: %d articles, %d set aside, %d s\n' "$(wc -l <whole.jsonl)" "$(wc -l <whole-errors.jsonl)" "$took"

kills=0
while [ "$kills" -lt 20 ]; do
  # Without a shell between, so that it is the program that is killed.
  (exec "$vestnik" tag "$dump" --progress none "${arguments[@]}" -o out.jsonl --errors errors.jsonl --resume 2>/dev/null) &
  sleep "$(awk -v seed="$RANDOM" -v took="$took" 'BEGIN { srand(seed); print 0.2 + rand() * (took / 15 + 1) }')"
  kill -9 $! 2>/dev/null || { printf 'ended after %d kills\n' "$kills"; break; }
  wait $! 2>/dev/null || true
  kills=$((kills + 1))
done
[ -e out.jsonl ] || tag -o out.jsonl --errors errors.jsonl --resume || [ $? -eq 1 ]
cmp whole.jsonl out.jsonl
cmp whole-errors.jsonl errors.jsonl
printf 'killed %d times: the same bytes\n' "$kills"

if [ "$(id -u)" -eq 0 ]; then
  mkdir small
  size=$(($(stat -c %s whole.jsonl) / 2048))
  mount -t tmpfs -o "size=${size}k" tmpfs small
  tag -o small/out.jsonl --errors small/errors.jsonl && exit 1
  mount -o "remount,size=$((size * 8))k" small
  tag -o small/out.jsonl --errors small/errors.jsonl --resume || [ $? -eq 1 ]
  cmp whole.jsonl small/out.jsonl
  cmp whole-errors.jsonl small/errors.jsonl
  printf 'disk full at %d KiB, then enlarged: the same bytes\n' "$size"
fi
