#!/bin/sh
# Make the files of a release from the commit that is checked out: wheel, source archive, SBOM
# (CycloneDX), release notes from the changelog, a Debian package, their SHA-256, and a signature of that. The
# same commit gives the same bytes. RELEASE_WITHOUT_DEB leaves the package out, where this is no Debian.
# Usage: release.sh PYTHON OUT. RELEASE_KEY names the private key, in OpenSSH's format.
# Exit 2 with what to do where something is missing; nothing is written then.
set -eu
python=$1 out=$2
signers=${RELEASE_SIGNERS:-packaging/release-signers}
namespace=shutwatch-release

stop() {
  echo "release: $*" >&2
  exit 2
}
[ -n "${RELEASE_KEY:-}" ] || stop "name the key: make release RELEASE_KEY=… (CONTRIBUTING.md, “Releases”)"
[ -r "$RELEASE_KEY" ] || stop "$RELEASE_KEY cannot be read"
[ -r "$signers" ] || stop "$signers is missing: it says whose signatures count (CONTRIBUTING.md, “Releases”)"
[ -z "$(git status --porcelain)" ] || stop "the checkout has changes that no commit has"
[ ! -e "$out" ] || stop "$out is there already"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/source" "$work/out"
# Only what is in the commit, whatever else lies in the checkout.
git archive HEAD | tar -x -C "$work/source"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
umask 022
(cd "$work/source" && "$python" -m zensical build) >"$work/said" 2>&1 || stop "$(cat "$work/said")"
(cd "$work/source" && "$python" -m hatchling build -d "$work/out") >"$work/said" 2>&1 ||
  stop "$(cat "$work/said")"
version=$("$python" -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])')
"$python" -m cyclonedx_py requirements requirements/full.lock --pyproject pyproject.toml \
  --output-reproducible --of JSON -o "$work/out/shutwatch-$version.cdx.json" 2>"$work/said" ||
  stop "$(cat "$work/said")"
"$python" requirements/release_notes.py "$work/source/CHANGELOG.md" "$version" >"$work/out/NOTES-$version.md" 2>"$work/said" ||
  stop "$(cat "$work/said")"
[ -n "${RELEASE_WITHOUT_DEB:-}" ] ||
  (cd "$work/source" && sh requirements/deb.sh "$python" "$work/out") >"$work/said" 2>&1 || stop "$(cat "$work/said")"
(cd "$work/out" && sha256sum -- * >SHA256SUMS)
ssh-keygen -q -Y sign -f "$RELEASE_KEY" -n "$namespace" "$work/out/SHA256SUMS" 2>"$work/said" || stop "$(cat "$work/said")"
# A release that readers would refuse is none.
who=$(ssh-keygen -Y find-principals -s "$work/out/SHA256SUMS.sig" -f "$signers" 2>/dev/null) ||
  stop "$RELEASE_KEY is not in $signers"
ssh-keygen -q -Y verify -f "$signers" -I "$who" -n "$namespace" -s "$work/out/SHA256SUMS.sig" \
  <"$work/out/SHA256SUMS" >/dev/null || stop "the signature does not hold"
mkdir -p "$(dirname "$out")"
mv "$work/out" "$out"
echo "$out: $(ls "$out" | tr '\n' ' ')"
unpinned=$(sh requirements/pin-images.sh check) ||
  echo "release: not pinned by content (make images): $(echo "$unpinned" | tr '\n' ' ')" >&2
