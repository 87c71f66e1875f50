"""Addresses that nobody told us of, in the ways in which servers and networks write them.

The vantage often does not know its own public address, so what looks like one is found anywhere: in
a page, as octets in tags or in an array, in the name that a provider gives to its customers. So are
MAC addresses: captive portals name the machine and the access point, whose place can be looked up.
The text is a view of `probes.layers.shown_text`: without escapes, in ASCII digits.

Pages are long and have no address, so each pattern is tried only where its sign is found. A sign
begins with one character or few, for which the search runs many times faster.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from probes.layers.shown_text import TAG_MARK

Found = tuple[int, int, str]
"""Where something begins and ends, and the address it is; empty where that is not worked out."""


class Writing(NamedTuple):
    """A way to write an address."""

    sign: re.Pattern[str]
    """Matches in every text in which `whole` does."""
    whole: re.Pattern[str]

    def found(self, text: str) -> Iterator[re.Match[str]]:
        """Each address in `text`."""
        return self.whole.finditer(text) if self.sign.search(text) else iter(())


def _writing(sign: str, whole: str, flags: int = 0) -> Writing:
    return Writing(re.compile(sign), re.compile(whole, flags))


_OCTET = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
_PADDED = r"(?:25[0-5]|2[0-4]\d|[01]\d\d)"
# A run of more than four numbers is removed whole: it may be an address and a port.
_V4 = _writing(
    r"\d[.\-_]\d{1,3}[.\-_]\d{1,3}[.\-_]\d",
    rf"(?<!\d){_OCTET}(?:[.\-_]{_OCTET}){{3}}(?!\d)(?:[.\-_]\d{{1,5}}(?!\d))*",
)
_V4_MASKED = _writing(
    r"\.[xX*]", rf"(?<![\d.]){_OCTET}(?:\.{_OCTET}){{2}}\.[xX*]{{1,3}}(?![0-9A-Za-z])"
)
_V4_SPACED = _writing(
    r"\.(?: |(?<= \.))\d", rf"(?<!\d){_OCTET}( \. ?|\. ){_OCTET}(?:\1{_OCTET}){{2}}(?!\d)"
)
_V4_IN_TAGS = _writing(
    rf"{TAG_MARK}\d{{1,3}}{TAG_MARK}\d",
    rf"(?<![\d.]){_OCTET}(?:{TAG_MARK}{_OCTET}){{3}}(?![\d.])(?!{TAG_MARK}\d)",
)
_ARRAY = _writing(
    r",\s?[\"']?\d{1,3}[\"']?\s?,",
    rf"(?<![A-Za-z])[\[(]\s?[\"']?({_OCTET})[\"']?((?:\s?,\s?[\"']?{_OCTET}[\"']?){{15}}"
    rf"|(?:\s?,\s?[\"']?{_OCTET}[\"']?){{3}})\s?[\])]",
)
_LOWEST, _HIGHEST = 1, 223
"""First octets of addresses that anybody has."""
_GROUP = "[0-9A-Fa-f]{1,4}"
_V6 = re.compile(rf"(?:::(?!:)|{_GROUP}::|{_GROUP}:{_GROUP}::?)(?:{_GROUP}::?)*(?:{_GROUP})?")
_V6_GROUPS = 8
_EIGHT_GROUPS = re.compile(rf":(?<=[0-9A-Fa-f]:)(?:{_GROUP}:){{{_V6_GROUPS - 2}}}")
_V6_LONGEST_RUN = 100
"""Groups of a run that are searched one by one; a longer run is removed whole."""
_V6_DASHED = _writing(
    r"[23][0-9A-Fa-f]{3}[-_]",
    r"(?<![0-9A-Za-z])(?!20\d\d-\d\d-\d\d)[23][0-9A-Fa-f]{3}(?:(?:--?|_)[0-9A-Fa-f]{1,4}){2,7}"
    r"(?![0-9A-Za-z])",
)
_V6_HALF = _writing(
    r":[fF][eE][0-9A-Fa-f]{2}:",
    r"(?<![0-9A-Fa-f:])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,2}[fF]{2}:[fF][eE][0-9A-Fa-f]{2}:"
    r"[0-9A-Fa-f]{1,4}(?![0-9A-Fa-f:])",
)
"""A half made from a device's MAC (EUI-64)."""
_NIBBLES = _writing(
    r"\.(?:[0-9A-Fa-f]\.){8}",
    r"(?<![0-9A-Fa-f.])(?:[0-9A-Fa-f]\.){31}[0-9A-Fa-f](?![0-9A-Fa-f])",
)
_HEX_TEXT = _writing(r"2[eE]3\d", r"(?:(?:3\d){1,3}2[eE]){3}(?:3\d){1,3}")
_DOMAIN = r"(?=((?:\.[A-Za-z0-9-]{1,63}){2,8}))"
_NUMBERED_HOST = _writing(
    r"\.(?<=[0-9A-Fa-f]{8}\.)[A-Za-z0-9-]{1,63}\.",
    rf"(?<![0-9A-Fa-f])(?:0[xX])?(?:(?P<hex>[23][0-9A-Fa-f]{{31}}|[0-9A-Fa-f]{{8}})"
    rf"|(?P<padded>{_PADDED}{{4}})|(?P<number>\d{{8,10}})){_DOMAIN}",
)
_FILE_TYPES = re.compile(
    "asp|aspx|css|gif|html?|ico|jpe?g|js|json|map|mjs|php|png|svg|txt|webp|woff2?", re.IGNORECASE
)
_PARAMETER = _writing(
    r"[=:]\s?[\"']?(?:0[xX])?[0-9A-Fa-f]{8}",
    r"(?<![a-z])(?:[a-z]{1,16}[_-]|client|remote|source|src|user|your)?(?:ip|addr|address|client|remote)(?:v?[46])?[\"']?\s?[=:]\s?"
    r"[\"']?(?:0x)?([23][0-9a-f]{31}|[0-9a-f]{8}|\d{9,10})(?![0-9a-z.:])",
    re.IGNORECASE,
)
_PAIR, _FOUR = "[0-9A-Fa-f]{2}", "[0-9A-Fa-f]{4}"
_SOME_PAIRS = rf"{_PAIR}(?:[:_-]{_PAIR}){{3}}[:_-]"
_SOME_FOURS = rf"{_FOUR}(?:\.{_FOUR}|-{_FOUR}(?!-))(?![0-9A-Za-z])"
_RUN = r"\s?[\"']?([0-9A-Fa-f]{12})(?![0-9A-Za-z])"
_DEVICE = re.compile(rf"[:_.=-](?:{_SOME_PAIRS}|{_SOME_FOURS}|(?<=[=:]){_RUN})")
"""Matches in every text that holds a MAC address: one search where there are three writings."""
_OF_LONGER = "".join(
    rf"(?<!(?<![0-9A-Za-z])[0-9A-Fa-f]{{{digits}}}{behind})"
    for digits, behind in ((1, ":"), (2, "[:_-]"), (3, ":"), (4, "[:_-]"))
)
"""Behind another group it is part of a digest, of an IPv6 address or of a date."""
_MAC = _writing(
    f"[:_-]{_SOME_PAIRS}",
    rf"(?<![0-9A-Za-z])(?<!::){_OF_LONGER}{_PAIR}([:_-]){_PAIR}(?:\1{_PAIR}){{4,6}}"
    rf"(?![0-9A-Za-z])(?!\1{_PAIR}(?![0-9A-Za-z]))",
)
"""Of six pairs; with the one or two more of a DHCP client and of an EUI-64."""
_MAC_IN_FOURS = _writing(
    f"[.-]{_SOME_FOURS}",
    r"(?<![0-9A-Za-z])(?<![0-9A-Za-z][.-])(?=[A-Fa-f.-]{0,13}\d)"
    # With dashes, digits alone are the number of a telephone.
    rf"(?:{_FOUR}(?:\.{_FOUR}){{2}}(?!\.[0-9A-Za-z])"
    rf"|(?=[\d-]{{0,13}}[A-Fa-f]){_FOUR}(?:-{_FOUR}){{2}}(?!-))(?![0-9A-Za-z])",
)
_VALUE = re.compile(f"[=:]{_RUN}")
_KEY_OF_DEVICE = re.compile(
    r"(?:mac|bssid|called|calling|station|hwaddr|(?<![a-z])(?:ap|client|device|gw|node|sta))"
    r"(?:[ _-]?(?:address|addr|id|station)){0,2}[\"']?(?:\s?|\svalue\s?)\Z",
    re.IGNORECASE,
)
_LONGEST_KEY = 48


