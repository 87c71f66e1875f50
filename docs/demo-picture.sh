#!/bin/sh
# Makes the pictures of the tutorial again: screenshots of the page while the demonstration's block is at its
# height, and the first page of its report. Needs the development environment
# (`make test` makes it), Debian's chromium, and unzip.
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
event=$(python3 -c 'import json, sys, urllib.request as u
print(json.load(u.urlopen(sys.argv[1] + "api/v1/events"))["data"][0]["event_id"])' "$page")

# picture NAME WIDTH HEIGHT PATH
picture() {
  chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" \
    --window-size="$2,$3" --screenshot="$PWD/docs/$1.png" "$page$4" 2>"$work/chromium" ||
    { cat "$work/chromium" >&2; exit 1; }
  small "$1"
}
small() {
  "${VENV:-.venv}/bin/python" -c 'import sys, PIL.Image
PIL.Image.open(sys.argv[1]).quantize(256, PIL.Image.Quantize.FASTOCTREE).save(sys.argv[1], optimize=True)' "docs/$1.png"
  ls -l "docs/$1.png"
}
picture demo 1280 1090 ""
picture demo-event 1280 900 "events/$event"
picture demo-country 1280 900 countries/XD

"$shutwatch" demo --exit --port 0 --folder "$work/whole" >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
unzip -q -o "$work/whole/report.zip" report.pdf -d "$work"
"${VENV:-.venv}/bin/python" -c 'import sys, pypdfium2
pypdfium2.PdfDocument(sys.argv[1])[0].render(scale=1.25).to_pil().save("docs/report.png", optimize=True)' "$work/report.pdf"
small report
