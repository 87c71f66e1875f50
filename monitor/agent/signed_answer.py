"""An answer of the collectors, with the signature by which anybody can check it later."""

from typing import TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


class UnreachableError(Exception):
    """No valid answer; the message says why, without an address."""


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """An answer whose signature by the collectors was checked."""

    request: str
    signature: str
    body: bytes

    def read(self, kind: type[T]) -> T:
        """Its content. Raises UnreachableError."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.DecodeError as error:
            raise UnreachableError("a signed answer that this version cannot read") from error