def plain(text: str) -> Iterator[Found]:
    """Addresses in their usual spelling."""
    for match in _V4.found(text):
        numbers = re.split(r"[.\-_]", match.group())
        # "02-17-10-20" is a date: addresses are not padded to two digits.
        if not any(len(number) == 2 and number[0] == "0" for number in numbers[:4]):
            yield *match.span(), "" if len(numbers) > 4 else _of_octets(numbers)
    if "::" in text or _EIGHT_GROUPS.search(text) is not None:
        for match in _V6.finditer(text):
            for start, end in _v6_spans(text, *match.span()):
                yield start, end, text[start:end]


def natural(text: str) -> Iterator[Found]:
    """Addresses in the other ways that programs write them in."""
    for match in _V4_SPACED.found(text):
        yield *match.span(), ".".join(re.findall(r"\d+", match.group()))
    for match in _ARRAY.found(text):
        if _LOWEST <= int(match[1]) <= _HIGHEST:
            yield *match.span(), _of_octets(re.findall(r"\d+", match.group()))
    for match in _V6_DASHED.found(text):
        address = re.sub("[-_]", ":", match.group())
        if address.count(":") == _V6_GROUPS - 1 or "::" in address:
            yield *match.span(), address
    for writing in (_V4_MASKED, _V6_HALF, _NIBBLES, _HEX_TEXT):
        yield from ((*match.span(), "") for match in writing.found(text))
    if _DEVICE.search(text) is not None:
        yield from _devices(text)
    yield from _numbered(text)


