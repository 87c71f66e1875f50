"""Take addresses out of what a page, a header or a redirect says.

Block pages print the reader's address to frighten him. The vantage's public address is often
unknown to the vantage itself (NAT), so *every* address goes, except those looked at, and the
known own ones go in every encoding seen in the wild.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from probes.measurement import (
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    EgressObservation,
    HttpObservation,
    TlsObservation,
)

PLACEHOLDER = "[address]"

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_DOT = r"(?:\.|%2[eE]|-|_|\[\.\]|&#46;|&period;)"
_V4 = re.compile(rf"(?<![\d.]){_OCTET}(?:{_DOT}{_OCTET}){{3}}(?![\d])")
_COLON = r"(?::|%3[aA]|&#58;|&colon;)"
_V6 = re.compile(
    rf"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{{0,4}}{_COLON}){{2,7}}"
    rf"(?:[0-9A-Fa-f]{{1,4}}|{_OCTET}(?:\.{_OCTET}){{3}})?(?![0-9A-Za-z:])"
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{10,}={0,2}")
_ENTITY_DOT = re.compile(r"%2[eE]|\[\.\]|&#46;|&period;|-|_")
_ENTITY_COLON = re.compile(r"%3[aA]|&#58;|&colon;")


class Scrubber:
    """Scrubs the texts of one look."""

    def __init__(self, own: Iterable[str], looked_at: Iterable[str] = ()) -> None:
        """`own`: known addresses of the vantage. `looked_at`: addresses that may stay."""
        self._own = frozenset(_canonical(address) for address in own if address)
        self._keep = frozenset(_canonical(address) for address in looked_at) - self._own
        encodings = {text for address in self._own for text in _encodings(address)}
        # The longest first, so that no encoding leaves the tail of a longer one behind.
        ordered = sorted(encodings, key=len, reverse=True)
        pattern = "|".join(re.escape(text) for text in ordered)
        self._own_encoded = re.compile(pattern, re.IGNORECASE) if pattern else None
        self._own_bytes = tuple(
            needle
            for address in self._own
            for needle in (address.encode(), ipaddress.ip_address(address).packed)
        )

    def text(self, text: str) -> str:
        """`text` without addresses."""
        if not text:
            return text
        if self._own_encoded is not None:
            text = self._own_encoded.sub(PLACEHOLDER, text)
        text = _V4.sub(self._v4, text)
        text = _V6.sub(self._v6, text)
        return _BASE64.sub(self._base64, text)

    def shows_own(self, data: bytes) -> bool:
        """True when binary `data` (a certificate) holds one of the vantage's own addresses."""
        return any(needle in data for needle in self._own_bytes)

    def is_own(self, address: str) -> bool:
        """True for one of the vantage's own addresses."""
        return bool(address) and _canonical(address) in self._own

    def _v4(self, match: re.Match[str]) -> str:
        return self._unless_kept(match.group(), _ENTITY_DOT.sub(".", match.group()))

    def _v6(self, match: re.Match[str]) -> str:
        return self._unless_kept(match.group(), _ENTITY_COLON.sub(":", match.group()))

    def _unless_kept(self, found: str, address: str) -> str:
        try:
            canonical = _canonical(address)
        except ValueError:
            # A time of day or a hash with colons is no address.
            return found
        return found if canonical in self._keep else PLACEHOLDER

    def _base64(self, match: re.Match[str]) -> str:
        token = match.group()
        padded = token.rstrip("=").replace("-", "+").replace("_", "/")
        padded += "=" * (-len(padded) % 4)
        try:
            decoded = base64.b64decode(padded, validate=True)
        except (binascii.Error, ValueError):
            return token
        if self.shows_own(decoded):
            return PLACEHOLDER
        try:
            inside = decoded.decode("ascii")
        except UnicodeDecodeError:
            return token
        return token if self._without_base64(inside) == inside else PLACEHOLDER

    def _without_base64(self, text: str) -> str:
        return _V6.sub(self._v6, _V4.sub(self._v4, text))


def _canonical(address: str) -> str:
    return str(ipaddress.ip_address(address.partition("%")[0]))


def _encodings(address: str) -> Iterable[str]:
    """Ways an address is written that are not plain text."""
    parsed = ipaddress.ip_address(address)
    texts = {address, parsed.exploded, parsed.reverse_pointer}
    if isinstance(parsed, ipaddress.IPv4Address):
        octets = address.split(".")
        texts |= {
            ".".join(reversed(octets)),
            ".".join(octet.zfill(3) for octet in octets),
            parsed.packed.hex(),
            str(int(parsed)),
            f"::ffff:{address}",
        }
    else:
        groups = parsed.exploded.split(":")
        texts |= {parsed.packed.hex(), "-".join(groups), parsed.compressed.replace(":", "-")}
    for text in tuple(texts):
        texts.add(quote(text, safe=""))
        texts.add("".join(f"%{octet:02X}" for octet in text.encode()))
        texts.add("".join(f"&#{octet};" for octet in text.encode()))
        texts.add(text.encode().hex())
    return texts


def scrub_observation(observation: AnyObservation, scrubber: Scrubber) -> AnyObservation:
    """The observation without the vantage's own address in any field a peer can fill."""
    if isinstance(observation, HttpObservation):
        return _scrub_http(observation, scrubber)
    if isinstance(observation, DnsObservation):
        return msgspec.structs.replace(
            observation, answers=tuple(_scrub_answer(a, scrubber) for a in observation.answers)
        )
    if isinstance(observation, TlsObservation):
        chain = observation.chain
        if any(scrubber.shows_own(certificate) for certificate in chain):
            chain = ()
        return msgspec.structs.replace(observation, chain=chain)
    if isinstance(observation, EgressObservation):
        return msgspec.structs.replace(observation, reply=scrubber.text(observation.reply))
    return observation


def _scrub_http(observation: HttpObservation, scrubber: Scrubber) -> HttpObservation:
    return msgspec.structs.replace(
        observation,
        url=scrubber.text(observation.url),
        title=scrubber.text(observation.title),
        location=scrubber.text(observation.location),
        headers=tuple((name, scrubber.text(value)) for name, value in observation.headers),
        body=scrubber.text(observation.body),
    )


def _scrub_answer(answer: DnsAnswer, scrubber: Scrubber) -> DnsAnswer:
    if not any(scrubber.is_own(address) for address in answer.addresses):
        return answer
    # Hijacked to ourselves: the fact stays, the address goes.
    addresses = tuple("0.0.0.0" if scrubber.is_own(a) else a for a in answer.addresses)  # noqa: S104
    return msgspec.structs.replace(answer, addresses=addresses)
