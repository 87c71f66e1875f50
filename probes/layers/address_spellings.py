"""How a known address is written: as text, as one number, within names, hashed, in base64."""

import base64
import hashlib
import ipaddress
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec

from probes.layers.nat64 import inside

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BASE64_ALPHABET = (*_LETTERS, *_LETTERS.lower(), *"0123456789", "+-", "/_")
"""Position 62 and 63 differ between the two alphabets in use."""
_LOWER = str.maketrans(_LETTERS, _LETTERS.lower())
"""Unlike `str.lower` this keeps every character in its place."""
_APART = r"(?:[^0-9a-z]{1,8}0{0,3}|[^0-9a-z]?dot[^0-9a-z]?)"
"""Between two octets."""
_NEAR = 20
"""Most characters between two octets that members or attributes hold one by one."""
_PERHAPS_APART = r"(?:[^0-9a-z]{0,4}(?:0?x)?)"
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_LINE = 56
"""Bits of an IPv6 address that tell the line: most providers give one to 256 networks of /64."""
_LINK_LOCAL = 0xFE80 << 48
"""The first half of an address that is valid on its own network alone."""


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """The vantage's own addresses and the patterns that recognise them."""

    addresses: frozenset[IpAddress]
    public_v4: frozenset[IpAddress] = frozenset()
    """The IPv4 ones that tell anything: a server's IPv6 address may hold a private one by chance.
    """
    lines: frozenset[int] = frozenset()
    """The first bits of the public IPv6 ones."""
    written: re.Pattern[str] | None = None
    """Finds them in lower-case text without escapes."""
    octets: tuple[tuple[str, ...], ...] = ()
    """The decimal octets of the IPv4 ones."""
    encoded: re.Pattern[str] | None = None
    """Finds them in base64."""
    needles: tuple[bytes, ...] = ()
    """Their forms in binary data."""

    def holds(self, address: IpAddress) -> bool:
        """Whether it is one of them, or stands for one, or is another on the same line, such as the
        router's. Of one that is valid there alone, whether it holds the MAC of a device."""
        if address in self.addresses or address.version == 4:
            return address in self.addresses
        if self.public_v4 and not self.public_v4.isdisjoint(inside(address)):
            return True
        first, second = divmod(int(address), 1 << 64)
        return first >> (64 - _LINE) in self.lines or (
            first == _LINK_LOCAL and second >> 24 & 0xFFFF == 0xFFFE
        )

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where they stand in `text`, which has no escapes, but not in base64."""
        if self.written is not None:
            lower = text.translate(_LOWER)
            yield from (match.span() for match in self.written.finditer(lower))
        for octets in self.octets:
            yield from _near_each_other(text, octets)

    def spans_in_base64(self, text: str) -> Iterator[tuple[int, int]]:
        """Where they stand in base64."""
        if self.encoded is not None:
            yield from (match.span() for match in self.encoded.finditer(text))


@lru_cache(maxsize=256)
def spellings_of(addresses: frozenset[IpAddress]) -> Own:
    """Built once for the addresses that many measurements share."""
    if not addresses:
        return Own(addresses=addresses)
    texts = {text for address in addresses for text in _spellings(address)}
    named = {digest for address in addresses for digest in _digests(address)}
    # The longest first, so that no spelling leaves the tail of a longer one.
    written = sorted(texts | named | {text.encode().hex() for text in texts}, key=len, reverse=True)
    plain = [re.escape(text) for text in written]
    plain += [pattern for address in addresses for pattern in _patterns(address)]
    encoded = [
        pattern
        for address in addresses
        for data in (address.packed, str(address).encode(), address.exploded.encode())
        for pattern in _in_base64(data)
    ]
    public = [address for address in addresses if address.version == 6 and address in _PUBLIC_V6]
    needles = {*(text.encode() for text in texts), *(one.packed for one in addresses)}
    return Own(
        addresses=addresses,
        public_v4=frozenset(a for a in addresses if a.version == 4 and not a.is_private),
        lines=frozenset(int(address) >> (128 - _LINE) for address in public),
        written=re.compile(_by_first(plain)),
        octets=tuple(tuple(str(one).split(".")) for one in addresses if one.version == 4),
        encoded=re.compile("|".join(encoded)),
        needles=tuple(sorted(needles | {one.packed[: _LINE // 8] for one in public})),
    )


def _by_first(patterns: Iterable[str]) -> str:
    """One pattern for all of `patterns`, which each start with a plain character.

    Of the many only the few that go on from there are tried.
    """
    grouped: dict[str, list[str]] = {}
    for pattern in patterns:
        first = 2 if pattern[0] == "\\" else 1
        grouped.setdefault(pattern[:first], []).append(pattern[first:])
    return "|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in grouped.items())


def _spellings(address: IpAddress) -> Iterator[str]:
    yield address.reverse_pointer
    if isinstance(address, ipaddress.IPv4Address):
        octets = str(address).split(".")
        padded = [octet.zfill(3) for octet in octets]
        for parts in (octets, octets[::-1], padded, padded[::-1]):
            for separator in (".", "-", "_"):
                yield separator.join(parts)
        yield "".join(padded)
        yield from (f"{'.'.join(octets[:3])}.{mask}" for mask in ("x", "*"))
    else:
        yield address.reverse_pointer.removesuffix(".ip6.arpa")
        yield ".".join(address.exploded.replace(":", ""))
        groups = address.exploded.split(":")
        short = [group.lstrip("0") or "0" for group in groups]
        for separator in (":", "-", "_", "."):
            yield separator.join(groups)
            yield separator.join(short)
            yield str(address).replace(":", separator)
        # The halves are as telling as the whole: the line, and the device.
        if address in _PUBLIC_V6:
            yield ":".join(short[:4])
        if int(address) & 0xFFFF_FFFF_FFFF_FFFF > 0xFFFF_FFFF:
            yield ":".join(short[4:])
            yield ":".join(groups[4:])


def _digests(address: IpAddress) -> Iterator[str]:
    """There are so few addresses that a digest of one is the address."""
    for text in (str(address), address.exploded):
        for name in ("md5", "sha1", "sha256"):
            yield hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()
        yield base64.b32encode(text.encode()).decode().rstrip("=").lower()


def _patterns(address: IpAddress) -> Iterator[str]:
    """Patterns for an address as one number, and for its octets one by one."""
    packed = address.packed
    yield _hexadecimal(packed)
    yield _hexadecimal(str(address).encode())
    yield rf"{int(address)}(?!\d)"
    if isinstance(address, ipaddress.IPv4Address):
        yield from _patterns_v4(packed)
        return
    if address in _PUBLIC_V6:
        yield _hexadecimal(packed[:8])
    if int.from_bytes(packed[8:], "big") > 0xFFFF_FFFF:
        yield _hexadecimal(packed[8:])
    if packed[11:13] == b"\xff\xfe":
        yield _hexadecimal(bytes([packed[8] ^ 2]) + packed[9:11] + packed[13:])


def _patterns_v4(packed: bytes) -> Iterator[str]:
    yield r"\.".join(rf"0x0*{octet:x}(?![0-9a-f])" for octet in packed)
    yield "".join(map(str, packed)) + r"(?!\d)"
    for octets in (packed, packed[::-1]):
        for written in (map(str, octets), (f"{octet:o}" for octet in octets)):
            yield _one_by_one(_APART, list(written))
    yield _PERHAPS_APART.join(f"{octet:08b}" for octet in packed)
    backwards = int.from_bytes(packed, "little")
    if backwards >= 1 << 24:
        yield _hexadecimal(packed[::-1])
        yield rf"{backwards}(?!\d)"
    if packed[0] >= 0x80:
        yield rf"-{(1 << 32) - int.from_bytes(packed, 'big')}(?!\d)"
    # Short ones would be version numbers.
    for parts in (1, 2):
        rest = int.from_bytes(packed[parts:], "big")
        if rest >= 1 << (8 * (3 - parts)):
            yield r"\.".join((*map(str, packed[:parts]), rf"{rest}(?!\d)"))


def _one_by_one(between: str, octets: Sequence[str]) -> str:
    """Octets that are whole numbers, maybe with zeros before: of `22 2.3.4.5` only the address is
    ours."""
    first, others = octets[0][0], octets[0][1:]
    whole = "".join(rf"(?<![1-9]{zeros}{first})" for zeros in ("", "0", "00"))
    return between.join((first + whole + others, *octets[1:])) + r"(?!\d)"


def _near_each_other(text: str, octets: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where whole numbers on one line, `_NEAR` each other, are `octets` in their order.

    A pattern would try all ways to choose them, which took seconds for a page of `8.8.8.8.8…`.
    """
    if any(octet not in text for octet in octets):
        return
    # For each octet the numbers that may be it, as where the first began and where this one ends.
    reached: list[deque[tuple[int, int]]] = [deque() for _ in octets]
    for number in _numbers_starting("".join(sorted({octet[0] for octet in octets})))(text):
        value = number[0].lstrip("0") or "0"
        if value not in octets:
            continue
        start, end = number.span()
        for at in reversed(range(len(octets))):
            if octets[at] != value:
                continue
            begins = start
            if at:
                before = reached[at - 1]
                while before and (
                    start - before[0][1] > _NEAR or text.find("\n", before[0][1], start) >= 0
                ):
                    before.popleft()
                if not before:
                    continue
                begins = before[0][0]
            if at == len(octets) - 1:
                yield begins, end
            else:
                reached[at].append((begins, end))


@lru_cache(maxsize=256)
def _numbers_starting(digits: str) -> Callable[[str], Iterator[re.Match[str]]]:
    """Finds whole numbers which start with zero or one of `digits`."""
    return re.compile(rf"[0{digits}](?<!\d\d)\d*").finditer


def _hexadecimal(octets: bytes) -> str:
    return _PERHAPS_APART.join(f"{octet:02x}" for octet in octets)


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
