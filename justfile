# Short names for what is typed often. `just` lists them; each line is the whole command, so nothing here is needed to work.

_default:
    @just --list --unsorted

# Everything on this machine, with no account
demo *arguments:
    cargo run --release -- demo {{ arguments }}

# Everything that must hold
test *arguments:
    cargo test {{ arguments }}

# Only the checks through the real binary
it *arguments:
    cargo test --test it -- {{ arguments }}

# Formatting and lints
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings

# What the pipeline runs
ci:
    .ci/run

# Feed the codecs noise, so many seconds a target
fuzz seconds="20":
    bash fuzz/run.sh {{ seconds }}

# Licences, sources, duplicate TLS stacks and known holes of the dependencies (needs cargo-deny)
deny:
    cargo deny check
