#!/bin/sh
# Make a Debian package from the commit or source in this folder: program, its libraries, units, manual page,
# completion. It is for the Python of the Debian release it is made on: PYTHON must be of the same version.
# Usage: deb.sh PYTHON OUT. Exit 2 with what to do where something is missing; nothing is written then.
set -eu
python=$1 out=$2
stop() {
  echo "deb: $*" >&2
  exit 2
}
command -v dpkg-deb >/dev/null || stop "make it on Debian or Ubuntu: dpkg-deb is not here"
[ -x /usr/bin/python3 ] || stop "apt-get install python3"
minor='import sys; print("%d.%d" % sys.version_info[:2])'
version_of_python=$(/usr/bin/python3 -c "$minor")
[ "$("$python" -c "$minor")" = "$version_of_python" ] ||
  stop "Debian's Python here is $version_of_python: type rm -r .venv-release; make PYTHON=/usr/bin/python3 deb"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
root=$work/root
libraries=$root/usr/lib/shutwatch
mkdir -p "$libraries" "$root/DEBIAN" "$root/etc/shutwatch" "$root/usr/bin" "$root/usr/lib/systemd/system" \
  "$root/usr/share/bash-completion/completions" "$root/usr/share/doc/shutwatch" "$root/usr/share/fish/vendor_completions.d" \
  "$root/usr/share/man/man1" "$root/usr/share/zsh/vendor-completions"
"$python" -m hatchling build -t wheel -d "$work" >"$work/said" 2>&1 || stop "$(cat "$work/said")"
"$python" -m pip install -q --disable-pip-version-check --no-compile --require-hashes --target "$libraries" \
  -r requirements/full.lock >"$work/said" 2>&1 || stop "$(cat "$work/said")"
# Unpacked, not installed: pip would note the path of this folder.
"$python" -m zipfile -e "$work"/*.whl "$libraries"
rm -rf "$libraries/bin"
find "$libraries" -name __pycache__ -prune -exec rm -rf {} +

shutwatch() { PYTHONPATH=$libraries PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m shutwatch "$@"; }
install -m 755 packaging/deb/shutwatch "$root/usr/bin/"
install -m 644 LICENSE "$root/usr/share/doc/shutwatch/copyright"
gzip -9nc CHANGELOG.md >"$root/usr/share/doc/shutwatch/changelog.gz"
shutwatch manual | gzip -9nc >"$root/usr/share/man/man1/shutwatch.1.gz"
shutwatch completion bash >"$root/usr/share/bash-completion/completions/shutwatch"
shutwatch completion zsh >"$root/usr/share/zsh/vendor-completions/_shutwatch"
shutwatch completion fish >"$root/usr/share/fish/vendor_completions.d/shutwatch.fish"
for unit in packaging/*.service; do
  sed -e 's#/opt/shutwatch/.venv/bin/#/usr/bin/#' -e 's#file:///opt/shutwatch/docs/.*#man:shutwatch(1)#' -e '1,/^$/d' \
    "$unit" >"$root/usr/lib/systemd/system/$(basename "$unit")"
done

release=$(. /etc/os-release && echo "$ID$VERSION_ID" | sed 's/^debian/deb/')
version=$(shutwatch --version | cut -d' ' -f2)+$release
architecture=$(dpkg --print-architecture)
next=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % (sys.version_info[0], sys.version_info[1] + 1))')
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@PYTHON@/$version_of_python/" \
  -e "s/@NEXT@/$next/" -e "s/@SIZE@/$(du -sk --apparent-size "$root" | cut -f1)/" packaging/deb/control.in >"$root/DEBIAN/control"
install -m 755 packaging/deb/postinst packaging/deb/prerm packaging/deb/postrm "$root/DEBIAN/"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
mkdir -p "$out"
dpkg-deb --root-owner-group -Zxz --build "$root" "$out/shutwatch_${version}_$architecture.deb" >/dev/null
echo "$out/shutwatch_${version}_$architecture.deb"
