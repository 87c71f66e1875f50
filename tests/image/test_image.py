"""The container image: built from its Dockerfile, run, and looked at from outside."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.container import ROOT, Container, Images, wait_for

pytestmark = [pytest.mark.soak, pytest.mark.image, pytest.mark.git, pytest.mark.timeout(1800)]

UID = 10100
CONFIG = """
interval = "20s"

[[vantage]]
id = "here"
country = "PK"
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """A store of its own."""
    return Images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def image(images: Images, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image, built from what is committed."""
    context = tmp_path_factory.mktemp("context")
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "x", "-C", str(context)], input=archive.stdout, check=True)
    return images.build(images.base(), context)


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that is /data in the container; it belongs to the image's user."""
    folder = tmp_path_factory.mktemp("volume") / "data"
    folder.mkdir()
    (folder / "shutwatch.toml").write_text(CONFIG, "utf-8")
    shutil.chown(folder, UID)
    return folder


@pytest.fixture(scope="module")
def container(images: Images, image: str, volume: Path) -> Iterator[Container]:
    """One that has become healthy."""
    with images.running(image, volume) as running:
        wait_for(running)
        yield running


def test_it_is_small(images: Images, image: str) -> None:
    """With a base of 120 MB, such as python:3.13-slim, the whole has at most 400."""

    def installed(root: Path) -> str:
        files = [file for file in (root / "opt").rglob("*") if not file.is_symlink()]
        return str(sum(file.stat().st_size for file in files if file.is_file()))

    assert int(images.measured(image, installed)) < 275_000_000


def test_it_says_how_it_is_run(images: Images, image: str) -> None:
    """User, volume, port, command and health check are in the image itself."""
    config = images.config(image)
    assert config["User"] == "shutwatch"
    assert list(config["Volumes"]) == ["/data"]
    assert list(config["ExposedPorts"]) == ["10100/tcp"]
    assert [*config["Entrypoint"], *config["Cmd"]] == ["shutwatch", "run"]
    assert config["Healthcheck"]["Test"][0] == "CMD"


def test_it_answers(container: Container) -> None:
    """Health and metrics are served, and the metrics are those of the configuration."""
    assert container.get("/-/healthy") == "healthy\n"
    metrics = container.get("/metrics")
    assert 'shutwatch_vantage_info{asn="0",country="PK"' in metrics
    assert "shutwatch_cycle_interval_seconds 20.0" in metrics


def test_it_has_no_power(container: Container) -> None:
    """It runs as its own user, without any capability and without a way to get one."""
    status = container.status()
    assert status["Uid"].split() == [str(UID)] * 4
    assert "0" not in status["Gid"].split()
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_it_writes_nowhere_but_into_its_volume(container: Container, volume: Path) -> None:
    """The image is read-only to it; the database lies in the volume and survives it there."""
    refused = container.execute(["sh", "-c", "touch /opt/shutwatch/here /etc/here"])
    assert refused.returncode != 0
    assert "Read-only" in refused.stderr
    with sqlite3.connect(f"file:{volume / 'shutwatch.db'}?mode=ro", uri=True) as database:
        (tables,) = database.execute("select count(*) from sqlite_master").fetchone()
    assert tables > 5


def test_its_health_check_fails_when_nobody_answers(images: Images, image: str) -> None:
    """The check that passes above is no constant: where nothing listens it fails."""
    config = images.config(image)
    name = images.buildah("from", image)
    try:
        root = images.buildah("mount", name)
        done = subprocess.run(
            ["unshare", "--net", "chroot", root, *config["Healthcheck"]["Test"][1:]],
            env={"PATH": "/opt/shutwatch/bin:/usr/bin:/usr/sbin"},
            capture_output=True,
            check=False,
        )
    finally:
        images.buildah("rm", name)
    assert done.returncode != 0
    assert b"refused" in done.stderr or b"unreachable" in done.stderr


def test_it_ends_when_told_to(images: Images, image: str, tmp_path: Path) -> None:
    """As the first process of its namespace too it ends by itself on SIGTERM, with success."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "shutwatch.toml").write_text(CONFIG, "utf-8")
    shutil.chown(folder, UID)
    with images.running(image, folder) as running:
        wait_for(running)
        assert running.stop() == 0
