"""Files in MaxMind's format, written for a test: networks and what is known of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet


def write_mmdb(path: Path, records: Mapping[str, Mapping[str, Any]]) -> Path:
    """A file that knows these networks, in CIDR notation, of both families."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="test")
    for network, record in records.items():
        writer.insert_network(IPSet([network]), dict(record))
    writer.to_db_file(str(path))
    return path


def country(code: str) -> dict[str, Any]:
    """A record as MaxMind writes it."""
    return {"country": {"iso_code": code, "names": {"en": code}}, "registered_country": {}}


def asn(number: int) -> dict[str, Any]:
    """A record of a network."""
    return {"autonomous_system_number": number, "autonomous_system_organization": f"AS {number}"}
