# The only entry points; laptop and CI run the same.

default:
    @just --list

# Every service and three witnesses in one process.
up *arguments:
    cargo run -- up {{arguments}}

# The main job told as a story; fails if anything is not as told.
demo *arguments:
    cargo run {{ if arguments =~ "--cluster" { "--features full" } else { "" } }} -- demo {{arguments}}

# PostgreSQL, Redis, an S3-compatible store and two of each service, with mTLS, until Enter. Installs what is missing.
cluster folder="trialseal-cluster" profile="dev":
    CARGO_PROFILE_RELEASE_LTO=thin cargo build --profile {{profile}} --bin trialseal --features full
    cargo run --profile {{profile}} --package testbed --bin cluster -- {{folder}}

# All tests. Packages of the judges go to target/, as pinned in tests/judges; needs python3, node and npm.
test: venv
    cargo test --workspace --locked

# Debian keeps Python's venv in a package of its own.
[private]
venv:
    python3 -c "import ensurepip, venv" || $(test "$(id -u)" = 0 || echo sudo) sh -c "apt-get update && apt-get install --yes python3-venv"

# The program as a newcomer builds it, without the features of a deployment; what it lacks it must refuse by name.
lean:
    cargo check --locked --package trialseal
    cargo test --locked --lib --package access --package bus --package database --package objects --package telemetry -- a_program_without

# Format, lints, documentation, licences, bans, sources and advisories. Installs cargo-deny from crates.io if it is missing.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
    command -v cargo-deny || cargo install --locked cargo-deny
    cargo deny check licenses bans sources
    just advisories

# Yanked versions, and known vulnerabilities by the RustSec advisory database. Where it cannot be fetched, ADVISORY_DB names a clone of it;
# without either, vulnerabilities are NOT looked for, which is said, and is a failure if REQUIRE_ADVISORIES is set.
advisories:
    #!/usr/bin/env bash
    set -euo pipefail
    source=https://github.com/RustSec/advisory-db
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # Whatever it is made of, the database of this run is this run's: cargo-deny clones from `source`, git redirects it.
    sed "s|^\[advisories\]\$|&\ndb-path = \"$work/databases\"|" deny.toml > "$work/deny.toml"
    clone_from() { export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$1.insteadOf" GIT_CONFIG_VALUE_0="$source"; }
    check() { cargo deny --config "$work/deny.toml" check advisories; }
    if [ -n "${ADVISORY_DB:-}" ]; then
        age=$(( ($(date +%s) - $(git -C "$ADVISORY_DB" log -1 --format=%ct)) / 86400 ))
        [ "$age" -le 90 ] || { echo "ADVISORY_DB: its newest advisory is $age days old: bring a newer clone" >&2; exit 1; }
        clone_from "$(realpath "$ADVISORY_DB")"
        check
    elif GIT_TERMINAL_PROMPT=0 timeout 20 git ls-remote --exit-code "$source" HEAD > "$work/reached" 2>&1; then
        check
    else
        missing() {
            echo "!! NO ADVISORY DATABASE: known vulnerabilities of dependencies were NOT looked for." >&2
            echo "!! $source cannot be reached; set ADVISORY_DB to a folder with a clone of it." >&2
        }
        missing
        [ -z "${REQUIRE_ADVISORIES:-}" ] || exit 1
        # cargo-deny looks for yanked versions only with a database that has an advisory: one about no crate stands in.
        advisory="$work/stand-in/crates/no-such-crate/RUSTSEC-2020-9999.md"
        mkdir -p "$(dirname "$advisory")"
        printf '```toml\n[advisory]\nid = "RUSTSEC-2020-9999"\npackage = "no-such-crate"\ndate = "2020-01-01"\n\n[versions]\npatched = []\n```\n\n# Stands in for a database\n\nNo crate has this name.\n' > "$advisory"
        git init -q -b main "$work/stand-in"
        git -C "$work/stand-in" add .
        git -C "$work/stand-in" -c user.name=stand-in -c user.email=stand-in@trialseal.example commit -q -m "No advisories"
        clone_from "$work/stand-in"
        check > "$work/output" 2>&1 || { cat "$work/output" >&2; exit 1; }
        echo "no dependency is a yanked version" >&2
        missing
    fi

# How fast this machine captures: the program as it ships.
bench *arguments:
    CARGO_PROFILE_RELEASE_LTO=thin cargo run --release --features full -- bench {{arguments}}

# Processor time of cold builds of another commit and of this one, in one run: docs/PERFORMANCE.md. Takes hours on two cores.
build-cost before="2068884":
    #!/usr/bin/env bash
    set -euo pipefail
    mkdir -p target
    work=$(mktemp -d -p target)
    trap 'rm -rf "$work"' EXIT
    export CARGO_TARGET_DIR="$PWD/$work/target"
    TIMEFORMAT="%U s user, %S s system, %R s in all"
    for command in "build" "build --release" "test --workspace --no-run"; do
        for commit in {{before}} HEAD; do
            rm -rf "$work/source"
            git clone --quiet . "$work/source"
            git -C "$work/source" checkout --quiet "$(git rev-parse "$commit")"
            (cd "$work/source" && cargo fetch --locked --quiet)
            echo "$commit: cargo $command"
            time (cd "$work/source" && cargo $command --locked --quiet)
            rm -rf "$CARGO_TARGET_DIR"
        done
    done

# Random and mangled input for every parser, and random histories for the rules of consent and delegation, so many cases each.
fuzz cases="100000":
    PROPTEST_CASES={{cases}} cargo test --release --package tlog --package seal --package exchange --package bus --features bus/redis -- \
        parsers_are_total any_bytes no_bytes changed_exports a_replaced_value whatever_stands_there
    PROPTEST_CASES={{cases}} cargo test --release --workspace --test rules -- \
        rules_3_of_consent_agree rules_3_of_delegation_agree
