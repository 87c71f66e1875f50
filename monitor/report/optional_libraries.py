"""Libraries and fonts that only reports need, loaded when one is made and not before."""

import importlib
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from monitor.wording.missing_library import install_command


class MissingExtraError(Exception):
    """A library is not installed; the message names what brings it."""


def library(name: str) -> Any:
    """The module `name`. Raises MissingExtraError."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"a report needs {name.partition('.')[0]} ({error}): {install_command('report')}"
        ) from error


def installed(name: str) -> bool:
    """Whether the library `name` is there; it is not loaded for that."""
    return find_spec(name) is not None


def fonts() -> Path:
    """The folder of the DejaVu fonts that come with matplotlib: Latin, Cyrillic, Greek, and the
    letters of Arabic and Persian. Raises MissingExtraError.

    matplotlib itself is not loaded: it takes a second and 40 MB, and who draws without it needs
    neither."""
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        library("matplotlib")  # says what is missing
        raise MissingExtraError("matplotlib has no folder")
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


def arabic_script_fonts() -> Path:
    """The folder of Noto Sans Arabic, which DejaVu cannot replace for Urdu: it lacks three letters
    that Urdu writes in every sentence. Letters join only within one font."""
    return Path(str(files("monitor.report"))) / "fonts"
