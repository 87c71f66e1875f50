#!/bin/sh
# Makes docs/demo.png again: a screenshot of the page while the demonstration's block is at its height.
# Needs Debian's chromium, and pngquant if the picture is to be small.
set -eu
cd "$(dirname "$0")/.."
shutwatch=${VENV:-.venv}/bin/shutwatch
work=$(mktemp -d)
demo=
trap '[ -z "$demo" ] || kill "$demo" 2>/dev/null || true; wait; rm -rf "$work"' EXIT

"$shutwatch" demo --hold --port 0 >"$work/said" 2>&1 &
demo=$!
until grep -q 'detected: the same block, on Demo Cable too' "$work/said"; do
  kill -0 "$demo" 2>/dev/null || { cat "$work/said" >&2; exit 1; }
  sleep 1
done
page=$(sed -n 's/^ *page *\(http[^ ]*\).*/\1/p' "$work/said")
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" \
  --window-size=1280,"${HEIGHT:-1090}" --screenshot="$PWD/docs/demo.png" "$page${PATH_SHOWN:-}" 2>"$work/chromium" ||
  { cat "$work/chromium" >&2; exit 1; }
! command -v pngquant >/dev/null || pngquant --force --output docs/demo.png 64 docs/demo.png
ls -l docs/demo.png
