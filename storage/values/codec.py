"""Values to rows and back, field by field, from the value's own type annotations.

A field is stored as it is (text, numbers, booleans, bytes), as UTC text (times), as its value (an
enumeration) or as JSON (tuples, mappings, nested values); JSON of `packed` fields is compressed. A
field that is added to a type is stored at once, or the write fails: none is dropped silently.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import Enum
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from storage.values.compression import pack, unpack
from storage.values.times import text_time, time_text

T = TypeVar("T", bound=msgspec.Struct)
Convert = Callable[[Any], Any]
_PLAIN = (str, int, float, bytes)


class Codec(Generic[T]):
    """Turns values of one frozen type into tuples of column values, and back."""

    def __init__(self, kind: type[T], packed: Sequence[str] = ()) -> None:
        """`kind` is the type; its field names are the column names, `packed` some of them."""
        hints = get_type_hints(kind)
        self.kind = kind
        self.names: tuple[str, ...] = kind.__struct_fields__
        converters = [
            _packed_converters(hints[name]) if name in packed else _converters(hints[name])
            for name in self.names
        ]
        self._read = attrgetter(*self.names)
        self._encoders = [(i, e) for i, (e, _) in enumerate(converters) if e is not None]
        self._decoders = [(i, d) for i, (_, d) in enumerate(converters) if d is not None]

    def encode(self, value: T) -> list[Any]:
        """Column values in the order of `names`."""
        cells = list(self._read(value))
        for index, encoder in self._encoders:
            cells[index] = encoder(cells[index])
        return cells

    def decode(self, cells: Sequence[Any]) -> T:
        """The value whose `encode` gave `cells`; more cells may follow and are ignored.

        Raises ValueError (msgspec.DecodeError, ValidationError among them) or PackingError when a
        cell holds something this version cannot read.
        """
        fields = dict(zip(self.names, cells, strict=False))
        for index, decoder in self._decoders:
            name = self.names[index]
            fields[name] = decoder(fields[name])
        return self.kind(**fields)


def _converters(hint: Any) -> tuple[Convert | None, Convert | None]:
    """How a field of this type is written and read; None where it goes through unchanged."""
    if get_origin(hint) in (Union, UnionType):
        inner = [part for part in get_args(hint) if part is not NoneType]
        if len(inner) != 1:
            return _json_converters(hint)
        write, read = _converters(inner[0])
        return _unless_none(write), _unless_none(read)
    if hint is datetime:
        return time_text, text_time
    if hint is bool:
        return None, bool
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _word, hint
    if hint in _PLAIN:
        return None, None
    return _json_converters(hint)


def _json_converters(hint: Any) -> tuple[Convert, Convert]:
    return json_text, msgspec.json.Decoder(hint).decode


def _packed_converters(hint: Any) -> tuple[Convert, Convert]:
    decode = msgspec.json.Decoder(hint).decode
    # The archive has the JSON itself.
    return _pack, lambda cell: decode(cell if isinstance(cell, str) else unpack(cell))


def _pack(value: Any) -> bytes:
    return pack(_encode_json(value))


def _unless_none(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None
    return lambda cell: None if cell is None else convert(cell)


_word = attrgetter("_value_")
"""As `value`, which Python looks up in a slower way."""


_encode_json = msgspec.json.Encoder().encode


def json_text(value: Any) -> str:
    """`value` as JSON text: text rather than bytes, so that SQL tools show and query it."""
    return _encode_json(value).decode()
