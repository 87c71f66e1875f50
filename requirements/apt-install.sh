#!/bin/sh
# Install Debian or Ubuntu packages: as root, or with a sudo that asks for no password.
# Usage: apt-install.sh PACKAGE…
# Exit 2 without a word where that is not possible, or not wanted: SHUTWATCH_NO_APT=1.
set -eu
[ -z "${SHUTWATCH_NO_APT:-}" ] || exit 2
command -v apt-get >/dev/null 2>&1 || exit 2
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null || exit 2
  exec sudo -n sh "$0" "$@"
fi

# The tests start services themselves. Without this file a package would start its own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  # A shell that a signal ends does nothing on EXIT, unless it exits by itself.
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
echo "Installing with apt-get: $*"
apt-get update -qq
apt-get install -y -qq --no-install-recommends "$@" >/dev/null
