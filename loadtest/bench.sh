#!/bin/sh
# Measures botfleet beside its peers with the neutral harness: the rows of docs/PERFORMANCE.md.
#
#   loadtest/bench.sh HARNESS [OUT]
#
#   HARNESS   folder of the neutral harness; run its setup.sh once before
#   OUT       file that the JSON lines are appended to (bench.jsonl without it)
#   BOTFLEET_BINARY   the program to measure (target/release/botfleet of this checkout without it)
#   SECONDS_EACH, REPEAT   length and number of the runs of each row (8 and 3 without them)
#
# The first peer, teloxide-sqlite-full, is the base of the ratios: it stores as durably as botfleet does.
set -eu
harness=${1:?usage: loadtest/bench.sh HARNESS [OUT]}
out=${2:-bench.jsonl}
[ -f "$harness/run.py" ] || { echo "bench.sh: $harness holds no run.py" >&2; exit 2; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

failed=0
for bots in 50 200; do
    for mode in closed open; do
        echo "== $bots bots, $mode loop" >&2
        python3 "$harness/run.py" --peer teloxide-sqlite-full --peer aiogram-sqlite --peer "cmd:$here/peer.sh" \
            --bots "$bots" --chats 10 --mode "$mode" --concurrency 64 --rate 100 \
            --warmup 2 --seconds "${SECONDS_EACH:-8}" --repeat "${REPEAT:-3}" --out "$out" || failed=1
    done
done
[ -f "$harness/table.py" ] && python3 "$harness/table.py" "$out" teloxide-sqlite-full
exit "$failed"
