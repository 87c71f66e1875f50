#!/bin/sh
# Pin the images that the Dockerfile and the compose files name by their content: after the tag comes
# the digest that the registry has for it now. It needs a registry; DOCKER names the program.
# Usage: pin-images.sh        rewrites the files
#        pin-images.sh check  names the images that have no digest; exit 1 where there are any
set -eu
docker=${DOCKER:-docker}
files="Dockerfile compose.yaml compose.collectors.yaml"

# Without those that are built here.
images() {
  # shellcheck disable=SC2086 # several files
  sed -nE 's/^(ARG BASE=| *image: )([^ ]+)$/\2/p' $files | grep -v '^shutwatch:' | sort -u
}

if [ "${1:-}" = check ]; then
  ! images | grep -v '@sha256:'
  exit
fi
for image in $(images); do
  name=${image%@*}
  "$docker" pull -q "$name" >/dev/null
  digest=$("$docker" image inspect --format '{{join .RepoDigests "\n"}}' "$name" | sed -n 's/.*@//p' | head -n 1)
  expr "$digest" : 'sha256:[0-9a-f]\{64\}$' >/dev/null || {
    echo "pin-images: $docker gives no digest of $name" >&2
    exit 2
  }
  from=$(printf %s "$image" | sed 's/[.]/\\./g')
  # shellcheck disable=SC2086
  sed -i -E "s#^(ARG BASE=| *image: )$from\$#\1$name@$digest#" $files
  echo "$name@$digest"
done
