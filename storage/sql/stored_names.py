"""Which countries, platforms, networks and vantages any stored row is about."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from probes.measurement import REFERENCE_PLATFORM
from storage.sql import schema
from storage.values.names import Names

_TABLES = (
    schema.latest_health,
    schema.latest_platform,
    schema.latest_verdict,
    schema.latest_look,
    schema.availability_day,
    schema.event_table,
    schema.annotation,
)
"""Together they hold every name that measurements, verdicts and events hold: what was judged last
is kept of every vantage, the newest looks as long as measurements, and daily counts for ever."""
_NAMED = ("country", "platform", "asn", "network", "vantage")


class _Network(msgspec.Struct):
    """What an event keeps of a network, as far as it is a name."""

    asn: int = 0
    network: str = ""


_networks = msgspec.json.Decoder(list[_Network]).decode


def stored_names(connection: Connection) -> Names:
    """All names; it reads the daily counts from end to end."""
    rows: list[dict[str, Any]] = []
    for table in _TABLES:
        columns = [table.c[name] for name in _NAMED if name in table.c]
        found = connection.execute(select(*columns).distinct())
        rows += [dict(row) for row in found.mappings()]
    listed = connection.execute(select(schema.event_table.c.networks).distinct()).scalars()
    of_events = {(one.asn, one.network) for text in listed for one in _networks(text)}
    return Names(
        countries=_texts(rows, "country"),
        platforms=_texts(rows, "platform") - {REFERENCE_PLATFORM},
        networks=frozenset(
            of_events | {(row["asn"], row["network"]) for row in rows if "asn" in row}
        ),
        vantages=_texts(rows, "vantage"),
    )


def _texts(rows: Sequence[Mapping[str, Any]], column: str) -> frozenset[str]:
    return frozenset(row[column] for row in rows if row.get(column))
