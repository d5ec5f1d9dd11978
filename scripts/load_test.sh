#!/usr/bin/env bash
# Load on `vestnik serve` over loopback, with wrk: scripts/load_test.sh [PROGRAM] [SECONDS]
#
#   apt-get install wrk && cargo build --release && scripts/load_test.sh > load.tsv
#
# PROGRAM is target/release/vestnik, SECONDS (of each measurement) 20. Each request is one paragraph of an example article.
# Prints, per setting and number of connections: requests per second, tokens per second as the server counted them, latency
# (50 %, 99 %), answers that were no 200, texts per batch, and the memory of the server; first the speed of `vestnik tag`
# on the same paragraphs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=${1:-target/release/vestnik}
seconds=${2:-20}
folder=$(mktemp -d)
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$folder"
}
trap cleanup EXIT

# Paragraphs as JSON lines, and as a table for wrk.
grep -h . examples/articles/*.txt | python3 -c '
import json, sys
lines = [line.strip() for line in sys.stdin if len(line) > 60]
open(sys.argv[1] + "/texts.jsonl", "w").write("".join(json.dumps({"text": line}, ensure_ascii=False) + "\n" for line in lines))
bodies = ",\n".join("[==[" + json.dumps({"text": line}, ensure_ascii=False) + "]==]" for line in lines)
open(sys.argv[1] + "/load.lua", "w").write("""
local bodies = {%s}
local place = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
function request()
  place = place %% #bodies + 1
  return wrk.format(nil, "/v1/tag", nil, bodies[place])
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("%%.1f\t%%.1f\t%%.1f\t%%d\\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
""" % bodies)
' "$folder"

measure() { # METRIC
  curl -s "http://$address/metrics" | awk -v name="$1" 'index($0, name) == 1 { print $NF; found = 1 } END { if (!found) print 0 }'
}

printf 'setting\tconnections\trequests/s\tp50 ms\tp99 ms\tnot 200\ttokens/s\ttexts/batch\tMB\n'
offline=$("$program" tag --device cpu --progress json -o "$folder/out.jsonl" "$folder/texts.jsonl" 2>&1 | grep -o '"tokens_per_s":[0-9.]*' | tail -1)
printf 'vestnik tag\t\t\t\t\t\t%s\t\t\n' "${offline#*:}"

run() { # SETTING ARGUMENTS…
  local setting=$1
  shift
  "$program" serve --port 0 --device cpu --log-level warn "$@" 2>"$folder/log" &
  server=$!
  until address=$(grep -o '127.0.0.1:[0-9]*' "$folder/log"); do sleep 0.2; done
  for connections in 1 8 64 512; do
    local tokens batches texts line
    tokens=$(measure vestnik_tokens_total) batches=$(measure vestnik_batch_texts_count) texts=$(measure vestnik_batch_texts_sum)
    line=$(wrk --timeout 60s -t 1 -c "$connections" -d "${seconds}s" -s "$folder/load.lua" "http://$address" | tail -1)
    printf '%s\t%s\t%s\t' "$setting" "$connections" "$line"
    awk -v seconds="$seconds" -v tokens="$(($(measure vestnik_tokens_total) - tokens))" -v mb="$(awk '/VmRSS/ { print $2 / 1024 }' "/proc/$server/status")" \
      -v texts="$(measure vestnik_batch_texts_sum)" -v texts_before="$texts" -v batches="$(measure vestnik_batch_texts_count)" -v before="$batches" \
      'BEGIN { printf "%.0f\t%.1f\t%.0f\n", tokens / seconds, (texts - texts_before) / (batches - before), mb }'
  done
  kill "$server"
  wait "$server" || true
  server=
}

run 'shared batches'
run 'one by one' --batch-tokens 1 --max-wait-ms 0
