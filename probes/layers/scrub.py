"""Remove addresses from pages, headers and redirects.

Block pages print the reader's address to frighten people. The vantage often does not know its own
public address (NAT). So *every* address is removed, except the tested ones, and the vantage's known
addresses are removed in every encoding seen in practice. So are addresses of devices (MAC), and
IPv6 addresses of the vantage's own line, such as its router's. In doubt, a harmless number that
looks like an address is removed too.

What is searched is the text as its reader sees it, and base64 in every alignment, also within
base64. What is found is cut out of the text as it was written.

    text ── shown_text ── address_search     what looks like an address
                       └─ address_spellings  what is a known one
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain

import msgspec

from probes.layers.address_search import Found, in_tags, natural, plain
from probes.layers.address_spellings import IpAddress, spellings_of
from probes.layers.shown_text import (
    in_one_line,
    shown,
    tags_matter,
    with_marks_for_tags,
    without_tags,
)
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

Span = tuple[int, int]

_NUMBERS = re.compile(r"[0-9A-Fa-fxX.:_ -]{4,}|\d")
"""A text without a match holds no spelling of an address, not even as one number."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{10,}={0,2}")
_BASE64_SIGN = re.compile(r"[LMNOQRYZ][A-Za-z0-9+/_-]{3}[LMNOQRYZ]")
"""Digits, letters and dots of an address have these letters in base64, every fourth character."""
_IN_BRACKETS = re.compile(r"(?<=\[)([0-9A-Fa-f:.]{2,45})(?:%[^\]]*)?(?=\])")
"""An IPv6 address beside a port, with or without its zone."""
_APART = "\n\n\n\n"
"""Between texts that are searched in one go: no escape, and no line of base64, goes on over it."""
_TWICE = 16
"""Characters that base64 of base64 of an address has at least."""


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
        self._own = spellings_of(frozenset(one for one in known if not one.is_loopback))
        self._given = frozenset(given)
        dialled = map(_parsed, tested)
        self._keep = frozenset(address for address in dialled if not self._own.holds(address))

    def text(self, text: str) -> str:
        """`text` without addresses."""
        if not text or text in self._given:
            return text
        spans = sorted(self._spans(text))
        return _cut(text, spans) if spans else text

    def own_only(self, text: str) -> str:
        """`text`, a resolver's, without the vantage's own addresses; others stay."""
        if "[" in text:
            text = _IN_BRACKETS.sub(self._unless_own, text)
        return _cut(text, sorted(self._own.spans(text)))

    def finds(self, *texts: str) -> bool:
        """True when one of `texts` holds something to remove; cheaper than removing it. At times
        also true when only two of them side by side look like something."""
        searched = _APART.join([text for text in texts if text and text not in self._given])
        return bool(searched) and next(self._spans(searched), None) is not None

    def shows_own(self, data: bytes) -> bool:
        """True when binary `data` (a certificate) holds one of the vantage's own addresses."""
        return any(needle in data for needle in self._own.needles)

    def is_own(self, address: str) -> bool:
        """True for one of the vantage's own addresses, and for others of its line."""
        return bool(address and self._own.addresses) and self._own.holds(_parsed(address))

    def address(self, address: str) -> str:
        """`address`, or the unspecified address in place of one of the vantage's own."""
        if not self.is_own(address):
            return address
        return "::" if ":" in address else "0.0.0.0"  # noqa: S104 # means no address

    def _spans(self, text: str) -> Iterator[Span]:
        view = shown(text)
        if view.text is not text:
            yield from self._own.spans(text)
            # In `ip=2EAA…` the start of base64 reads like an escape, in `id=3A:…` that of a MAC.
            yield from self._own.spans_in_base64(text)
            if "=2E" in text or "=3A" in text:
                yield from self._unless_kept(natural(text))
        yield from (view.written(*span) for span in self._in_view(view.text))
        lines = in_one_line(view)
        if lines is not view:
            yield from (lines.written(*span) for span in self._in_base64(lines.text))
        if tags_matter(view):
            joined, marked = without_tags(view), with_marks_for_tags(view)
            yield from (joined.written(*span) for span in self._in_view(joined.text))
            yield from (marked.written(*span) for span in self._unless_kept(in_tags(marked.text)))
            yield from (marked.written(*span) for span in self._own.spans(marked.text))

    def _in_view(self, text: str) -> Iterator[Span]:
        if _NUMBERS.search(text) is not None:
            yield from self._own.spans(text)
            yield from self._unless_kept(plain(text))
            yield from self._unless_kept(natural(text))
        yield from self._in_base64(text)

    def _in_base64(self, text: str) -> Iterator[Span]:
        yield from self._own.spans_in_base64(text)
        for match in _BASE64.finditer(text):
            if self._shows_address(match.group()):
                yield match.span()

    def _unless_kept(self, found: Iterable[Found]) -> Iterator[Span]:
        """Without those that may stay."""
        for start, end, address in found:
            if not (address and self._may_stay(address)):
                yield start, end

    def _unless_own(self, literal: re.Match[str]) -> str:
        try:
            return PLACEHOLDER if self.is_own(literal[1]) else literal[0]
        except ValueError:
            return literal[0]

    def _may_stay(self, address: str) -> bool:
        try:
            return bool(self._keep) and _parsed(address) in self._keep
        except ValueError:
            return False

    def _shows_address(self, token: str, *, inner: bool = False) -> bool:
        """Whether base64 holds an address, or base64 that does."""
        signed = _BASE64_SIGN.search(token) is not None
        if not signed and (inner or len(token) < _TWICE):
            return False
        standard = token.rstrip("=").replace("-", "+").replace("_", "/")
        # Other text may directly precede the encoded part, so every alignment is tried.
        for text in (_decoded(standard[start:]) for start in range(4)):
            if signed and next(self._unless_kept(plain(text)), None) is not None:
                return True
            if next(self._own.spans_in_base64(text), None) is not None:
                return True
            if not inner and any(
                self._shows_address(match.group(), inner=True) for match in _BASE64.finditer(text)
            ):
                return True
        return False