def in_tags(text: str) -> Iterator[Found]:
    """Octets with nothing but tags between them. Four small numbers are a table."""
    for match in _V4_IN_TAGS.found(text):
        octets = match.group().split(TAG_MARK)
        if _LOWEST <= int(octets[0]) <= _HIGHEST and max(map(int, octets)) >= 100:
            yield *match.span(), _of_octets(octets)


def _devices(text: str) -> Iterator[Found]:
    """MAC addresses."""
    for writing in (_MAC, _MAC_IN_FOURS):
        yield from ((*match.span(), "") for match in writing.found(text))
    for match in _VALUE.finditer(text):
        key = max(0, match.start() - _LONGEST_KEY), match.start()
        if _KEY_OF_DEVICE.search(text, *key) is not None:
            yield *match.span(1), ""


def _numbered(text: str) -> Iterator[Found]:
    """Customers' names, and parameters, that hold the address as one number."""
    for match in _NUMBERED_HOST.found(text):
        last = match[match.lastindex or 0].rpartition(".")[2]
        if not last.isalpha() or _FILE_TYPES.fullmatch(last):
            continue
        if match["padded"]:
            octets = [match["padded"][at : at + 3] for at in range(0, 12, 3)]
            yield *match.span(), _of_octets(octets)
        else:
            yield from _as_address(match.span(), match["hex"], match["number"])
    for match in _PARAMETER.found(text):
        yield from _as_address(match.span(1), match[1], match[1])


def _as_address(
    span: tuple[int, int], hexadecimal: str | None, number: str | None
) -> Iterator[Found]:
    """The address that a run of digits is, read either way."""
    if hexadecimal and len(hexadecimal) == 32:
        yield *span, str(ipaddress.IPv6Address(int(hexadecimal, 16)))
        return
    for digits, base in ((hexadecimal, 16), (number, 10)):
        if not digits or (base == 10 and not digits.isdecimal()) or digits.isalpha():
            continue
        value = int(digits, base)
        if _LOWEST <= value >> 24 <= _HIGHEST:
            yield *span, str(ipaddress.IPv4Address(value))


def _of_octets(octets: Sequence[str]) -> str:
    return ".".join(str(int(octet)) for octet in octets) if len(octets) == 4 else ""


def _v6_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
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
