#!/bin/sh
# Put Prometheus 3 and its promtool into FOLDER/usr/bin, from Debian's next release, where the one of
# this machine is older: compose.yaml runs 3, so tests should. Nothing is installed on the machine.
# Usage: prometheus.sh FOLDER. Without Debian, or a way to its packages, it says so and does nothing;
# the tests then run on what this machine has.
set -eu
folder=$1 suite=forky
case $(prometheus --version 2>/dev/null) in *'version 3.'*) exit 0 ;; esac
[ ! -x "$folder/usr/bin/prometheus" ] || exit 0
give_up() {
  echo "Prometheus 3 is not to be had here ($1): tests run on what this machine has" >&2
  exit 0
}
[ -z "${SHUTWATCH_NO_APT:-}" ] || give_up "SHUTWATCH_NO_APT is set"
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || give_up "no apt-get"
keyring=$(ls /usr/share/keyrings/debian-archive-keyring.* 2>/dev/null | head -n 1)
mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep '/debian/$' | head -n 1)
[ -n "$keyring" ] && [ -n "$mirror" ] || give_up "not Debian"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/whole"
# apt checks the suite's signature and the packages' SHA-256. Its own lists stay as they are.
echo "deb [signed-by=$keyring] $mirror $suite main" >"$work/sources.list"
apt() {
  (cd "$work" && apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@")
}
apt update >/dev/null 2>"$work/said" && apt download prometheus promtool >/dev/null 2>"$work/said" ||
  give_up "$(tail -n 1 "$work/said")"
for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/whole"; done
"$work/whole/usr/bin/prometheus" --version >/dev/null 2>&1 || give_up "that of $suite does not run here"
mkdir -p "$folder/usr/bin"
cp "$work/whole/usr/bin/promtool" "$work/whole/usr/bin/prometheus" "$folder/usr/bin/"
