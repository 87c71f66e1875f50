"""YAML files of the repository, each read once: the cases of rules take half a second otherwise."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml


@cache
def yaml_of(path: Path) -> Any:
    """What is in it. Nobody may change it."""
    return yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
