#!/bin/sh
# Runs botfleet as a peer of a neutral benchmark: writes its files from the environment, then becomes it.
#
#   TELEGRAM_API_URL, OPENAI_BASE_URL, OPENAI_API_KEY   where everything is
#   BOT_TOKENS, CHAT_IDS    comma-separated
#   BENCH_DIR               folder of the run (a new temporary one without it)
#   BOTFLEET_BINARY         the program (target/release/botfleet of this checkout without it)
#   BENCH_SYNCHRONOUS       full (as without it), normal or off
#   BENCH_POLICY            every (as without it), or natural: with director and guards; then run.py needs --mention
#
# Every bot is in every chat and answers what it receives. Pacing, caps and limiters are off, durability is on.
set -eu
: "${TELEGRAM_API_URL:?}" "${OPENAI_BASE_URL:?}" "${OPENAI_API_KEY:?}" "${BOT_TOKENS:?}" "${CHAT_IDS:?}"

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
binary=${BOTFLEET_BINARY:-$here/../target/release/botfleet}
[ -x "$binary" ] || { echo "peer.sh: $binary is no program; cargo build --release, or set BOTFLEET_BINARY" >&2; exit 2; }
# An earlier program that is measured beside this one has no such limit, and refuses the key.
per_person=
if grep -q person_per_ten_minutes "$binary"; then per_person='person_per_ten_minutes = 0'; fi
dir=${BENCH_DIR:-$(mktemp -d)}
umask 077
mkdir -p "$dir/secrets"
printf '%s' "$OPENAI_API_KEY" > "$dir/secrets/provider"

cat > "$dir/config.toml" <<TOML
[server]
listen = "127.0.0.1:0"

[store]
path = "$dir/botfleet.db"
synchronous = "${BENCH_SYNCHRONOUS:-full}"

[telegram]
api_url = "$TELEGRAM_API_URL"

[fleet]
ramp_per_minute = 0

[bots]
turns_in_flight = 256
turns_waiting = 65536
sends_per_second = 0
sends_per_chat_per_minute = 0

[log]
level = "warn"
TOML

{
    cat <<TOML
[defaults]
models = ["bench"]
policy = "${BENCH_POLICY:-every}"
hourly_cap = 0
context_messages = 10

[defaults.physics]
chain_depth_max = 0
pair_per_ten_minutes = 0
$per_person
chat_per_minute = 0
fleet_per_minute = 0

[defaults.pacing]
enabled = false
stale_after = "1h"
quiet_tick = "0s"

[[providers]]
name = "bench"
kind = "compatible"
base_url = "$OPENAI_BASE_URL"
api_key = "file:secrets/provider"
model = "gpt-4o-mini"
concurrency = 4096
waiting = 1000000

[personas.member]
language = "en"
voice = "You are a friendly member of this group and answer in one short sentence."
TOML
    bots=
    number=0
    IFS=,
    for token in $BOT_TOKENS; do
        number=$((number + 1))
        printf '%s' "$token" > "$dir/secrets/bot$number"
        printf '\n[[bots]]\nname = "bot%s"\ntoken = "file:secrets/bot%s"\npersona = "member"\n' "$number" "$number"
        bots="$bots${bots:+, }\"bot$number\""
    done
    number=0
    for chat in $CHAT_IDS; do
        number=$((number + 1))
        printf '\n[[chats]]\nname = "chat%s"\ntelegram_id = %s\nbots = [%s]\n' "$number" "$chat" "$bots"
    done
} > "$dir/fleet.toml"

cd "$dir"
exec "$binary" run --config "$dir/config.toml" --manifest "$dir/fleet.toml"
