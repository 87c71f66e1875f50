#!/bin/sh
# Remove from an installation what nothing reads while it runs: `slim.sh FOLDER`. For images, which people
# fetch over lines that are slow and paid for by the megabyte.
set -eu
cd "$1"
# Symbols of libraries, and what only compilers and type checkers read.
find . \( -name '*.so' -o -name '*.so.*' \) -exec strip --strip-unneeded {} +
find . \( -name '*.py[ix]' -o -name '*.pxd' -o -name '*.[ch]' \) -delete
# What rich would paint source code with, and what SQLAlchemy's authors test with.
rm -rf lib/python3*/site-packages/pygments* lib/python3*/site-packages/sqlalchemy/testing
# Babel's names of countries, in languages that no text of ours is in.
for data in lib/python3*/site-packages/babel/locale-data; do
  [ -d "$data" ] || continue
  kept=$(ls lib/python3*/site-packages/shutwatch/monitor/wording/locale | sed -n 's/\.po$//p' | paste -sd'|')
  find "$data" -name '*.dat' | grep -Ev "/(root|en|$kept)(_[^/]*)?\.dat$" | xargs rm
done
