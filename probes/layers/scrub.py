"""Remove addresses from pages, headers and redirects.

Block pages print the reader's address to frighten people. The vantage often does not know its own
public address (NAT). So *every* address is removed, except the tested ones, and the vantage's known
addresses are removed in every encoding seen in practice. In doubt, a harmless number that looks
like an address is removed too.

Escapes (%2E, &#46;, \\u002e, [.]) are decoded before the search, and base64 is searched in every
alignment. What is found is cut out of the text as it was written.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain

import msgspec

from probes.measurement import (
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    EgressObservation,
    HttpObservation,
    Observation,
    TlsObservation,
    TransferObservation,
)

PLACEHOLDER = "[address]"

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Span = tuple[int, int]

_ESCAPE = re.compile(
    r"%(?:25)?([0-9A-Fa-f]{2})|&\#[xX]0*([0-9A-Fa-f]{2});|\\(?:u00|x)([0-9A-Fa-f]{2})"
    r"|&\#0*(\d{2,3});|([\[({]\.[\])}]|&period;)|(&colon;)"
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
# A run of more than four numbers is removed whole: it may be an address and a port.
_V4 = re.compile(rf"(?<!\d){_OCTET}(?:[.\-_]{_OCTET}){{3}}(?!\d)(?:[.\-_]\d{{1,5}}(?!\d))*")
_DOTTED = re.compile(r"[0-9][.\-_][0-9]")
_GROUP = "[0-9A-Fa-f]{1,4}"
_V6 = re.compile(rf"(?:::(?!:)|{_GROUP}::|{_GROUP}:{_GROUP}::?)(?:{_GROUP}::?)*(?:{_GROUP})?")
_V6_GROUPS = 8
_EIGHT_GROUPS = re.compile(rf"(?:{_GROUP}:){{{_V6_GROUPS - 1}}}")
_V6_LONGEST_RUN = 100
"""Groups of a run that are searched one by one; a longer run is removed whole."""
_NUMBERS = re.compile(r"[0-9A-Fa-fxX.:_ -]{4,}")
"""A text without a match holds no spelling of an address, not even as one number."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{10,}={0,2}")
_BASE64_SIGN = re.compile(r"[LMNOQRYZ][A-Za-z0-9+/_-]{3}[LMNOQRYZ]")
"""Digits, letters and dots of an address have these letters in base64, every fourth character."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER = str.maketrans(_LETTERS, _LETTERS.lower())
"""Unlike `str.lower` this keeps every character in its place."""
_BASE64_ALPHABET = (*_LETTERS, *_LETTERS.lower(), *"0123456789", "+-", "/_")
"""Position 62 and 63 differ between the two alphabets in use."""


class Scrubber:
    """Scrubs the texts of one measurement."""

    def __init__(
        self, own: Iterable[str], tested: Iterable[str] = (), given: Iterable[str] = ()
    ) -> None:
        """`own`: known addresses of the vantage. `tested`: addresses that may stay.

        A loopback address among the own ones identifies nobody and stays. `given` are texts from
        the catalogue, which cannot contain our address.
        """
        known = frozenset(_parsed(address) for address in own if address)
        self._own = _own(frozenset(address for address in known if not address.is_loopback))
        self._given = frozenset(given)
        self._keep = frozenset(_parsed(address) for address in tested) - self._own.addresses

    def text(self, text: str) -> str:
        """`text` without addresses."""
        if not text or text in self._given:
            return text
        view, positions = _unescaped(text)
        spans = sorted(self._spans(view))
        if not spans:
            return text
        if positions is not None:
            spans = [(positions[start], positions[end]) for start, end in spans]
        return _cut(text, spans)

    def own_only(self, text: str) -> str:
        """`text` without the vantage's own addresses; others stay."""
        if self._own.written is None:
            return text
        return _cut(text, sorted(self._own_spans(text)))

    def finds(self, *texts: str) -> bool:
        """True when one of `texts` holds something to remove; cheaper than removing it."""
        # No address crosses the end of a line, so one search covers all.
        text = "\n".join([text for text in texts if text and text not in self._given])
        return bool(text) and next(self._spans(_unescaped(text)[0]), None) is not None

    def shows_own(self, data: bytes) -> bool:
        """True when binary `data` (a certificate) holds one of the vantage's own addresses."""
        return any(needle in data for needle in self._own.needles)

    def is_own(self, address: str) -> bool:
        """True for one of the vantage's own addresses."""
        return bool(address and self._own.addresses) and _parsed(address) in self._own.addresses

    def address(self, address: str) -> str:
        """`address`, or the unspecified address in place of one of the vantage's own."""
        if not self.is_own(address):
            return address
        return "::" if ":" in address else "0.0.0.0"  # noqa: S104 # means no address

    def _spans(self, text: str) -> Iterator[Span]:
        if self._own.encoded is not None:
            yield from (match.span() for match in self._own.encoded.finditer(text))
        if _NUMBERS.search(text) is not None:
            yield from self._own_spans(text)
            yield from self._plain(text)
        if _BASE64_SIGN.search(text) is not None:
            for match in _BASE64.finditer(text):
                if self._shows_address(match.group()):
                    yield match.span()

    def _own_spans(self, text: str) -> Iterator[Span]:
        if self._own.written is not None:
            lower = text.translate(_LOWER)
            yield from (match.span() for match in self._own.written.finditer(lower))

    def _plain(self, text: str) -> Iterator[Span]:
        """Addresses in their usual spelling, except those that may stay."""
        if _DOTTED.search(text) is not None:
            yield from self._plain_v4(text)
        if "::" in text or _EIGHT_GROUPS.search(text) is not None:
            yield from self._plain_v6(text)

    def _plain_v4(self, text: str) -> Iterator[Span]:
        for match in _V4.finditer(text):
            numbers = re.split(r"[.\-_]", match.group())
            # "02-17-10-20" is a date: addresses are not padded to two digits.
            dated = any(len(number) == 2 and number[0] == "0" for number in numbers[:4])
            address = ".".join(str(int(number)) for number in numbers)
            if not dated and (len(numbers) > 4 or not self._may_stay(address)):
                yield match.span()

    def _plain_v6(self, text: str) -> Iterator[Span]:
        for match in _V6.finditer(text):
            for start, end in _v6_spans(text, *match.span()):
                if not self._may_stay(text[start:end]):
                    yield start, end

    def _may_stay(self, address: str) -> bool:
        try:
            return bool(self._keep) and _parsed(address) in self._keep
        except ValueError:
            return False

    def _shows_address(self, token: str) -> bool:
        if _BASE64_SIGN.search(token) is None:
            return False
        standard = token.rstrip("=").replace("-", "+").replace("_", "/")
        # Other text may directly precede the encoded part, so every alignment is tried.
        decoded = (_decoded(standard[start:]) for start in range(4))
        return any(next(self._plain(text), None) is not None for text in decoded)


