#!/bin/sh
# Make `python -m venv` work on Debian and Ubuntu, where it is a package of its own.
# Usage: ensure-venv.sh PYTHON. Exit 2 with what to type when it cannot be done here.
set -eu
python=$1
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
hint="python3 lacks venv. Install it once, then try again:  apt-get install python${version}-venv"
if ! command -v apt-get >/dev/null 2>&1; then
  echo "$hint" >&2
  exit 2
fi
if [ "$(id -u)" = 0 ]; then run=""; elif sudo -n true 2>/dev/null; then run="sudo"; else
  echo "$hint" >&2
  exit 2
fi
$run apt-get update -qq
$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "python${version}-venv"
