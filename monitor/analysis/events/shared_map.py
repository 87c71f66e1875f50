"""A mapping that never changes, of which a copy with one more entry costs the same at any size.

Detection keeps the states of the last hour, so a state is a new value after each verdict. To copy
what is known of every vantage of a fleet for that would be most of the work. A copy of this mapping
shares all but a small part with the one before.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args
from zlib import crc32

import msgspec

V = TypeVar("V")
_PARTS = 64


class SharedMap(Mapping[str, V]):
    """Names and values. The order of names is the same in every process, and not that of their
    coming."""

    __slots__ = ("_length", "_parts")

    def __init__(self, entries: Mapping[str, V] | None = None) -> None:
        parts: list[dict[str, V]] = [{} for _ in range(_PARTS)]
        for name, value in (entries or {}).items():
            parts[_part_of(name)][name] = value
        self._parts = parts
        self._length = len(entries or {})

    def with_entry(self, name: str, value: V) -> "SharedMap[V]":
        """A copy in which the name has this value."""
        number = _part_of(name)
        before = self._parts[number]
        after: SharedMap[V] = SharedMap.__new__(SharedMap)
        after._parts = self._parts.copy()
        after._parts[number] = {**before, name: value}
        after._length = self._length + (name not in before)
        return after

    def __getitem__(self, name: str) -> V:
        return self._parts[_part_of(name)][name]

    def __iter__(self) -> Iterator[str]:
        return (name for part in self._parts for name in part)

    def __len__(self) -> int:
        return self._length


def encoded(state: msgspec.Struct) -> str:
    """A state that may have such mappings in it, as JSON."""
    return msgspec.json.encode(state, enc_hook=dict).decode()


def decoded(text: str, of: type[V]) -> V:
    """The same read back. ValueError for what is none."""
    return msgspec.json.decode(text, type=of, dec_hook=_read)


def _read(of: Any, entries: Mapping[str, Any]) -> SharedMap[Any]:
    (values,) = get_args(of)
    return SharedMap({name: msgspec.convert(one, values) for name, one in entries.items()})


def _part_of(name: str) -> int:
    # Not hash(), which differs from one process to the next.
    return crc32(name.encode()) % _PARTS
