"""What to type where a library is missing that only some commands need."""

import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec


def install_command(extra: str) -> str:
    """The command that installs what the extra names, into the environment that runs now.

    It names the libraries: no package registry has shutwatch itself.
    """
    try:
        named = requires("shutwatch") or []
    except PackageNotFoundError:  # a checkout that was not installed
        return f"make run, in the folder of shutwatch (extra {extra} of its pyproject.toml)"
    wanted = [
        one.partition(";")[0].strip() for one in named if re.search(rf"['\"]{extra}['\"]", one)
    ]
    pip = ["-m", "pip", "install"]
    command = [sys.executable, *pip] if find_spec("pip") else ["uv", *pip[1:], "-p", sys.executable]
    return shlex.join([*command, *wanted])
