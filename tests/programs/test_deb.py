"""`make deb`: a Debian package whose program starts, with units, manual page and completion."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from monitor import __version__

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.soak, pytest.mark.git, pytest.mark.make, pytest.mark.timeout(900)]


def _said(*command: str | Path, **environ: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environ}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make deb` makes of the last commit."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not here")
    folder = tmp_path_factory.mktemp("deb")
    _said("git", "clone", "-q", "--no-hardlinks", ROOT, folder / "source")
    _said("make", "-C", folder / "source", "deb", PYTHON="/usr/bin/python3")
    (made,) = (folder / "source/dist").glob("*.deb")
    return made


def test_it_says_what_it_needs(package: Path) -> None:
    """The Python of this release of Debian, and no other."""
    fields = _said("dpkg-deb", "--field", package, "Version", "Depends").splitlines()
    assert fields[0].startswith(f"Version: {__version__}+")
    assert "python3 (>= 3." in fields[1]
    assert "python3 (<< 3." in fields[1]


def test_what_is_in_it_starts(package: Path, tmp_path: Path) -> None:
    """The program, its units and its pages are where Debian wants them."""
    _said("dpkg-deb", "--extract", package, tmp_path)
    inside = str(tmp_path / "usr/lib/shutwatch")
    start = ("/usr/bin/python3", "-m", "shutwatch")
    assert _said(*start, "--version", PYTHONPATH=inside) == f"shutwatch {__version__}\n"
    assert "youtube" in _said(*start, "catalog", PYTHONPATH=inside)
    for name in ("shutwatch", "shutwatch-agent", "shutwatch-control"):
        unit = (tmp_path / "usr/lib/systemd/system" / f"{name}.service").read_text()
        assert "ExecStart=/usr/bin/shutwatch " in unit
        assert "/opt/" not in unit
    for file in (
        "usr/bin/shutwatch",
        "usr/share/man/man1/shutwatch.1.gz",
        "usr/share/bash-completion/completions/shutwatch",
        "usr/share/zsh/vendor-completions/_shutwatch",
        "usr/share/fish/vendor_completions.d/shutwatch.fish",
        "usr/share/doc/shutwatch/copyright",
    ):
        assert (tmp_path / file).stat().st_size > 100, file
