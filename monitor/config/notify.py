"""`[notify]` and `[[notify.route]]`: who gets which notification, read from the configuration.

Addresses hold tokens and passwords, so no problem repeats one.
"""

import re
from collections.abc import Collection
from functools import partial
from zoneinfo import ZoneInfo, available_timezones

from monitor.analysis.events.event import EventKind, EventState
from monitor.config.durations_and_sizes import duration
from monitor.config.named_files import named_file
from monitor.config.toml_node import (
    Node,
    Shapes,
    did_you_mean,
    filled,
    flag,
    listed,
    one_of,
    optional,
    read_table,
    suggestion,
    text,
)
from monitor.config.urls_and_addresses import country, split_url
from monitor.config.vantage_id import vantage_id
from monitor.notify.settings import NotifySettings, Quiet, Route, Target
from monitor.wording.languages import LANGUAGES

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_HOUR = r"([01]\d|2[0-3]):([0-5]\d)"
_DAILY = re.compile(_HOUR)
_QUIET = re.compile(rf"{_HOUR}\s*-\s*{_HOUR}")
_NO_NAME = 'give the route its own name: name = "newsroom"'
_NO_ADDRESS = 'say where to send to: urls = ["tgram://${BOT_TOKEN}/${CHAT_ID}"], or url_file'


def web_address(node: Node) -> str:
    """An http or https URL, or empty."""
    value = text(node)
    if value and split_url(value, ("http", "https")) is None:
        raise node.fail('an http or https address, as in "https://ping.example.org/${PING_ID}"')
    return value


def address(node: Node) -> str:
    """An address that Apprise can use, in Apprise's form."""
    fault = _fault(node, filled(node).strip())
    if fault:
        raise node.fail(fault)
    return filled(node).strip()


def address_file(node: Node) -> tuple[str, tuple[str, ...]]:
    """A file of addresses, one a line: its path and its addresses."""
    with named_file(node) as path:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    found: list[str] = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            if fault := _fault(node, line):
                raise node.fail(f"correct line {number} of it: {fault}")
            found.append(line)
    if not found:
        raise node.fail("a file with at least one address, one a line")
    return str(path), tuple(found)


def time_zone(node: Node) -> str:
    """The name of a zone of the IANA database."""
    value = filled(node)
    try:
        return ZoneInfo(value).key
    except (ValueError, OSError, KeyError):
        meant = did_you_mean(value, available_timezones())
        raise node.fail(meant or 'a time zone, as in "Asia/Karachi" or "UTC"') from None


def daily(node: Node) -> int:
    """A time of day, in minutes after midnight."""
    found = _DAILY.fullmatch(text(node))
    if found is None:
        raise node.fail('a time of day from "00:00" to "23:59", or "" for none')
    return 60 * int(found[1]) + int(found[2])


def quiet(node: Node) -> Quiet:
    """A span of the day."""
    found = _QUIET.fullmatch(text(node))
    if found is None:
        raise node.fail('two times of day, as in "22:00-07:00", or "" for none')
    numbers = [int(part) for part in found.groups()]
    start, end = 60 * numbers[0] + numbers[1], 60 * numbers[2] + numbers[3]
    if start == end:
        raise node.fail('two different times, as in "22:00-07:00"')
    return Quiet(start=start, end=end)


_APART = (EventKind.SEEN_BY_VOLUNTEERS,)
"""Kinds that have no notices: they are kept apart from our own events."""

NOTIFY: Shapes = {
    "give_up": duration("1m", "30d"),
    "timeout": duration("1s", "5m"),
    "ping_url": web_address,
    "ping_interval": duration("1s", "1d"),
}
"""`[notify]`, without the routes."""

ROUTE: Shapes = {
    "name": vantage_id,
    "urls": listed(address),
    "url_file": optional(address_file, ("", ())),
    "countries": listed(country),
    "platforms": listed(filled),
    "kinds": listed(one_of([kind.value for kind in EventKind if kind not in _APART])),
    "minimum": one_of([EventState.SUSPECTED.value, EventState.CONFIRMED.value]),
    "language": one_of([language.code for language in LANGUAGES]),
    "timezone": time_zone,
    "quiet": optional(quiet, None),
    "wake": flag,
    "gather": duration("0s", "1h"),
    "digest": duration("0s", "7d"),
    "daily": optional(daily, None),
}
"""`[[notify.route]]`."""


def read_notify(node: Node, platforms: Collection[str]) -> NotifySettings:
    """`[notify]` with its routes; `platforms` are the measured ones, empty when not known."""
    shapes: Shapes = {**NOTIFY, "route": partial(_routes, platforms)}
    return NotifySettings(**read_table(node, shapes))


def _routes(platforms: Collection[str], node: Node) -> tuple[Route, ...]:
    if isinstance(node.raw, dict):
        raise node.fail("write [[notify.route]], in double brackets", wrong="is in single brackets")
    seen: set[str] = set()

    def route(entry: Node) -> Route:
        found = _route(entry, platforms)
        if found.name in seen:
            raise entry.table()["name"].fail("a name that no other route has")
        seen.add(found.name)
        return found

    return listed(route, distinct=False)(node)


def _route(node: Node, platforms: Collection[str]) -> Route:
    values = read_table(node, ROUTE, required={"name": _NO_NAME})
    table = node.table()
    path, from_file = values.pop("url_file", ("", ()))
    addresses = (*values.pop("urls", ()), *from_file)
    if not addresses:
        raise node.lack("urls", _NO_ADDRESS)
    if not values.get("kinds", True):
        raise table["kinds"].fail("at least one kind, or leave this key out")
    for one in values.get("platforms", ()):
        if platforms and one not in platforms:
            wrong = f"names {one!r}, which is not measured"
            raise table["platforms"].fail(suggestion(one, platforms), wrong=wrong)
    targets = tuple(
        Target(name=f"{number}-{one.partition('://')[0].lower()}", url=one)
        for number, one in enumerate(addresses, 1)
    )
    return Route(**values, urls=targets, url_file=path)


def _fault(node: Node, written: str) -> str:
    """What an address should be; empty when it can be used."""
    if not _SCHEME.match(written):
        return 'an address in Apprise\'s form, which begins with a scheme such as "tgram://"'
    if not node.document.asks_apprise:
        return ""
    from monitor.notify.apprise_service import NotInstalledError, fault_of  # loads asyncio

    try:
        return fault_of(written)
    except NotInstalledError as error:
        return str(error)