class _Own(msgspec.Struct, frozen=True, kw_only=True):
    """The vantage's own addresses and the patterns that recognise them."""

    addresses: frozenset[IpAddress]
    written: re.Pattern[str] | None = None
    """Finds them in lower-case text without escapes."""
    encoded: re.Pattern[str] | None = None
    """Finds them in base64."""
    needles: tuple[bytes, ...] = ()
    """Their forms in binary data."""


@lru_cache(maxsize=256)
def _own(addresses: frozenset[IpAddress]) -> _Own:
    """Built once for the addresses that many measurements share."""
    if not addresses:
        return _Own(addresses=addresses)
    texts = {text for address in addresses for text in _spellings(address)}
    # The longest first, so that no spelling leaves the tail of a longer one. Each pattern starts
    # with a plain character, so that the search can skip ahead.
    written = sorted(texts | {text.encode().hex() for text in texts}, key=len, reverse=True)
    plain = [re.escape(text) for text in written]
    plain += [pattern for address in addresses for pattern in _as_number(address)]
    encoded = [
        pattern
        for address in addresses
        for data in (address.packed, str(address).encode(), address.exploded.encode())
        for pattern in _in_base64(data)
    ]
    return _Own(
        addresses=addresses,
        written=re.compile("|".join(plain)),
        encoded=re.compile("|".join(encoded)),
        needles=tuple(sorted({*(t.encode() for t in texts), *(a.packed for a in addresses)})),
    )


