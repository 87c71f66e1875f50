"""The keys of the configuration file, table by table, each with the shape it must have.

docs/config.md documents every one of them and is tested against these tables.
"""

from collections.abc import Mapping

from monitor.config.agent import AGENT, origin
from monitor.config.as_numbers import as_number, user_shares
from monitor.config.durations_and_sizes import duration, kept, size
from monitor.config.egress import egress
from monitor.config.named_files import (
    fingerprint_file,
    folder,
    mmdb_file,
    optional_file,
    pem_file,
    tokens_file,
    users_file,
)
from monitor.config.notify import NOTIFY, ROUTE
from monitor.config.toml_node import (
    Shapes,
    filled,
    flag,
    listed,
    member,
    number,
    one_of,
    text,
    whole,
)
from monitor.config.urls_and_addresses import (
    address,
    api_url,
    bucket,
    country,
    database,
    header_value,
    host_name,
    https_url,
    listen,
    network,
    optional_listen,
    page,
    public_url,
    resolver,
    run_link,
    server_url,
    storage_url,
)
from monitor.config.vantage_id import vantage_id
from monitor.sources.terms import SourceKind
from probes.vantage import Profile, VantageRole

_MEBIBYTE = 1024 * 1024
_TIMEOUT = duration("1ms", "10m")
PROBE: Shapes = {
    "dns_timeout": _TIMEOUT,
    "tcp_timeout": _TIMEOUT,
    "tls_timeout": _TIMEOUT,
    "http_timeout": _TIMEOUT,
    "rate": whole(1, 10_000),
    "concurrency": whole(1, 100_000),
    "dns_window": duration("0s", "1m"),
    "retries": whole(0, 10),
    "retry_pause": duration("0s", "10m"),
    "max_addresses": whole(1, 64),
    "body_limit": whole(1024, 64 * _MEBIBYTE),
    "suspicious_body_limit": whole(1024, 64 * _MEBIBYTE),
    "daily_bytes": size("1MB", "1000GB"),
    "trust_anchors": listed(pem_file),
    "bogon_allow": listed(network),
    "quic_share": number(0, 1),
    "open_resolvers": listed(address),
    "doh_resolvers": listed(https_url),
    "innocuous": host_name,
    "user_agent": header_value,
}
"""`[probe]`."""

EVENTS: Shapes = {
    "false_suspected": number(0.0001, 100),
    "false_confirmed": number(0.0001, 100),
    "false_ends": number(0.01, 1000),
    "reopen_within": duration("0s", "30d"),
    "forget_after": duration("1h", "365d"),
    "fast_lane": duration("0s", "10m"),
    "agreement": whole(1, 100),
    "probation": duration("0s", "90d"),
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

FINGERPRINTS: Shapes = {"files": listed(fingerprint_file, distinct=False)}
"""`[fingerprints]`."""

VANTAGE_CHECK: Shapes = {
    "mmdb": listed(mmdb_file),
    "echo": listed(https_url),
    "every": whole(1, 10_000),
    "siblings": listed(listed(as_number), distinct=False),
}
"""`[vantage_check]`."""

SERVER: Shapes = {
    "users": users_file,
    "editors": listed(filled),
    "tokens": tokens_file,
    "public": flag,
    "public_delay": duration("0s", "30d"),
    "public_bucket": duration("1m", "1d"),
    "proxies": listed(network),
    "reload": flag,
}
"""`[server]`."""

COLLECTOR: Shapes = {
    "listen": optional_listen,
    "certificate": optional_file,
    "certificate_key": optional_file,
    "behind_proxy": flag,
    "urls": listed(origin),
    "batches_per_minute": whole(1, 100_000),
    "controls_per_minute": whole(1, 100_000),
    "hourly_bytes": size("64MB", "1000GB"),
    "requests_at_once": whole(1, 10_000),
    "orders_key": text,
    "paused": listed(vantage_id),
    "control_wait": duration("0s", "1d"),
    "order_wait": duration("0s", "5m"),
}
"""`[collector]`."""

RETENTION: Shapes = {"raw": kept("7d", "36500d"), "hourly": kept("7d", "36500d")}
"""`[retention]`."""

ARCHIVE: Shapes = {
    "folder": folder,
    "bucket": bucket,
    "endpoint": storage_url,
    "region": text,
    "database_limit": size("0GB", "1000000GB"),
}
"""`[archive]`."""

TIMESTAMPS: Shapes = {
    "authorities": listed(server_url),
    "calendars": listed(server_url),
    "roots": listed(pem_file),
    "every": duration("10m", "30d"),
}
"""`[timestamps]`."""

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
    "role": member(VantageRole),
    "egress": egress,
    "resolver": resolver,
    "profile": member(Profile),
}
"""`[[vantage]]`."""

VANTAGE_REQUIRED = {
    "id": 'give the vantage its own name: id = "khi-ptcl"',
    "country": 'name its country: country = "PK"',
}

SOURCE: Shapes = {
    "kind": member(SourceKind),
    "countries": listed(country),
    "platforms": listed(text),
    "beside": listed(country),
    "budget": whole(60, 100_000),
    "every": duration("1m", "1d"),
    "run_link": run_link,
    "token": text,
    "probes": whole(2, 10),
    "url": api_url,
}
"""`[[source]]`."""

WITHHELD: Shapes = {
    "pages": listed(page),
    "every": duration("1h", "7d"),
}
"""`[withheld]`."""

SOURCE_REQUIRED = {
    "kind": 'say whose measurements: kind = "ooni"',
    "countries": 'name the countries: countries = ["PK"]',
}

TOP: Shapes = {
    "interval": duration("1s", "7d"),
    "jitter": duration("0s", "7d"),
    "database": database,
    "signing_key": text,
    "listen": listen,
    "public_url": public_url,
    "runbooks_url": public_url,
}
"""Settings before the first table."""

TABLES: Mapping[str, frozenset[str]] = {
    name: frozenset(keys)
    for name, keys in {
        "": TOP,
        "probe": PROBE,
        "throttling": THROTTLING,
        "events": EVENTS,
        "retention": RETENTION,
        "archive": ARCHIVE,
        "timestamps": TIMESTAMPS,
        "log": LOG,
        "server": SERVER,
        "collector": COLLECTOR,
        "agent": AGENT,
        "notify": NOTIFY,
        "notify.route": ROUTE,
        "vantage_check": VANTAGE_CHECK,
        "vantage": VANTAGE,
        "source": SOURCE,
        "withheld": WITHHELD,
        "references": ("uplink", "international", "popular", "address", "domestic", "udp"),
        "catalog": ("platforms", "file"),
        "fingerprints": FINGERPRINTS,
    }.items()
}
"""Every key there is, by table; the empty name is the top of the file."""


def elsewhere(table: str) -> dict[str, str]:
    """Key of another table → where it belongs, for keys misplaced in `table`."""
    if table not in TABLES:
        return {}
    others = ((other, keys) for other, keys in TABLES.items() if other != table)
    return {key: _place(other) for other, keys in others for key in keys}


def _place(table: str) -> str:
    if not table:
        return "at the top of the file, before the first line in [brackets]"
    several = table in ("vantage", "source", "notify.route")
    return f"under [[{table}]]" if several else f"under [{table}]"
