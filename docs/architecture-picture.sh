#!/bin/sh
# Makes docs/architecture.svg again from docs/architecture.mmd. Needs npm and Debian's chromium.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "mermaid@${MERMAID:-11}" >/dev/null && tar xzf mermaid-*.tgz package/dist/mermaid.min.js)
{
  printf '<!doctype html><meta charset="utf-8"><pre class="mermaid">'
  sed 's/&/\&amp;/g; s/</\&lt;/g' architecture.mmd
  printf '</pre><script src="%s/package/dist/mermaid.min.js"></script><script>' "$work"
  # Text as text, so that the picture needs no HTML inside it.
  printf 'mermaid.initialize({startOnLoad: true, theme: "neutral", htmlLabels: false, flowchart: {htmlLabels: false}, deterministicIds: true})</script>'
} >"$work/page.html"
chromium --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --virtual-time-budget=20000 \
  --dump-dom "file://$work/page.html" 2>"$work/said" | sed -n 's/.*\(<svg .*<\/svg>\).*/\1/p' >"$work/made.svg"
grep -q '</svg>' "$work/made.svg" || { cat "$work/said" >&2; exit 1; }
# A background of its own: readers also have dark pages.
sed 's/style="max-width:/style="background: white; max-width:/' "$work/made.svg" >architecture.svg
ls -l architecture.svg