@lru_cache(maxsize=4096)
def _parsed(address: str) -> IpAddress:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    # The same host, which Python versions write in different ways.
    return (parsed.ipv4_mapped if parsed.version == 6 else None) or parsed


def _spellings(address: IpAddress) -> Iterator[str]:
    yield address.reverse_pointer
    if isinstance(address, ipaddress.IPv4Address):
        octets = str(address).split(".")
        padded = [octet.zfill(3) for octet in octets]
        for parts in (octets, octets[::-1], padded, padded[::-1]):
            for separator in (".", "-", "_"):
                yield separator.join(parts)
    else:
        yield address.reverse_pointer.removesuffix(".ip6.arpa")
        groups = address.exploded.split(":")
        short = [group.lstrip("0") or "0" for group in groups]
        for separator in (":", "-", "_", "."):
            yield separator.join(groups)
            yield separator.join(short)
            yield str(address).replace(":", separator)


def _as_number(address: IpAddress) -> Iterator[str]:
    """Patterns for an address as one number, decimal or hexadecimal."""
    octets = [f"{octet:02x}" for octet in address.packed]
    yield "[-:. ]?".join(octets)
    yield rf"{int(address)}(?!\d)"
    if isinstance(address, ipaddress.IPv4Address):
        yield r"\.".join(rf"0x0*{octet:x}(?![0-9a-f])" for octet in address.packed)


def _in_base64(data: bytes) -> Iterator[str]:
    """Patterns for `data` inside longer base64, one for each alignment.

    A first character that shares bits with what precedes is omitted; a last one that shares bits
    with what follows may be any that agrees.
    """
    bits = "".join(f"{octet:08b}" for octet in data)
    for skipped in (0, 4, 2):
        known = bits[skipped:]
        known += "." * (-len(known) % 6)
        first, *rest = [_agreeing(known[at : at + 6]) for at in range(0, len(known), 6)]
        behind = "".join(f"[{re.escape(letters)}]" for letters in rest)
        yield from (re.escape(letter) + behind for letter in first)


@lru_cache(maxsize=1024)
def _agreeing(known: str) -> str:
    """The base64 characters that agree with six bits, where `.` is any bit."""
    return "".join(
        letters
        for value, letters in enumerate(_BASE64_ALPHABET)
        if re.fullmatch(known, f"{value:06b}")
    )


def _decoded(token: str) -> str:
    """`token` decoded from base64, one character for each octet."""
    whole = token[: len(token) - (len(token) % 4 == 1)]
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4)).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""


def _v6_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """The spans of IPv6 addresses in a run of hexadecimal groups and colons."""
    groups = text[start:end].split(":")
    # Groups that continue beyond the run belong to words: `d` in `std::`, `be` in `::before`.
    if start and text[start - 1].isalnum():
        start += len(groups.pop(0)) + 1
    follows = text[end : end + 2]
    if groups and (follows[:1].isalnum() or (follows[:1] == "." and follows[1:].isdigit())):
        groups.pop()
    if len(groups) > _V6_GROUPS + 1 and all(len(group) == 2 for group in groups):
        return  # a fingerprint
    if len(groups) > _V6_LONGEST_RUN:
        yield start, end
        return
    offsets = [start]
    for group in groups:
        offsets.append(offsets[-1] + len(group) + 1)
    first = 0
    while first < len(groups):
        last = _v6_end(groups, first)
        if last:
            yield offsets[first], offsets[last] - 1
            first = last
        else:
            first += 1