@lru_cache(maxsize=4096)
def _parsed(address: str) -> IpAddress:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    # The same host, which Python versions write in different ways.
    return (parsed.ipv4_mapped if parsed.version == 6 else None) or parsed


def _decoded(token: str) -> str:
    """`token` decoded from base64, one character for each octet."""
    whole = token[: len(token) - (len(token) % 4 == 1)]
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4)).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""


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
    return scrub_observations((observation,), scrubber)[0]


def scrub_observations(
    observations: Sequence[AnyObservation], scrubber: Scrubber
) -> tuple[AnyObservation, ...]:
    """As `scrub_observation`, for all observations of one measurement. Most hold nothing to remove,
    which one search of all texts shows."""
    texts: list[str] = []
    for one in observations:
        texts += [getattr(one, field) for field in _TEXTS.get(type(one), ())]
        match one:
            case HttpObservation(headers=headers):
                texts += chain.from_iterable(headers)
            case DnsObservation(answers=answers):
                texts += chain.from_iterable([answer.cnames for answer in answers])
    found = scrubber.finds(*texts)
    return tuple([_scrubbed(one, scrubber, texts=found) for one in observations])


def _scrubbed(observation: AnyObservation, scrubber: Scrubber, *, texts: bool) -> AnyObservation:
    changes: dict[str, object] = {}
    address = getattr(observation, "address", "")
    if scrubber.is_own(address):
        changes["address"] = scrubber.address(address)
    if texts:
        for field in _TEXTS.get(type(observation), ()):
            changes[field] = scrubber.text(getattr(observation, field))
    match observation:
        case HttpObservation(headers=headers) if texts:
            changes["headers"] = tuple((scrubber.text(n), scrubber.text(v)) for n, v in headers)
        case TlsObservation(chain=certificates) if any(map(scrubber.shows_own, certificates)):
            changes["chain"] = ()
        case DnsObservation():
            # A resolver on the vantage itself may have the vantage's own address.
            changes["resolver"] = scrubber.own_only(observation.resolver)
            changes["answers"] = tuple(
                [_scrub_answer(one, scrubber, texts=texts) for one in observation.answers]
            )
    return msgspec.structs.replace(observation, **changes) if changes else observation


def _scrub_answer(answer: DnsAnswer, scrubber: Scrubber, *, texts: bool) -> DnsAnswer:
    if not texts and not any(map(scrubber.is_own, answer.addresses)):
        return answer
    # Hijacked to our own address: keep the fact, drop the address.
    return msgspec.structs.replace(
        answer,
        addresses=tuple(scrubber.address(address) for address in answer.addresses),
        cnames=tuple(scrubber.text(name) for name in answer.cnames),
    )
