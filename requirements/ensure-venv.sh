#!/bin/sh
# Make `python -m venv` work on Debian and Ubuntu, where it is a package of its own.
# Usage: ensure-venv.sh PYTHON. Exit 2 with what to type when it cannot be done here.
set -eu
version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
sh "$(dirname "$0")/apt-install.sh" "python${version}-venv" || {
  echo "python3 lacks venv. Install it once, then try again:  apt-get install python${version}-venv" >&2
  exit 2
}