def _v6_end(groups: Sequence[str], first: int) -> int:
    """The group after the longest address that starts at group `first`; 0 for none."""
    for last in range(min(len(groups), first + _V6_GROUPS + 1), first + 2, -1):
        inside = groups[first:last]
        written = ":".join(inside)
        gaps = written.count("::")
        # With fewer than two numbers it is punctuation; with two gaps it is no address.
        if (
            len(inside) - inside.count("") < 2
            or gaps > 1
            or (not gaps and len(inside) != _V6_GROUPS)
        ):
            continue
        try:
            ipaddress.IPv6Address(written)
        except ValueError:
            continue
        return last
    return 0


def _unescaped(text: str) -> tuple[str, list[int] | None]:
    """`text` with its escapes decoded, and the position in `text` of each character of it."""
    # Searching for single characters is much faster than for whole escapes.
    marked = "%" in text or "&" in text or "\\" in text
    if not (marked or ".]" in text or ".)" in text or ".}" in text):
        return text, None
    escapes = list(_ESCAPE.finditer(text))
    if not escapes:
        return text, None
    parts: list[str] = []
    positions: list[int] = []
    reached = 0
    for escape in escapes:
        start, end = escape.span()
        parts.append(text[reached:start])
        positions.extend(range(reached, start + 1))
        parts.append(_decoded_escape(escape))
        reached = end
    parts.append(text[reached:])
    positions.extend(range(reached, len(text) + 1))
    return "".join(parts), positions


def _decoded_escape(escape: re.Match[str]) -> str:
    hexadecimal = escape[1] or escape[2] or escape[3]
    if hexadecimal:
        return chr(int(hexadecimal, 16))
    if escape[4]:
        return chr(int(escape[4]))
    return "." if escape[5] else ":"


def _cut(text: str, spans: Sequence[Span]) -> str:
    """`text` with a placeholder for each of `spans`, which are sorted and may overlap."""
    parts: list[str] = []
    reached = 0
    for start, end in spans:
        if start >= reached or not parts:
            parts += [text[reached:start], PLACEHOLDER]
        reached = max(reached, end)
    parts.append(text[reached:])
    return "".join(parts)


_TEXTS: dict[type[Observation], tuple[str, ...]] = {
    EgressObservation: ("reply",),
    DnsObservation: ("name",),
    TlsObservation: ("server_name", "verify_error"),
    HttpObservation: ("url", "title", "location", "body"),
    TransferObservation: ("url", "server_name"),
}
"""The fields that a peer can fill with any text."""


def scrub_observation(observation: AnyObservation, scrubber: Scrubber) -> AnyObservation:
    """The observation without the vantage's own address in any field that a peer can fill.

    Peers choose more than pages: a redirect names the host that is resolved and dialled next, and a
    resolver may answer with our own address.
    """
    changes: dict[str, object] = {}
    address = getattr(observation, "address", "")
    if scrubber.is_own(address):
        changes["address"] = scrubber.address(address)
    texts = {field: getattr(observation, field) for field in _TEXTS.get(type(observation), ())}
    if scrubber.finds(*texts.values()):
        changes |= {field: scrubber.text(text) for field, text in texts.items()}
    match observation:
        case HttpObservation(headers=headers) if scrubber.finds(*chain.from_iterable(headers)):
            changes["headers"] = tuple((scrubber.text(n), scrubber.text(v)) for n, v in headers)
        case TlsObservation(chain=certificates) if any(map(scrubber.shows_own, certificates)):
            changes["chain"] = ()
        case DnsObservation():
            # A resolver on the vantage itself may have the vantage's own address.
            changes["resolver"] = scrubber.own_only(observation.resolver)
            changes["answers"] = tuple(
                [_scrub_answer(one, scrubber) for one in observation.answers]
            )
    return msgspec.structs.replace(observation, **changes) if changes else observation


def _scrub_answer(answer: DnsAnswer, scrubber: Scrubber) -> DnsAnswer:
    if not any(map(scrubber.is_own, answer.addresses)) and not scrubber.finds(*answer.cnames):
        return answer
    # Hijacked to our own address: keep the fact, drop the address.
    return msgspec.structs.replace(
        answer,
        addresses=tuple(scrubber.address(address) for address in answer.addresses),
        cnames=tuple(scrubber.text(name) for name in answer.cnames),
    )
