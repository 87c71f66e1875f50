#!/bin/sh
# What tests/fresh/run.sh does on the new machine. Usage: inside.sh hour|bare|tools ARGS
set -eu
part=$1
arguments=$2
cd /srv/shutwatch
if [ "$part" = hour ]; then
  make -s .venv/.dev >/tmp/dev.log 2>&1 || { cat /tmp/dev.log; exit 1; }
  exec .venv/bin/python -m tests.fresh.first_hour
fi
. /etc/os-release
echo "$PRETTY_NAME, $(python3 --version), $(git log -1 --format='commit %h of %cs'), part $part"

ASK='
import time, urllib.request
for attempt in range(120):
    time.sleep(1)
    try:
        for path in ("/", "/metrics"):
            with urllib.request.urlopen("http://127.0.0.1:10100" + path, timeout=5) as answer:
                body = answer.read().decode()
                names = {line.split()[2] for line in body.splitlines() if line[:7] == "# TYPE "}
                found = f"{len(names)} metrics" if names else f"{len(body)} characters"
                print(f"GET {path} -> {answer.status}, {found}")
        break
    except OSError:
        continue
else:
    raise SystemExit("make run does not answer on http://127.0.0.1:10100")
'

# Installing needs the network. The monitor then starts with loopback alone, so that nothing is
# sent to the platforms.
echo
echo '$ make run'
make -s .venv/.run
unshare --net sh -euc '
  ip link set lo up
  make -s run >/tmp/run.log 2>&1 &
  made=$!
  python3 -c "$1" || { cat /tmp/run.log; kill "$made"; exit 1; }
  kill "$made"
  wait "$made" 2>/dev/null || :
' sh "$ASK"

echo
if [ "$part" = bare ]; then
  export SHUTWATCH_NO_APT=1
  echo '$ SHUTWATCH_NO_APT=1 make test'
else
  echo '$ make test'
fi
exec make -s test ARGS="$arguments"
