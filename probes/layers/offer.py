"""What a platform's public words say about a post, an account or a video: offered, withheld in a
country, or neither.

Only clear words count. A page that asks to sign in, doubts that we are people, or has changed its
markup is unclear, and unclear is nothing. What the owner of a video decided is no withholding by
the platform.
"""

import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

from probes.catalog.public_pages import PageKind, PublicPage


class Offered(StrEnum):
    """What the page says, to whoever asks from there."""

    OFFERED = "offered"
    WITHHELD = "withheld"
    """The platform says that it is not shown in this country."""
    OWNER = "owner"
    """Not shown in this country, as its owner decided, or who holds rights in it."""
    EMPTY = "empty"
    """An answer as usual, without the content."""
    GONE = "gone"
    """Deleted, private, or never there."""
    UNCLEAR = "unclear"


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a page says. Nothing else of it leaves the probes."""

    offered: Offered = Offered.UNCLEAR
    not_in: tuple[str, ...] = ()
    """Countries in which the platform itself says that it withholds it, as it tells everybody."""


UNCLEAR = Offer()
_OK, _GONE = 200, (404, 410)
_COUNTRY = re.compile(r"[A-Z]{2}")
_MOST_NAMED = 250
_DEEPEST = 40
_WITHHELD = re.compile(r"withheld in", re.IGNORECASE)
_NEXT_DATA = re.compile(
    rb'<script id="__NEXT_DATA__" type="application/json"[^>]*>(.*?)</script>', re.DOTALL
)
_PLAYER = re.compile(rb"ytInitialPlayerResponse\s*=\s*(?=\{)")
_HERE = re.compile(r"(?:in|on) (?:your|this) country", re.IGNORECASE)
_BY_OWNER = re.compile(r"uploader has not made|who has blocked it|copyright", re.IGNORECASE)


def offer_of(page: PublicPage, status: int, body: bytes) -> Offer:
    """What an answer says of a page; `body` is what was read of it."""
    if status in _GONE:
        return Offer(offered=Offered.GONE)
    if status != _OK:
        return UNCLEAR
    try:
        return _READERS[page.kind](page, body)
    except (ValueError, RecursionError):
        return UNCLEAR


def _post(page: PublicPage, body: bytes) -> Offer:
    found = msgspec.json.decode(body)
    if not isinstance(found, dict):
        return UNCLEAR
    kind = found.get("__typename")
    if kind == "TweetTombstone":
        said = " ".join(_texts(found.get("tombstone")))
        return Offer(offered=Offered.WITHHELD if _WITHHELD.search(said) else Offered.GONE)
    if kind == "Tweet" and found.get("id_str") == page.name:
        return Offer(offered=Offered.OFFERED, not_in=_countries(found))
    return UNCLEAR


def _account(page: PublicPage, body: bytes) -> Offer:
    data = _NEXT_DATA.search(body)
    if data is None:
        return UNCLEAR
    found = msgspec.json.decode(data[1])
    users = [
        one
        for one in _objects(found)
        if str(one.get("screen_name", "")).lower() == page.name.lower()
    ]
    named = tuple(sorted({country for one in users for country in _countries(one)}))
    if any(_WITHHELD.search(text) for text in _texts(found, "tombstone")):
        return Offer(offered=Offered.WITHHELD, not_in=named)
    if users:
        return Offer(offered=Offered.OFFERED, not_in=named)
    empty = any("timeline" in one for one in _objects(found))
    return Offer(offered=Offered.EMPTY) if empty else UNCLEAR


def _video(page: PublicPage, body: bytes) -> Offer:
    begins = _PLAYER.search(body)
    if begins is None:
        return UNCLEAR
    # A script goes on after the object.
    found, _ = json.JSONDecoder().raw_decode(body[begins.end() :].decode("utf-8", "replace"))
    playable = found.get("playabilityStatus")
    if not isinstance(playable, dict):
        return UNCLEAR
    status = playable.get("status")
    if status == "OK":
        details = found.get("videoDetails")
        right = isinstance(details, dict) and details.get("videoId") == page.name
        return Offer(offered=Offered.OFFERED) if right else UNCLEAR
    said = " ".join(_texts(playable))
    if _HERE.search(said):
        return Offer(offered=Offered.OWNER if _BY_OWNER.search(said) else Offered.WITHHELD)
    return Offer(offered=Offered.GONE) if status == "ERROR" else UNCLEAR


_READERS = {PageKind.POST: _post, PageKind.ACCOUNT: _account, PageKind.VIDEO: _video}


def _countries(one: dict[str, Any]) -> tuple[str, ...]:
    """Countries in which X says that it withholds something."""
    listed = one.get("withheld_in_countries")
    if not isinstance(listed, list):
        return ()
    codes = (str(code) for code in listed[:_MOST_NAMED])
    return tuple(sorted({code for code in codes if _COUNTRY.fullmatch(code)}))


def _objects(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _objects(one, depth + 1)


def _texts(value: Any, under: str = "", depth: int = 0) -> Iterator[str]:
    """Every text in it; with `under` only those below a member of that name."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str) and not under:
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, under, depth + 1)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _texts(one, "" if name == under else under, depth + 1)
