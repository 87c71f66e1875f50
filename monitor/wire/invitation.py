"""Invitations: one token with all that a machine needs to become a vantage's agent.

The token holds a secret, which is worth one enrolment. The agent does not send the secret but a
proof: an HMAC, keyed by the secret, of the collectors' two public keys as the token names them. The
collector has stored a digest of the proof that its own keys give. So a token whose keys were
exchanged on the way proves nothing to the collector that made it, and whoever it leads to learns
nothing that opens another collector's door.
"""

import base64
import hashlib
import hmac
import os
from typing import Annotated

import msgspec

INVITATION, PUBLIC = "shutwatch-invitation", "shutwatch-public"
"""Sealed headers of an enrolment: the proof, and the public key to enrol, both base64 of 32
bytes."""
PREFIX = "shutwatch1_"
_SECRET, _SUM = 16, 4
"""Bytes of a secret, and of the digest that finds a mistyped token."""
_MISTYPED = "a part is missing or mistyped: copy all of it"
_PURPOSE = b"shutwatch invitation 1\n"
_encode = msgspec.msgpack.Encoder().encode


class Token(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a token holds, in the order written."""

    secret: bytes
    collectors: tuple[str, ...]
    """Origins, `https://` and a host."""
    signing: bytes
    """The collectors' public key, 32 bytes: it signs orders and all other answers."""
    sealing: bytes
    """The key that everything is sealed to, 32 bytes."""
    anchor: bytes = b""
    """DER certificate that the collectors are trusted by, in place of the system's authorities;
    empty: those."""
    expires: Annotated[int, msgspec.Meta(ge=0, le=2**32)]
    """POSIX seconds, by the collector's clock."""
    vantage: str
    country: str
    asn: int
    network: str
    role: str
    profile: str
    interval: float
    """Seconds between two cycles, at least."""
    platforms: tuple[str, ...]
    """Names of the platforms to test; the agent tests no others."""
    daily_bytes: int

    @property
    def collector_key(self) -> str:
        """Base64."""
        return base64.b64encode(self.signing).decode()

    @property
    def sealing_key(self) -> str:
        """Base64."""
        return base64.b64encode(self.sealing).decode()

    @property
    def proof(self) -> str:
        """Of the secret, for the collectors with these keys alone; base64."""
        message = _PURPOSE + self.signing + self.sealing
        return base64.b64encode(hmac.digest(self.secret, message, "sha256")).decode()


class TokenError(ValueError):
    """It is no token; the message says why, and repeats nothing of it."""


def new_secret() -> bytes:
    """For one token."""
    return os.urandom(_SECRET)


def proof_digest(proof: str) -> str:
    """What a collector stores of a proof: 64 hexadecimal digits."""
    return hashlib.sha256(proof.encode()).hexdigest()


def write_token(token: Token) -> str:
    """As people pass it on: one word of letters, digits, `_` and `-`."""
    packed = _encode(token)
    return PREFIX + base64.urlsafe_b64encode(packed + _sum(packed)).decode().rstrip("=")


def read_token(written: str) -> Token:
    """The token in a text, which may be broken into lines. Raises TokenError."""
    bare = "".join(written.split())
    if not bare.startswith(PREFIX):
        raise TokenError(
            f"no invitation: one begins with {PREFIX}, and `shutwatch vantage invite` prints it"
        )
    try:
        whole = base64.b64decode(
            bare[len(PREFIX) :] + "=" * (-len(bare[len(PREFIX) :]) % 4), b"-_", validate=True
        )
    except ValueError:
        raise TokenError(_MISTYPED) from None
    packed, sum_of_it = whole[:-_SUM], whole[-_SUM:]
    if not hmac.compare_digest(sum_of_it, _sum(packed)):
        raise TokenError(_MISTYPED)
    try:
        token = msgspec.msgpack.decode(packed, type=Token)
    except msgspec.DecodeError:
        raise TokenError("another version made it: update shutwatch here") from None
    if len(token.signing) != len(token.sealing) or len(token.sealing) != 32:
        raise TokenError("its keys are no keys")
    texts = (*token.collectors, token.vantage, token.country, token.network, *token.platforms)
    if not all(text.isprintable() and "$" not in text for text in texts):
        # A configuration would take `${NAME}` from the environment and send it away.
        raise TokenError("it holds text that no collector writes")
    return token


def _sum(packed: bytes) -> bytes:
    return hashlib.sha256(packed).digest()[:_SUM]
