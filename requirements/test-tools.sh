#!/bin/sh
# Install what the tests need besides Python and is not here yet, as test-tools.txt lists it.
# Where that fails or may not be done, the tests skip what they cannot run and name the packages.
set -eu
here=$(dirname "$0")
system=$(. /etc/os-release 2>/dev/null && echo "${ID:-}") || system=

# found NAMES: whether one of them, separated by |, is a program on PATH or an existing file.
found() {
  IFS='|'
  for name in $1; do
    case $name in
      /*) ls $name >/dev/null 2>&1 && return 0 ;;
      *) command -v "$name" >/dev/null 2>&1 && return 0 ;;
    esac
  done
  return 1
}

missing=
while read -r marker names package on; do
  case $marker in '' | '#'*) continue ;; esac
  [ "$on" = any ] || [ "$on" = "$system" ] || continue
  case " $missing " in *" $package "*) continue ;; esac
  (found "$names") || missing="$missing $package"
done <"$here/test-tools.txt"
[ -n "$missing" ] || exit 0

status=0
# shellcheck disable=SC2086 # a list of names is meant
sh "$here/apt-install.sh" $missing || status=$?
# Exit status 2 means that installing is not possible or not wanted here.
[ "$status" = 0 ] || [ "$status" = 2 ] || echo "These could not be installed:$missing" >&2
