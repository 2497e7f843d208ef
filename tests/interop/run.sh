#!/usr/bin/env bash
# Third-party checks: the vendors' own client libraries, and simulators written by others, against the real binary on loopback.
# Arguments go to pytest: `tests/interop/run.sh -k signatures`.
set -euo pipefail
cd "$(dirname "$0")/../.."

requirements=tests/interop/requirements.txt
venv=target/interop-venv

# All checks together take about two minutes; beyond this limit something hangs.
limit_s=${INTEROP_LIMIT_S:-900}

install_packages() {
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y "$@"
}

make_venv() {
  rm -rf "$venv"
  if ! python3 -m venv "$venv"; then
    # Debian ships the venv module apart from Python.
    rm -rf "$venv"
    install_packages python3-venv
    python3 -m venv "$venv"
  fi
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
  # Last, so that a half-made environment is made anew.
  cp "$requirements" "$venv/made-from.txt"
}

command -v python3 >/dev/null || install_packages python3 python3-venv
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "tests/interop needs Python 3.11 or newer, this is $(python3 --version)" >&2; exit 1; }
export PYTHONDONTWRITEBYTECODE=1
cmp --silent "$requirements" "$venv/made-from.txt" || make_venv

cargo build --release --locked
cargo build --locked --example render_twiml

# `timeout` makes a process group of its own and ends all of it, servers that the checks started included.
timeout --kill-after=30 "$limit_s" "$venv/bin/python" -m pytest tests/interop "$@"
