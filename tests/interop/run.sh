#!/usr/bin/env bash
# Third-party checks: the vendors' own client libraries, and simulators written by others, against the real binary on loopback.
# Arguments go to pytest: `tests/interop/run.sh -k signatures`.
set -euo pipefail
cd "$(dirname "$0")/../.."

requirements=tests/interop/requirements.txt
venv=target/interop-venv

mcp=tests/interop/mcp
packages=target/interop-node

# All checks together take about four minutes; beyond this limit something hangs.
limit_s=${INTEROP_LIMIT_S:-1200}

install_packages() {
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y "$@"
}

# make_venv FOLDER REQUIREMENTS [OPTION OF PIP]...
make_venv() {
  cmp --silent "$2" "$1/made-from.txt" && return
  rm -rf "$1"
  if ! python3 -m venv "$1"; then
    # Debian ships the venv module apart from Python.
    rm -rf "$1"
    install_packages python3-venv
    python3 -m venv "$1"
  fi
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check "${@:3}" --requirement "$2"
  # Last, so that a half-made environment is made anew.
  cp "$2" "$1/made-from.txt"
}

make_node_packages() {
  cmp --silent "$mcp/package-lock.json" "$packages/made-from.json" && return
  rm -rf "$packages"
  mkdir -p "$packages"
  cp "$mcp/package.json" "$mcp/package-lock.json" "$packages/"
  (cd "$packages" && npm ci --no-audit --no-fund --loglevel=error)
  cp "$mcp/package-lock.json" "$packages/made-from.json"
}

command -v python3 >/dev/null || install_packages python3 python3-venv
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "tests/interop needs Python 3.11 or newer, this is $(python3 --version)" >&2; exit 1; }
export PYTHONDONTWRITEBYTECODE=1
make_venv "$venv" "$requirements"
# The two versions of the MCP client cannot live together.
make_venv target/interop-mcp-v1 "$mcp/requirements-v1.txt"
make_venv target/interop-mcp-v2 "$mcp/requirements-v2.txt"
make_venv target/interop-pipecat tests/interop/pipecat/requirements.txt --no-deps
command -v npm >/dev/null || install_packages nodejs npm
make_node_packages

cargo build --release --locked
cargo build --locked --example render_twiml --example mcp_conformance

# `timeout` makes a process group of its own and ends all of it, servers that the checks started included.
timeout --kill-after=30 "$limit_s" "$venv/bin/python" -m pytest tests/interop "$@"
