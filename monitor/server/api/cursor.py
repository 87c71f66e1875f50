"""Cursors: where a page ended, as text that nobody needs to understand.

A place holds the ids of a vantage and a cycle. Readers who may not see those get it encrypted; that
cursor holds until the process ends.
"""

import base64
import os
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
_decoder = msgspec.json.Decoder(list[str])


class Cursors:
    """Writes and reads them, for one process."""

    def __init__(self) -> None:
        self._cipher = AESGCM(AESGCM.generate_key(256))

    def write(self, resource: str, place: Sequence[str], *, hidden: bool) -> str:
        """The cursor of a place in the listing of `resource`; `hidden` tells nothing of it."""
        data = msgspec.json.encode([resource, *place])
        if hidden:
            nonce = os.urandom(_NONCE)
            data = nonce + self._cipher.encrypt(nonce, data, None)
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    def read(self, text: str, resource: str, length: int, *, hidden: bool) -> tuple[str, ...]:
        """The place, of `length` parts. ValueError for what `write` did not make for it."""
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            if hidden:
                data = self._cipher.decrypt(data[:_NONCE], data[_NONCE:], None)
            whose, *place = _decoder.decode(data)
            "".join(place).encode()
        except (ValueError, IndexError, InvalidTag) as error:
            raise ValueError("no cursor of this service") from error
        if whose != resource or len(place) != length:
            raise ValueError("a cursor of something else")
        return tuple(place)
