"""Text that can be stored: a lone surrogate is not valid Unicode and no database takes it.

An adversary may write the pages that are measured. A crafted title must lose its invalid
characters, and not the cycle it came with.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def storable(value: T, kind: Any) -> T:
    """`value` (of type `kind`) itself when all its text is valid, else a copy in which U+FFFD
    stands for each character that is not."""
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(value, builtin_types=(bytes, datetime))
        cleaned: T = msgspec.convert(_clean(plain), kind, builtin_types=(bytes, datetime))
        return cleaned
    return value


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_clean(item) for item in value]
    return value
