# The only entry points; laptop and CI run the same.

default:
    @just --list

# Every service and three witnesses in one process.
up *arguments:
    cargo run -- up {{arguments}}

# The main job told as a story; fails if anything is not as told.
demo *arguments:
    cargo run -- demo {{arguments}}

# PostgreSQL, Redis, an S3-compatible store and two of each service, with mTLS, until Enter. Installs what is missing.
cluster folder="trialseal-cluster" profile="dev":
    cargo build --profile {{profile}} --bin trialseal
    cargo run --profile {{profile}} --package testbed --bin cluster -- {{folder}}

# All tests. Packages of the judges go to target/, as pinned in tests/judges; needs python3, node and npm.
test: venv
    cargo test --workspace --locked

# Debian keeps Python's venv in a package of its own.
[private]
venv:
    python3 -c "import ensurepip, venv" || $(test "$(id -u)" = 0 || echo sudo) sh -c "apt-get update && apt-get install --yes python3-venv"

# Format, lints, licences, bans and sources. Installs cargo-deny from crates.io if it is missing.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    command -v cargo-deny || cargo install --locked cargo-deny
    cargo deny check licenses bans sources

# How fast this machine captures.
bench *arguments:
    cargo run --release -- bench {{arguments}}

# Random and mangled input for every parser, and random histories for the rules of consent and delegation, so many cases each.
fuzz cases="100000":
    PROPTEST_CASES={{cases}} cargo test --release --package tlog --package seal --package exchange --package bus -- \
        parsers_are_total any_bytes no_bytes changed_exports a_replaced_value whatever_stands_there
    PROPTEST_CASES={{cases}} cargo test --release --workspace --test rules -- \
        rules_3_of_consent_agree rules_3_of_delegation_agree
