"""The supported versions of Python are the same in every list."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_makefile_tries_every_supported_python() -> None:
    """`make pythons` has the versions of pyproject.toml, the oldest of which is required."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    supported = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (tried,) = re.findall(r"^PYTHONS := (.+)$", makefile, re.MULTILINE)
    assert sorted(tried.split()) == sorted(supported)
    assert project["requires-python"] == f">={supported[0]}"
