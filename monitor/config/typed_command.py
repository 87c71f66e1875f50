"""How people type a command on this machine."""

import shutil
import sys
from pathlib import Path

_NAME = "shutwatch"


def typed_command(command: str) -> str:
    """How a command is typed here: by its name where the shell finds it, else by its path."""
    called = Path(sys.argv[0])
    if called.name != _NAME or shutil.which(_NAME):
        return f"{_NAME} {command}"
    here = Path.cwd()
    return f"{called.relative_to(here) if called.is_relative_to(here) else called} {command}"
