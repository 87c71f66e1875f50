"""The configuration of the demonstration's monitor: ordinary files for people to read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from monitor.demo.message_receiver import PATH
from monitor.demo.plan import (
    COUNTRY,
    DOMESTIC,
    ELSEWHERE,
    INTERNATIONAL,
    LOOPBACK,
    NETWORKS,
    PHONE,
    PLATFORMS,
    PORTAL,
    PORTAL_PATH,
    PORTAL_WORD,
    DemoNetwork,
    Ports,
)

CONFIG, CATALOG, ANCHOR = "shutwatch.toml", "catalog.toml", "root.pem"
DATABASE, LOG = "shutwatch.db", "shutwatch.log"

_HEAD = """\
# Configuration of `shutwatch demo`. Everything in it is invented and on this machine.

"""
_QUICK: Mapping[str, Any] = {
    "dns_timeout": "5s",
    "dns_window": "50ms",
    "retry_pause": "50ms",
    "rate": 1000,
    "concurrency": 200,
    "daily_bytes": "1000GB",
    "open_resolvers": [],
    "doh_resolvers": [],
}
"""Loopback answers within microseconds, and only the networks have resolvers."""

QUICK_FALSE_ENDS = 1000.0
"""False ends allowed in one year of blocking; the shipped setting is 12."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from one demonstration to the next."""

    folder: Path
    """Exists already."""
    listen: str
    """Address and port of the page."""
    ports: Ports
    interval: float
    """Seconds from one cycle to the next."""
    fast_lane: float
    """Seconds between two tests of what is undecided."""
    quick_ends: bool
    """Whether to detect ends much sooner, with more false ends, than the shipped settings do."""
    anchor: bytes
    """PEM of the root certificate."""
    messages: bool
    """Whether the library that sends messages is installed."""


def write(wanted: Wanted) -> Path:
    """Write all files and return the path of the configuration. Raises OSError."""
    folder = wanted.folder
    (folder / ANCHOR).write_bytes(wanted.anchor)
    (folder / CATALOG).write_text(catalog_text(wanted.ports), encoding="utf-8")
    config = folder / CONFIG
    config.write_text(config_text(wanted), encoding="utf-8")
    return config


def config_text(wanted: Wanted) -> str:
    """`shutwatch.toml`."""
    ports = wanted.ports
    probe = {**_QUICK, "trust_anchors": [ANCHOR], "bogon_allow": [LOOPBACK]}
    database = (wanted.folder / DATABASE).absolute()
    portal = f"http://{PORTAL}:{ports.http}{PORTAL_PATH}"
    uplink = f"{{ endpoint = {_toml(portal)}, status = 200, body = {_toml(PORTAL_WORD)} }}"
    *international, popular = [f"tls://{host}:{ports.tls}" for host in INTERNATIONAL]
    domestic = [f"https://{host}:{ports.tls}/" for host in DOMESTIC]
    references = (
        f"[references]\nuplink = [{uplink}]\ninternational = {_toml(international)}\n"
        f"popular = {_toml([popular])}\naddress = []\n"
        f"domestic.{COUNTRY} = {_toml(domestic)}\nudp = []"
    )
    events: dict[str, Any] = {"fast_lane": f"{wanted.fast_lane * 1000:.0f}ms"}
    if wanted.quick_ends:
        events["false_ends"] = QUICK_FALSE_ENDS
    top = {
        "interval": f"{wanted.interval:g}s",
        "jitter": "0s",
        "database": f"sqlite:///{database}",
        "listen": wanted.listen,
    }
    route = {
        "name": "newsroom",
        "urls": [f"json://{PHONE}:{ports.messages}{PATH}"],
        "gather": "0s",
    }
    sections = (
        _lines(top),
        _table("[probe]", probe),
        _table("[throttling]", {"every": "0s", "on_suspicion": False}),
        _table("[events]", events),
        _table("[catalog]", {"platforms": [*PLATFORMS], "file": CATALOG}),
        references,
        *([_table("[[notify.route]]", route)] if wanted.messages else []),
        *(_vantage(network, ports) for network in NETWORKS),
    )
    return _HEAD + "\n\n".join(sections) + "\n"


def catalog_text(ports: Ports) -> str:
    """`catalog.toml`: the shipped platforms, at hosts of the demonstration."""
    sections = [
        _table(
            f"[platform.{platform}.function.{function}]",
            {"sample": 0, "endpoints": [_with_port(one, ports.tls) for one in endpoints]},
        )
        for platform, functions in PLATFORMS.items()
        for function, endpoints in functions.items()
    ]
    return _HEAD + "\n\n".join(sections) + "\n"


def _vantage(network: DemoNetwork, ports: Ports) -> str:
    return _table(
        "[[vantage]]",
        {
            "id": network.id,
            "country": ELSEWHERE if network.control else COUNTRY,
            "asn": network.asn,
            "network": network.title,
            "role": "control" if network.control else "field",
            "egress": f"source:{network.client}",
            "resolver": f"{network.resolver}:{ports.dns}",
        },
    )


def _with_port(endpoint: str, port: int) -> str:
    scheme, _, rest = endpoint.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}:{port}{slash}{path}"


def _table(head: str, fields: Mapping[str, Any]) -> str:
    return f"{head}\n{_lines(fields)}"


def _lines(fields: Mapping[str, Any]) -> str:
    return "\n".join(f"{name} = {_toml(value)}" for name, value in fields.items())


def _toml(value: Any) -> str:
    """Strings, numbers, booleans and arrays are the same in JSON and TOML."""
    return json.dumps(value)
