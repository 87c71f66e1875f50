"""Libraries that only reports need, loaded when one is made and not before."""

import importlib
from importlib.util import find_spec
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
