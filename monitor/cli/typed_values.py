"""What is typed, as values of a command's parameters, without pydantic where it decides nothing.

typer makes an adapter of pydantic for every parameter, even for one that is not given, and to
import pydantic takes 0.1 s of CPU: as much as Python, typer and the table of commands together.
Text, a path, a choice and a default need no adapter. typer sees to the rest, and to mistakes.
"""

import os
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

import typer.core

_MAKER = "build_runtime_param"
"""Of typer's own: what turns the text of a parameter into its value. Not for others to use, so a
typer without it is left as it is, and is only slower."""
_by_typer: Any = getattr(typer.core, _MAKER, None)


def leave_pydantic_out() -> None:
    """From now on typer asks pydantic only where this module does not know the value."""
    if _by_typer is not None:
        setattr(typer.core, _MAKER, _Typed)


class _Typed:
    """Makes the values of one parameter."""

    def __init__(self, descriptor: Any) -> None:
        self._descriptor = descriptor

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        try:
            return _plain(value, self._descriptor.annotation)
        except _LeftToTyperError:
            return _by_typer(self._descriptor).coerce(value, param=param, ctx=ctx)


class _LeftToTyperError(Exception):
    """This value needs an adapter, or is wrong."""


def _plain(value: Any, kind: Any) -> Any:
    if get_origin(kind) is list and isinstance(value, list | tuple):
        (each,) = get_args(kind)
        return [_plain(one, each) for one in value]
    if isinstance(kind, type):
        if isinstance(value, kind):
            return value
        if (
            isinstance(value, str)
            and issubclass(kind, Enum)
            and value in {one.value for one in kind}
        ):
            return kind(value)
        # What is there and cannot be read is refused by typer. Path.exists fails on a long name.
        if kind is Path and (os.access(value, os.R_OK) or not os.path.exists(value)):  # noqa: PTH110
            return Path(value)
    raise _LeftToTyperError
