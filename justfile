# The only entry points; laptop and CI run the same.

default:
    @just --list

# Every service and three witnesses in one process.
up *arguments:
    cargo run -- up {{arguments}}

# The end-to-end demo on synthetic data; fails if any step misbehaves.
demo *arguments:
    cargo run {{ if arguments =~ "--cluster" { "--features full" } else { "" } }} -- demo {{arguments}}

# PostgreSQL, Redis, an S3-compatible store and two processes of each service, with mTLS, until Enter. Installs missing packages.
cluster folder="trialseal-cluster" profile="dev":
    CARGO_PROFILE_RELEASE_LTO=thin cargo build --profile {{profile}} --bin trialseal --features full
    cargo run --profile {{profile}} --package testbed --bin cluster -- {{folder}}

# Everything CI runs: lint, then all tests. Packages for both go to target/, as pinned in tests/lint and tests/judges; needs python3, node and npm.
test: lint lean
    @echo "== tests: by estimate 40 minutes on two cores when nothing is built yet, 15 when everything is"
    cargo test --workspace --locked

# All of lint, the cheapest first: a wrong format costs seconds.
lint: format spelling protocol dependencies advisories clippy documentation

# Are the sources formatted? (`cargo fmt --all` formats them.)
format:
    @echo "== format: seconds"
    cargo fmt --all --check

# Are pages, comments and names spelt correctly? (tests/lint/typos.toml)
spelling: tools
    @echo "== spelling: seconds"
    target/lint/bin/typos --config tests/lint/typos.toml

# Is the API well formed, and does everything that worked with the last release still work? (proto/buf.yaml)
protocol: tools
    @echo "== protocol: seconds"
    cd proto && ../target/lint/bin/buf lint
    cd proto && ../target/lint/bin/buf breaking --against released.binpb

# Part of making a release: from now on `just protocol` compares with the API as it is today.
release-protocol: protocol
    cd proto && ../target/lint/bin/buf build --exclude-source-info --output released.binpb

# Licences, bans and sources of the crates we depend on (deny.toml).
dependencies: tools
    @echo "== dependencies: seconds, and a minute when crates have to be downloaded"
    target/lint/bin/cargo-deny --locked check licenses bans sources

# Clippy's and the compiler's lints, tests included.
clippy:
    @echo "== clippy: by estimate 6 minutes on two cores when nothing is built yet"
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Does every link of the crates' documentation lead somewhere?
documentation:
    @echo "== documentation: by estimate 2 minutes on two cores"
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# The tools of lint in target/lint, installed again when their pins change.
[private]
tools: venv
    #!/usr/bin/env bash
    set -euo pipefail
    cmp --silent tests/lint/requirements.txt target/lint/installed.txt && exit
    echo "== tools of lint: seconds"
    python3 -m venv --clear target/lint
    target/lint/bin/pip install --quiet --requirement tests/lint/requirements.txt
    cp tests/lint/requirements.txt target/lint/installed.txt

# Debian keeps Python's venv in a package of its own.
[private]
venv:
    python3 -c "import ensurepip, venv" || $(test "$(id -u)" = 0 || echo sudo) sh -c "apt-get update && apt-get install --yes python3-venv"

# The program as a newcomer builds it, without the features of a deployment; what it lacks it must refuse by name.
lean:
    @echo "== lean: by estimate 5 minutes on two cores when nothing is built yet"
    cargo check --locked --package trialseal
    cargo test --locked --lib --package caller --package permission --package bus --package database --package objects --package telemetry -- a_program_without

# Yanked versions, and known vulnerabilities by the RustSec advisory database. Where it cannot be fetched, ADVISORY_DB names a clone of it;
# without either, vulnerabilities are NOT looked for, which is said, and is a failure if REQUIRE_ADVISORIES is set.
advisories: tools
    #!/usr/bin/env bash
    set -euo pipefail
    echo "== advisories: up to half a minute"
    source=https://github.com/RustSec/advisory-db
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # Each run has its own database: cargo-deny clones from `source`, git redirects it.
    sed "s|^\[advisories\]\$|&\ndb-path = \"$work/databases\"|" deny.toml > "$work/deny.toml"
    clone_from() { export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$1.insteadOf" GIT_CONFIG_VALUE_0="$source"; }
    check() { target/lint/bin/cargo-deny --locked --config "$work/deny.toml" check advisories; }
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

# The code of libs/proto from proto/, after a change there.
generate:
    TRIALSEAL_GENERATE=1 cargo test --package proto --test generated

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

# Random and mangled input for every parser, and random histories for the rules of consent and delegation; `cases` of each.
fuzz cases="100000":
    PROPTEST_CASES={{cases}} cargo test --release --package tlog --package seal --package exchange --package bus --features bus/redis -- \
        parsers_are_total any_bytes no_bytes changed_exports a_replaced_value whatever_stands_there
    PROPTEST_CASES={{cases}} cargo test --release --workspace --test rules -- \
        rules_3_of_consent_agree rules_3_of_delegation_agree
