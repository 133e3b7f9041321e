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

# Shows a simulated fleet in conversation.
demo *args:
    cargo run --release -- demo {{args}}

# Breaks one invariant at a time and fails unless the named test notices.
mutants:
    tests/mutants/run

# Measures under load; needs no network.
bench *args:
    cargo run --release -p botfleet-loadtest -- {{args}}

# Checks licences, bans and sources of dependencies; needs cargo-deny.
deny:
    cargo deny check bans licenses sources
