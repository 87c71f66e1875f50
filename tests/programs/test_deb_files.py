"""What the Debian package ships besides the program, without making a package."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli.main import app
from monitor.config.load import load_config

ROOT = Path(__file__).parents[2]
DEB = ROOT / "packaging" / "deb"


def _program(file: Path, does: str) -> None:
    file.write_text(f"#!/bin/sh\n{does}\n")
    file.chmod(0o700)


def test_attack_no_file_of_the_current_folder_runs(tmp_path: Path) -> None:
    """Root types `shutwatch` in a folder that somebody else can write to, such as /tmp."""
    library, here = tmp_path / "library", tmp_path / "here"
    for folder, says in ((library, "ours"), (here, "theirs")):
        (folder / "shutwatch").mkdir(parents=True)
        (folder / "shutwatch" / "__init__.py").touch()
        (folder / "shutwatch" / "__main__.py").write_text(f"import calendar\nprint({says!r})\n")
    (here / "calendar.py").write_text("print('theirs')\n")
    text = (DEB / "shutwatch").read_text("utf-8")
    assert "/usr/lib/shutwatch" in text
    command = tmp_path / "shutwatch"
    command.write_text(
        text.replace("/usr/lib/shutwatch", str(library)).replace("/usr/bin/python3", sys.executable)
    )
    done = subprocess.run(
        ["sh", str(command)], cwd=here, capture_output=True, text=True, check=True
    )
    assert done.stdout == "ours\n"


def test_what_it_says_after_the_first_installation_leads_to_a_service(tmp_path: Path) -> None:
    """Whoever types it line by line has files that the service's group can read, all of them, and
    data that every command finds, wherever it is typed."""
    for name in ("getent", "chown", "chmod", "systemctl"):
        _program(tmp_path / name, "exit 0")
    said = subprocess.run(
        ["sh", str(DEB / "postinst"), "configure", ""],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    folder = tmp_path / "etc"
    folder.mkdir()
    typed = [one.strip() for one in said.splitlines() if one.startswith("  ")]
    init, *others, start = [one.replace("/etc/shutwatch", str(folder)) for one in typed]
    assert start == "systemctl enable --now shutwatch"
    words = [*init.split()[1:], "--country", "PK", "--line", "direct", "--user", "asma"]
    done = CliRunner().invoke(app, words, input="correct horse\n")
    assert done.exit_code == 0, done.output
    for line in others:
        subprocess.run(["sh", "-c", line], check=True)
    settings = load_config(folder / "shutwatch.toml", {})
    assert settings.database == "sqlite:////var/lib/shutwatch/shutwatch.db"
    assert {one.name: stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {
        "shutwatch.toml": 0o640,
        "shutwatch-users.txt": 0o640,
    }


def test_its_units_have_every_setting_of_the_shipped_ones(tmp_path: Path) -> None:
    """Only how to copy them is left out. Each comment took the settings below it along: there was
    no folder for data, no restart and no sandbox."""
    script = (ROOT / "requirements/deb.sh").read_text("utf-8")
    begin = script.index("for unit in packaging/")
    loop = script[begin : script.index("done\n", begin) + len("done\n")]
    units = tmp_path / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    subprocess.run(
        ["sh", "-eu", "-c", loop], cwd=ROOT, env={**os.environ, "root": str(tmp_path)}, check=True
    )
    shipped = sorted((ROOT / "packaging").glob("*.service"))
    assert len(shipped) == 3
    for unit in shipped:
        made = (units / unit.name).read_text("utf-8")
        assert made.startswith("[Unit]\n")
        assert "/opt/" not in made
        assert _settings(made) == _settings(unit.read_text("utf-8"))


def _settings(unit: str) -> list[str]:
    """Sections, and names of settings, in their order."""
    return [one.partition("=")[0] for one in unit.splitlines() if one and one[0] != "#"]


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="needs Debian's Python")
def test_another_python_is_refused_with_what_to_type(tmp_path: Path) -> None:
    """The environment it is made in is kept, so another `PYTHON` alone changed nothing."""
    _program(tmp_path / "dpkg-deb", "exit 0")
    _program(tmp_path / "python", "echo 2.7")
    done = subprocess.run(
        ["sh", str(ROOT / "requirements/deb.sh"), str(tmp_path / "python"), str(tmp_path / "out")],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "rm -r .venv-release; make PYTHON=/usr/bin/python3 deb" in done.stderr
    assert not (tmp_path / "out").exists()
