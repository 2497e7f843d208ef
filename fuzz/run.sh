#!/usr/bin/env bash
# Fuzzes every target for so many seconds (20 by default), from a corpus that starts with the fixtures. Fails on the first finding.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-20}

# libFuzzer is compiled from its C++ source.
command -v c++ >/dev/null || { apt-get update; DEBIAN_FRONTEND=noninteractive apt-get install -y g++; }

cargo_fuzz_version=0.13.2
if [[ "$(cargo fuzz --version 2>/dev/null)" != "cargo-fuzz $cargo_fuzz_version" ]]; then
  cargo install cargo-fuzz --version "$cargo_fuzz_version" --locked
fi

# Copies what is given into a target's corpus, by the hash of its content, so that nothing is there twice.
seed() {
  local target=$1 file
  shift
  mkdir -p "corpus/$target"
  for file in "$@"; do
    [[ -f $file ]] || { echo "no such fixture: $file" >&2; exit 1; }
    cp "$file" "corpus/$target/$(sha1sum <"$file" | cut -c -40)"
  done
}

fixtures=../tests/fixtures
seed media_stream "$fixtures"/twilio/stream_*.json
seed webhook_form "$fixtures"/twilio/*.form
seed elevenlabs_message seeds/elevenlabs_message/*
mkdir -p messages
split --lines=1 --suffix-length=3 "$fixtures"/elevenlabs/server_messages.jsonl messages/
seed elevenlabs_message messages/*
rm -r messages
for target in agent_dialects chat_stream e164 retell_llm retell_news signature; do
  seed "$target" seeds/"$target"/*
done

# A target without a name below would be built and never run.
targets=$(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | grep -v '^clearline-fuzz$')

# The versions that the program is built with; cargo adds what only the targets need.
cp ../Cargo.lock Cargo.lock

cargo fuzz build --sanitizer none
for target in $targets; do
  printf '\n-- %s\n' "$target"
  # A run that takes longer than 5 s, or 1 GB, on one input is a finding too.
  cargo fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1 -seed=1
done
