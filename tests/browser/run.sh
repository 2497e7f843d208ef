#!/usr/bin/env bash
# Browser checks: the console in Chromium, against the real binary on loopback. Arguments go to pytest: `tests/browser/run.sh -k keyboard`.
# CLEARLINE_BINARY: another binary than the release build. SHOTS: a folder for pictures of the pages.
set -euo pipefail
cd "$(dirname "$0")/../.."

requirements=tests/browser/requirements.txt
venv=target/browser-venv
axe_version=4.14.1
axe=target/browser-axe

# All checks together take about two minutes; beyond this limit something hangs.
limit_s=${BROWSER_LIMIT_S:-900}

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
command -v chromium >/dev/null || install_packages chromium
command -v npm >/dev/null || install_packages npm
export PYTHONDONTWRITEBYTECODE=1
cmp --silent "$requirements" "$venv/made-from.txt" || make_venv
[[ -f $axe/node_modules/axe-core/axe.min.js ]] ||
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$axe" "axe-core@$axe_version"
export AXE="$PWD/$axe/node_modules/axe-core/axe.min.js"

[[ -n ${CLEARLINE_BINARY:-} ]] || cargo build --release --locked

# `timeout` makes a process group of its own and ends all of it, servers that the checks started included.
timeout --kill-after=30 "$limit_s" "$venv/bin/python" -m pytest tests/browser "$@"
