"""The keys of the configuration file, table by table, each with the shape it must have.

docs/config.md documents every one of them and is tested against these tables.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitor.config.agent import agent_shapes
from monitor.config.notify import notify_shapes, route_shapes
from monitor.config.toml_node import Shape, flag, listed, number, one_of, text, whole
from monitor.config.values import (
    address,
    as_number,
    country,
    database,
    duration,
    egress,
    fingerprint_file,
    header_value,
    host_name,
    https_url,
    kept,
    listen,
    listen_or_not,
    mmdb_file,
    network,
    optional_file,
    pem_file,
    public_url,
    resolver,
    share,
    size,
    tokens_file,
    user_shares,
    users_file,
    vantage_id,
)
from probes.vantage import Profile, VantageRole

Shapes = Mapping[str, Shape[Any]]

_MEBIBYTE = 1024 * 1024


def probe_shapes(folder: Path) -> Shapes:
    """`[probe]`; names of files are relative to `folder`."""
    timeout = duration("1ms", "10m")
    return {
        "dns_timeout": timeout,
        "tcp_timeout": timeout,
        "tls_timeout": timeout,
        "http_timeout": timeout,
        "rate": whole(1, 10_000),
        "concurrency": whole(1, 100_000),
        "dns_window": duration("0s", "1m"),
        "retries": whole(0, 10),
        "retry_pause": duration("0s", "10m"),
        "max_addresses": whole(1, 64),
        "body_limit": whole(1024, 64 * _MEBIBYTE),
        "suspicious_body_limit": whole(1024, 64 * _MEBIBYTE),
        "daily_bytes": size("1MB", "1000GB"),
        "trust_anchors": listed(pem_file(folder)),
        "bogon_allow": listed(network),
        "quic_share": share,
        "open_resolvers": listed(address),
        "doh_resolvers": listed(https_url),
        "innocuous": host_name,
        "user_agent": header_value,
    }


EVENTS: Shapes = {
    "false_suspected": number(0.0001, 100),
    "false_confirmed": number(0.0001, 100),
    "false_ends": number(0.01, 1000),
    "reopen_within": duration("0s", "30d"),
    "forget_after": duration("1h", "365d"),
    "fast_lane": duration("0s", "10m"),
    "agreement": whole(1, 100),
    "shares": user_shares,
}
"""`[events]`."""

THROTTLING: Shapes = {
    "every": duration("0s", "7d"),
    "on_suspicion": flag,
    "object_bytes": size("64KiB", "16MiB"),
    "deadline": duration("2s", "1m"),
    "reference": https_url,
}
"""`[throttling]`."""


def fingerprint_shapes(folder: Path) -> Shapes:
    """`[fingerprints]`; names of files are relative to `folder`."""
    return {"files": listed(fingerprint_file(folder), distinct=False)}


def vantage_check_shapes(folder: Path) -> Shapes:
    """`[vantage_check]`; names of files are relative to `folder`."""
    return {
        "mmdb": listed(mmdb_file(folder)),
        "echo": listed(https_url),
        "every": whole(1, 10_000),
        "siblings": listed(listed(as_number), distinct=False),
    }


def server_shapes(folder: Path) -> Shapes:
    """`[server]`; names of files are relative to `folder`."""
    return {
        "users": users_file(folder),
        "tokens": tokens_file(folder),
        "public": flag,
        "reload": flag,
    }


def collector_shapes(folder: Path) -> Shapes:
    """`[collector]`; names of files are relative to `folder`."""
    return {
        "listen": listen_or_not,
        "certificate": optional_file(folder),
        "certificate_key": optional_file(folder),
        "behind_proxy": flag,
        "batches_per_minute": whole(1, 100_000),
        "controls_per_minute": whole(1, 100_000),
        "hourly_bytes": size("64MB", "1000GB"),
        "requests_at_once": whole(1, 10_000),
        "paused": listed(vantage_id),
        "control_wait": duration("0s", "1d"),
    }


RETENTION: Shapes = {"raw": kept("7d", "36500d"), "hourly": kept("7d", "36500d")}
"""`[retention]`."""

LOG: Shapes = {
    "level": one_of(["debug", "info", "warning", "error", "critical"]),
    "format": one_of(["auto", "text", "json"]),
}
"""`[log]`."""

VANTAGE: Shapes = {
    "id": vantage_id,
    "country": country,
    "asn": as_number,
    "network": text,
    "role": one_of([role.value for role in VantageRole]),
    "egress": egress,
    "resolver": resolver,
    "profile": one_of([profile.value for profile in Profile]),
}
"""`[[vantage]]`."""

VANTAGE_REQUIRED = {
    "id": 'give the vantage its own name: id = "khi-ptcl"',
    "country": 'name its country: country = "PK"',
}

TOP: Shapes = {
    "interval": duration("1s", "7d"),
    "jitter": duration("0s", "7d"),
    "database": database,
    "signing_key": text,
    "listen": listen,
    "public_url": public_url,
}
"""Settings before the first table."""

REFERENCES = ("uplink", "international", "domestic")
"""`[references]`, read by `monitor.config.catalog`."""

CATALOG = ("platforms", "file")
"""`[catalog]`."""

TABLES: Mapping[str, frozenset[str]] = {
    "": frozenset(TOP),
    "probe": frozenset(probe_shapes(Path())),
    "throttling": frozenset(THROTTLING),
    "events": frozenset(EVENTS),
    "retention": frozenset(RETENTION),
    "log": frozenset(LOG),
    "server": frozenset(server_shapes(Path())),
    "collector": frozenset(collector_shapes(Path())),
    "agent": frozenset(agent_shapes(Path())),
    "notify": frozenset(notify_shapes()),
    "notify.route": frozenset(route_shapes(Path())),
    "vantage_check": frozenset(vantage_check_shapes(Path())),
    "vantage": frozenset(VANTAGE),
    "references": frozenset(REFERENCES),
    "catalog": frozenset(CATALOG),
    "fingerprints": frozenset(fingerprint_shapes(Path())),
}
"""Every key there is, by table; the empty name is the top of the file."""


def elsewhere(table: str) -> dict[str, str]:
    """Key of another table → where it belongs, for keys misplaced in `table`."""
    places: dict[str, str] = {}
    for other, keys in TABLES.items():
        if other != table:
            places |= dict.fromkeys(keys, _place(other))
    return places


def _place(table: str) -> str:
    if not table:
        return "at the top of the file, before the first line in [brackets]"
    return f"under {f'[[{table}]]' if table in ('vantage', 'notify.route') else f'[{table}]'}"
