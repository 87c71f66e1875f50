#!/bin/sh
# Makes the pictures of screens.md again. Needs the development environment (`make test` makes it), Debian's
# chromium and, for the picture of the documents, `make docs`.
set -eu
cd "$(dirname "$0")/.."
exec "${VENV:-.venv}/bin/python" -m tests.browser.pictures "$@"
