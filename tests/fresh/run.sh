#!/bin/sh
# Try a new user's first hour, `make run` and `make test` on a new Debian machine: `make fresh`. It
# needs root and debootstrap.
#
# The machine is a folder with Debian's smallest system in it, a new one for each part:
#   hour   tests/fresh/first_hour.py, whose output is docs/fresh/first-hour.txt
#   bare   apt-get is not used for the tests' tools: the tests that need them are skipped
#   tools  `make test` installs the tools itself
# The output of a part goes to docs/fresh/SUITE-PART.txt, or to standard output alone with ARGS.
#
# SUITE       Debian release (trixie)
# PARTS       parts to try ("hour bare tools")
# ARGS        arguments for pytest
# MIRROR      mirror of Debian (debootstrap's default)
# WORK        folder to work in (a temporary one)
# HOST_FILES  the host's own settings for pip and apt, which the machine gets as well
set -eu
cd "$(dirname "$0")/../.."
SUITE=${SUITE:-trixie}
PARTS=${PARTS:-hour bare tools}
HOST_FILES=${HOST_FILES:-/etc/pip.conf /etc/xdg/pip $HOME/.config/pip
  /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates
  $(grep -ls Acquire /etc/apt/apt.conf.d/* || true)}
[ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null || {
  echo "make fresh needs root and debootstrap: apt-get install debootstrap" >&2
  exit 2
}
work=$(mktemp -d "${WORK:-${TMPDIR:-/tmp}}/shutwatch-fresh.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM

# make_machine ROOT: the smallest Debian with what the README asks for, and a clone of this checkout.
make_machine() {
  debootstrap --variant=minbase --include=python3,make,git,ca-certificates,iproute2 \
    "$SUITE" "$1" ${MIRROR:+"$MIRROR"} >"$work/debootstrap.log" || {
    tail -5 "$work/debootstrap.log" >&2
    exit 1
  }
  for file in $HOST_FILES; do
    [ ! -e "$file" ] || cp -r --parents "$file" "$1"
  done
  echo debian >"$1/etc/hostname"
  # As Debian's installer writes it.
  printf '%s\n' '127.0.0.1 localhost' '127.0.1.1 debian' '::1 localhost ip6-localhost' >"$1/etc/hosts"
  git clone -q --no-hardlinks . "$1/srv/shutwatch"
  git -C "$1/srv/shutwatch" remote remove origin
}

# host_settings ROOT: variables by which pip and apt reach their sources, those that name a file
# only if the machine has it.
host_settings() {
  env | grep -E '^(PIP_[A-Z_]+|[A-Za-z]+_(proxy|PROXY)|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE)=' |
    while IFS='=' read -r name value; do
      case $value in /*) [ -e "$1$value" ] || continue ;; esac
      printf "%s='%s'\n" "$name" "$(printf %s "$value" | sed "s/'/'\\\\''/g")"
    done
}

# enter ROOT COMMAND…: run it there, with processes, mounts and devices of its own. Its root is a
# mount point, as on any machine: namespaces are refused in a mere chroot.
enter() {
  root=$1
  shift
  eval "env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LANG=C.UTF-8 $(host_settings "$root" | tr '\n' ' ')" \
    'unshare --mount --pid --uts --ipc --fork --kill-child sh -euc '\''
      root=$1
      shift
      mount --make-rprivate /
      mount --bind "$root" "$root"
      cd "$root"
      hostname debian
      mount -t proc proc proc
      mount --rbind /sys sys
      mount -t tmpfs -o mode=0755 tmpfs dev
      mkdir dev/pts dev/shm dev/net
      for device in null zero full random urandom tty net/tun; do
        [ ! -e "/dev/$device" ] || { : >"dev/$device" && mount --bind "/dev/$device" "dev/$device"; }
      done
      mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
      ln -s pts/ptmx dev/ptmx
      mount -t tmpfs -o mode=1777 tmpfs dev/shm
      ln -s /proc/self/fd dev/fd
      for stream in stdin:0 stdout:1 stderr:2; do
        ln -s "/proc/self/fd/${stream#*:}" "dev/${stream%:*}"
      done
      mkdir host
      pivot_root . host
      cd /
      umount -l host
      rmdir host
      exec "$@"
    '\'' sh "$root" "$@"'
}

# Names of mirrors and registries are the host's, not the project's.
public() {
  sed -u -E -e '/^(WARNING: Location|Looking in |Get:|Hit:|Ign:|Fetched )/d' \
    -e 's#http://127\.0\.0\.1#LOOPBACK#g' -e 's#https?://[^ /]*#https://...#g' \
    -e 's#LOOPBACK#http://127.0.0.1#g'
}

status=0
for part in $PARTS; do
  transcript=/dev/null
  if [ -z "${ARGS:-}" ]; then
    mkdir -p docs/fresh
    transcript=docs/fresh/$SUITE-$part.txt
    [ "$part" != hour ] || transcript=docs/fresh/first-hour.txt
  fi
  # The addresses of that part are the lab's.
  filter=public
  [ "$part" != hour ] || filter=cat
  make_machine "$work/root"
  {
    code=0
    enter "$work/root" sh /srv/shutwatch/tests/fresh/inside.sh "$part" "${ARGS:-}" </dev/null || code=$?
    echo "$code" >"$work/code"
  } 2>&1 | $filter | tee "$transcript"
  [ "$(cat "$work/code")" = 0 ] || status=1
  rm -rf --one-file-system "$work/root"
done
exit "$status"
