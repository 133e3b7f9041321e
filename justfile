# Recipes for developers; CI runs .ci/run.

# Lists the recipes.
default:
    @just --list

# Formats all crates.
fmt:
    cargo fmt --all

# Checks format and lints as CI does.
lint:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets -- -D warnings

# Runs all tests.
test:
    cargo test --workspace

# Format, lints, unit tests and layers: before every push.
quick:
    .ci/quick

# Writes anew what is made from the code: schemas, examples, tables of keys, docs/METRICS.md.
renew:
    BOTFLEET_RENEW=1 cargo test --workspace --test it -- current

# Compares the API with its document, as each role; `just api --only viewer` asks as one.
api *args:
    .ci/api {{args}}

# Counts instructions and compares them with tests/gate/figures.toml; `just gate --update "why"` commits new figures.
gate *args:
    .ci/gate {{args}}

# Runs the release build for seconds as a peer of the neutral benchmark, and fails when a message stays unanswered.
peer *args:
    cargo build --release -p botfleet -p botfleet-loadtest
    target/release/botfleet-loadtest peer --binary target/release/botfleet {{args}}

# Shows a simulated fleet in conversation.
demo *args:
    cargo run --release -- demo {{args}}

# Breaks one invariant at a time and fails unless the named test notices; `--append FILE` skips what was caught before.
mutants *args:
    tests/mutants/run {{args}}

# Measures under load; needs no network.
bench *args:
    cargo run --release -p botfleet-loadtest -- {{args}}

# Checks licences, bans and sources of dependencies; needs cargo-deny.
deny:
    cargo deny check bans licenses sources
