"""`make release`: the same commit gives the same bytes, signed, with a list of what is in them."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from monitor import __version__
from requirements.release_notes import notes as notes_of

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.git,
    pytest.mark.make,
    pytest.mark.release,
    pytest.mark.timeout(900),
]


def _run(folder: Path, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        # That is test_deb.py: to install all libraries takes half a minute.
        env={**os.environ, "RELEASE_WITHOUT_DEB": "1", **environ},
    )


def _checkout(to: Path) -> Path:
    """What is committed here, as a repository of its own, with the changes in a section of their
    version as a release has them. Two such checkouts have the same commit."""
    done = _run(to.parent, "git", "clone", "-q", "--no-hardlinks", str(ROOT), str(to))
    assert done.returncode == 0, done.stderr
    changelog = to / "CHANGELOG.md"
    text = changelog.read_text().replace("## Unreleased\n", f"## {__version__} – 2026-12-01\n", 1)
    changelog.write_text(text)
    who = {
        f"GIT_{role}_{name}": value
        for role in ("AUTHOR", "COMMITTER")
        for name, value in (("NAME", "t"), ("EMAIL", "t@t.invalid"), ("DATE", "@1790000000 +0000"))
    }
    done = _run(to, "git", "commit", "-q", "-a", "-m", "Release", **who)
    assert done.returncode == 0, done.stderr
    return to


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key; beside it a file that says whose signatures count."""
    folder = tmp_path_factory.mktemp("key")
    made = folder / "release"
    done = _run(
        folder, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(made)
    )
    assert done.returncode == 0, done.stderr
    public = made.with_suffix(".pub").read_text()
    (folder / "signers").write_text(f'releases namespaces="shutwatch-release" {public}')
    return made


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of the last commit."""
    return _checkout(tmp_path_factory.mktemp("one") / "shutwatch")


@pytest.fixture(scope="module")
def released(checkout: Path, key: Path) -> Path:
    """What `make release` makes."""
    signers = str(key.with_name("signers"))
    done = _run(checkout, "make", "release", RELEASE_KEY=str(key), RELEASE_SIGNERS=signers)
    assert done.returncode == 0, done.stdout + done.stderr
    return checkout / "dist/release"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_release_is_whole(released: Path) -> None:
    """Wheel, source archive, SBOM, notes, SHA-256 of each, and a signature of that."""
    assert len(_names(released)) == 6
    notes = (released / f"NOTES-{__version__}.md").read_text()
    assert notes.startswith(f"# shutwatch {__version__}\n\n")
    assert "\n### Before you upgrade\n" in notes
    sums = (released / "SHA256SUMS").read_text().splitlines()
    for line in sums:
        digest, name = line.split()
        assert hashlib.sha256((released / name).read_bytes()).hexdigest() == digest
    listed = {line.split()[1] for line in sums}
    assert listed == set(_names(released)) - {"SHA256SUMS", "SHA256SUMS.sig"}


def test_the_wheel_holds_the_program_and_the_archive_its_source(released: Path) -> None:
    """And nothing that is in no commit."""
    (wheel,) = released.glob("*.whl")
    (source,) = released.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {
        "shutwatch/monitor/report/verify.py",
        "shutwatch/monitor/server/runbooks/ShutwatchClockSkew.md",
        "shutwatch/monitor/server/site/index.html",
        "shutwatch/monitor/server/site/runbooks/ShutwatchClockSkew.html",
    } <= set(names)
    tracked = set(_run(ROOT, "git", "ls-files").stdout.splitlines())
    made = (".dist-info/", "/runbooks/", "/server/site/")
    ours = {name.removeprefix("shutwatch/") for name in names if not any(map(name.count, made))}
    started = {name.rpartition("start/shutwatch/")[2] for name in tracked if "start/" in name}
    assert ours <= tracked | started
    with tarfile.open(source) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"monitor/report/verify.py", "Makefile", "PKG-INFO"} <= inside


def test_the_signature_holds_for_this_list_alone(released: Path, key: Path) -> None:
    """As SECURITY.md says to check it, with nothing but OpenSSH."""
    text = (ROOT / "SECURITY.md").read_text()
    (command,) = re.findall(r"^ *(ssh-keygen -Y verify .*?)$", text, re.MULTILINE)
    shutil.copy(key.with_name("signers"), released / "release-signers")
    command = command.replace("packaging/release-signers", "release-signers")
    try:
        assert _run(released, "sh", "-c", command).returncode == 0
        whole = (released / "SHA256SUMS").read_text()
        (released / "SHA256SUMS").write_text(whole.replace("a", "b", 1))
        assert _run(released, "sh", "-c", command).returncode != 0
        (released / "SHA256SUMS").write_text(whole)
        assert _run(released, "sh", "-c", "sha256sum --check --strict SHA256SUMS").returncode == 0
    finally:
        (released / "release-signers").unlink()


def test_the_list_of_parts_is_that_of_the_lock(checkout: Path, released: Path) -> None:
    """CycloneDX: every package that is locked, with its version and hashes."""
    (file,) = released.glob("*.cdx.json")
    sbom: dict[str, Any] = json.loads(file.read_text())
    assert sbom["bomFormat"] == "CycloneDX"
    assert sbom["metadata"]["component"]["name"] == "shutwatch"
    committed = _run(checkout, "git", "log", "-1", "--format=%ct").stdout
    assert datetime.fromisoformat(sbom["metadata"]["timestamp"]).timestamp() == int(committed)
    lock = (ROOT / "requirements/full.lock").read_text()
    locked = set(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==([^ ;\\]+)", lock, re.MULTILINE))
    assert len(locked) > 30
    parts = {(one["name"].lower(), one["version"]) for one in sbom["components"]}
    assert {(name.replace("_", "-"), version) for name, version in parts} == locked


@pytest.mark.soak
def test_the_same_commit_gives_the_same_bytes(
    checkout: Path, released: Path, key: Path, tmp_path: Path
) -> None:
    """Elsewhere, later, in another time zone, under another umask, with other files lying about."""
    other = _checkout(tmp_path / "a folder elsewhere")
    (other / "dist").mkdir()
    (other / "shutwatch.db").write_text("in no commit, and ignored")
    python = str(checkout / ".venv-release/bin/python")
    script = f'umask 077; sh requirements/release.sh "{python}" dist/again'
    environ = {"TZ": "Asia/Karachi", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    signers = str(key.with_name("signers"))
    done = _run(other, "sh", "-c", script, RELEASE_KEY=str(key), RELEASE_SIGNERS=signers, **environ)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in _names(released):
        assert (other / "dist/again" / name).read_bytes() == (released / name).read_bytes(), name


@pytest.mark.parametrize(
    "fault",
    [
        "no key",
        pytest.param("unknown key", marks=pytest.mark.soak),
        "no signers",
        "changed",
        "there",
    ],
)
def test_no_release_without_all_it_needs(
    checkout: Path, released: Path, key: Path, tmp_path: Path, fault: str
) -> None:
    """Exit code 2, with what to do, and nothing written."""
    signers, out, environ = key.with_name("signers"), tmp_path / "out", {"RELEASE_KEY": str(key)}
    if fault == "no key":
        environ["RELEASE_KEY"] = ""
    elif fault == "unknown key":
        signers = tmp_path / "signers"
        signers.write_text("")
    elif fault == "no signers":
        signers = tmp_path / "none"
    elif fault == "there":
        out = released
    before = _names(released)
    extra = checkout / "extra.py"
    if fault == "changed":
        extra.write_text("")
    try:
        python = str(checkout / ".venv-release/bin/python")
        command = ["sh", "requirements/release.sh", python, str(out)]
        done = _run(checkout, *command, RELEASE_SIGNERS=str(signers), **environ)
    finally:
        extra.unlink(missing_ok=True)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("release: ")
    assert out == released or not out.exists()
    assert _names(released) == before


CHANGES = "# Changelog\n\n## Unreleased\n\n* New.\n\n## 0.2 – 2027-01-01\n\n* Second.\n\n## 0.1\n"


@pytest.mark.parametrize(
    ("version", "found"), [("0.2", "* Second.\n"), ("0.1", ""), ("0.3", ""), ("0", "")]
)
def test_notes_are_those_of_the_version(version: str, found: str) -> None:
    """Its own section, however it is dated; none of another, and an empty one is none."""
    assert notes_of(CHANGES, version) == found
