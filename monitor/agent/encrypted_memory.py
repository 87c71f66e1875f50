"""What an agent learnt of its network, in its spool until the machine is off.

It tells what was measured, so it is encrypted with the key that goes with the machine's power
(`monitor.agent.boot_key`): an agent that is started anew can read it, and nobody who takes the
machine away.
"""

import base64
import os
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from monitor.agent.saved_state import NETWORK
from storage.agent.spool import Spool
from storage.values.verified_before import VerifiedBefore

_NONCE = 12


class EncryptedMemory:
    """The one note."""

    def __init__(self, spool: Spool, key: bytes, boot: str) -> None:
        """`key` goes with the power; `boot` names this start of the machine."""
        self._spool = spool
        self._cipher = ChaCha20Poly1305(key)
        self._bound = f"{NETWORK} {boot}".encode()

    async def keep(self, known: VerifiedBefore) -> None:
        """Write it in place of what was written. Raises StorageError."""
        nonce = os.urandom(_NONCE)
        text = self._cipher.encrypt(nonce, msgspec.json.encode(known), self._bound)
        await self._spool.note({NETWORK: base64.b64encode(nonce + text).decode()})

    def read(self, notes: Mapping[str, str]) -> tuple[VerifiedBefore, ...]:
        """What the notes of a spool hold; nothing where this start of the machine wrote none."""
        try:
            stored = base64.b64decode(notes[NETWORK])
            text = self._cipher.decrypt(stored[:_NONCE], stored[_NONCE:], self._bound)
            return (msgspec.json.decode(text, type=VerifiedBefore),)
        except (KeyError, ValueError, InvalidTag, msgspec.DecodeError):
            return ()
