"""Cursors: the position where a page ended, as opaque text.

A position holds ids of a vantage and a cycle. Readers who may not see those get it encrypted; such
a cursor is valid until the process ends.
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
    """Writes and reads cursors. One for each process."""

    def __init__(self) -> None:
        self._cipher = AESGCM(AESGCM.generate_key(256))

    def write(self, resource: str, position: Sequence[str], *, hidden: bool) -> str:
        """The cursor of a position in the listing of `resource`; encrypted if `hidden`."""
        data = msgspec.json.encode([resource, *position])
        if hidden:
            nonce = os.urandom(_NONCE)
            data = nonce + self._cipher.encrypt(nonce, data, None)
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    def read(self, text: str, resource: str, length: int, *, hidden: bool) -> tuple[str, ...]:
        """The position, of `length` parts. ValueError for a text that `write` did not make for this
        resource."""
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            if hidden:
                data = self._cipher.decrypt(data[:_NONCE], data[_NONCE:], None)
            written_for, *position = _decoder.decode(data)
            "".join(position).encode()  # refuses lone surrogates, which no database accepts
        except (ValueError, IndexError, InvalidTag) as error:
            raise ValueError("not a cursor of this server") from error
        if written_for != resource or len(position) != length:
            raise ValueError("a cursor of another resource")
        return tuple(position)
