"""The monitor's configuration for a lab, as TOML text. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.lab.addresses import OPEN_RESOLVERS, SERVICE_NETWORKS
from tests.lab.hosts import DOMESTIC
from tests.lab.network import Network
from tests.lab.world import Control, DirectControl

PROBE: Mapping[str, Any] = {
    "daily_bytes": "1000GB",
    "dns_timeout": "2s",
    "tcp_timeout": "3s",
    "tls_timeout": "3s",
    "http_timeout": "5s",
    "rate": 200,
}
"""Quicker than the shipped settings: the lab's round trips take microseconds."""

INTERNATIONAL = (
    "https://www.wikipedia.org/",
    "https://www.cloudflare.com/",
    "https://www.gstatic.com/",
)


def settings_text(
    networks: Sequence[Network],
    controls: Sequence[Control],
    direct: Sequence[DirectControl],
    *,
    ca: str,
    database: str,
    interval: str,
    listen: str,
    egress: str,
    resolver: str,
    control_resolver: str,
    catalog: str = "",
    platforms: Sequence[str],
    probe: Mapping[str, Any],
    few_references: bool,
    extra: str,
) -> str:
    """One vantage per network and control; arguments as `Lab.config` documents them."""
    sections = [
        f"interval = {_toml(interval)}\ndatabase = {_toml(database)}\nlisten = {_toml(listen)}",
        _table(
            "[probe]",
            {
                **PROBE,
                "trust_anchors": [ca],
                "bogon_allow": list(SERVICE_NETWORKS),
                **probe,
            },
        ),
        *(_field(network, egress, resolver) for network in networks),
        *(_control(control, control_resolver) for control in controls),
        # The machine's own resolver is the censored network's.
        *(_control(control, control_resolver or OPEN_RESOLVERS[0]) for control in direct),
        _references(networks, few=few_references),
    ]
    if platforms:
        # Other platforms have no authority of their own.
        file = {"file": catalog} if catalog and "signal" in platforms else {}
        sections.append(_table("[catalog]", {"platforms": list(platforms), **file}))
    return "\n\n".join([*sections, extra]).rstrip() + "\n"


def catalog_text(roots: Mapping[str, str]) -> str:
    """A catalogue file that trusts these roots (PEM), each for its domain."""
    tables = (
        _table(f"[authority.{_toml(domain)}]", {"certificates": pem})
        for domain, pem in roots.items()
    )
    return "\n\n".join(tables) + "\n"


def _field(network: Network, egress: str, resolver: str) -> str:
    ways = {
        "source": f"source:{network.source},{network.source6}",
        "interface": f"interface:{network.interface}",
        "direct": "direct",
    }
    return _table(
        "[[vantage]]",
        {
            "id": network.name,
            "country": network.spec.country,
            "asn": network.spec.asn,
            "network": network.spec.title or network.name.upper(),
            "role": "field",
            "egress": ways[egress],
            "resolver": network.resolver if resolver == "isp" else resolver,
        },
    )


def _control(control: Control | DirectControl, resolver: str) -> str:
    fields = {"id": control.id, "country": "DE", "role": "control", "egress": control.url}
    return _table("[[vantage]]", {**fields, **({"resolver": resolver} if resolver else {})})


def _references(networks: Sequence[Network], *, few: bool) -> str:
    lines = [f"international = {_toml(list(INTERNATIONAL))}"] if few else []
    for country in sorted({network.spec.country for network in networks} & set(DOMESTIC)):
        urls = [f"https://{host}/" for host in DOMESTIC[country]]
        lines.append(f"domestic.{country} = {_toml(urls)}")
    return "\n".join(["[references]", *lines])


def _table(head: str, fields: Mapping[str, Any]) -> str:
    return "\n".join([head, *(f"{name} = {_toml(value)}" for name, value in fields.items())])


def _toml(value: Any) -> str:
    """JSON's strings, numbers, booleans and arrays are TOML's as well."""
    return json.dumps(value)
