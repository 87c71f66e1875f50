"""`make images`: each image that is not built here gets the digest that the registry has now."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("Dockerfile", "compose.yaml", "compose.collectors.yaml")
DOCKER = """#!/bin/sh
echo "$*" >>"$0.log"
case $1 in
  image) echo "$5@sha256:$(printf %s "$5" | sha256sum | cut -d' ' -f1)";;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that name images, and a program that knows a digest of each."""
    (tmp_path / "requirements").mkdir()
    shutil.copy(ROOT / "requirements/pin-images.sh", tmp_path / "requirements")
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    program = tmp_path / "docker"
    program.write_text(DOCKER)
    program.chmod(0o755)
    return tmp_path


def _pin(folder: Path, *words: str, docker: str = "docker") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "requirements/pin-images.sh", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DOCKER": str(folder / docker)},
    )


def _images(folder: Path) -> set[str]:
    lines = [line for name in FILES for line in (folder / name).read_text().splitlines()]
    named = [line.strip().removeprefix("ARG BASE=").removeprefix("image: ") for line in lines]
    return {
        one
        for one, line in zip(named, lines, strict=True)
        if one != line.strip() and not one.startswith("shutwatch:")
    }


def test_every_image_gets_its_digest_and_keeps_its_tag(folder: Path) -> None:
    """The base of our own image too; once more with other digests replaces them."""
    before = _images(folder)
    assert len(before) >= 6
    assert _pin(folder).returncode == 0
    after = _images(folder)
    assert {one.partition("@")[0] for one in after} == before
    assert all(one.partition("@")[2].startswith("sha256:") for one in after)
    assert _pin(folder, "check").returncode == 0
    (folder / "docker").write_text(DOCKER.replace("sha256sum", "rev | sha256sum"))
    assert _pin(folder).returncode == 0
    again = _images(folder)
    assert {one.partition("@")[0] for one in again} == before
    assert not again & after


def test_what_has_no_digest_is_named(folder: Path) -> None:
    """And a program that knows none changes nothing."""
    unpinned = _pin(folder, "check")
    assert unpinned.returncode == 1
    assert set(unpinned.stdout.split()) == {one for one in _images(folder) if "@" not in one}
    before = _images(folder)
    (folder / "mute").write_text("#!/bin/sh\n")
    (folder / "mute").chmod(0o755)
    failed = _pin(folder, docker="mute")
    assert (failed.returncode, _images(folder)) == (2, before)
    assert "no digest of" in failed.stderr
