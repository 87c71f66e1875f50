"""OONI's lines and whole measurements as rows that are kept."""

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from monitor.analysis.verdict import State
from monitor.judging.from_ooni import judge_imported
from monitor.logs import logger
from monitor.ooni.convert import convert
from monitor.ooni.ooni_format import OoniError, decode
from monitor.replay.formats import RowCounts, RowFilter, RowReader
from monitor.replay.imported_row import ReplayError
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.row_files import rows_of
from monitor.sources.terms import TERMS, SourceKind
from probes.catalog.catalog import Catalog
from probes.layers.bogon import BogonList
from storage.values.sourced import SourcedRow

log = logger(__name__)

UNAVAILABLE, WAITING = "unavailable", "waiting"
_RECEIVED = re.compile(r"(\d{14})\.\d+_")
"""How an id begins: when OONI received the measurement."""
_BLOCKED = (State.BLOCKED, State.DEGRADED, State.PARTIAL, State.THROTTLED)
_VPN = "vpn"
_LONGEST = 40
"""Characters of a version that are kept: anybody can upload any."""


class ListReader:
    """Reads lines of the lists. A line that cannot be read is counted, and loses no other."""

    def __init__(self, lookup: PlatformLookup, countries: Collection[str]) -> None:
        self._reader = RowReader(lookup, RowFilter(), RowCounts())
        self._countries = frozenset(countries)
        self.malformed = 0
        """Lines that could not be read."""

    def rows(
        self, results: Iterable[Any], at: datetime, since: datetime, until: datetime
    ) -> list[SourcedRow]:
        """The rows about our platforms in the countries and the time (UTC) that were asked for,
        received at `at`."""
        found: list[SourcedRow] = []
        for line in results:
            try:
                if not isinstance(line, dict):
                    raise ReplayError("no object")
                for row in rows_of([line], "list", self._reader):
                    if not since <= row.at <= until:
                        raise ReplayError("a measurement of another time")
                    if row.country not in self._countries:
                        continue
                    received = _received(row.uid)
                    found.append(
                        SourcedRow(
                            country=row.country,
                            source=str(SourceKind.OONI),
                            uid=row.uid,
                            # A phone's clock may be ahead; nothing was received before it was made.
                            measured_at=min(row.at, received),
                            received_at=at,
                            asn=row.asn,
                            platform=row.platform,
                            part=row.part,
                            test=row.test,
                            failed=row.failed,
                            confirmed=bool(row.confirmed),
                            methods=row.methods,
                            left_out=_left_out(line),
                            licence=TERMS[SourceKind.OONI].licence,
                        )
                    )
            except (ReplayError, ValueError, TypeError, AttributeError, OverflowError):
                self.malformed += 1
        return found


def _left_out(line: dict[str, Any]) -> str:
    """OONI verifies uploads; one that failed may be anybody's invention."""
    return "unverified" if line.get("verification_status") == "failed" else ""


def _received(uid: str) -> datetime:
    """When OONI received a measurement. Raises ReplayError for what is no id of its."""
    match = _RECEIVED.match(uid)
    if match is None:
        raise ReplayError(f"{uid[:80]!r} is no id of a measurement")
    return datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def judged_row(row: SourcedRow, raw: bytes, catalog: Catalog, bogons: BogonList) -> SourcedRow:
    """The row once our rules judged the whole measurement.

    Blocked and ok replace OONI's own opinion; of a platform that is down for everybody the row
    counts for nothing. Where our rules decide nothing, as about tests without a control, OONI's
    opinion stays.
    """
    try:
        wire, flag = decode(raw)
        if wire.over_vpn:
            return msgspec.structs.replace(row, judged=UNAVAILABLE, left_out=_VPN)
        row = msgspec.structs.replace(row, version=(wire.software_version or "")[:_LONGEST])
        cycle = judge_imported(convert(wire, flag, catalog, bogons=bogons))
    except (OoniError, msgspec.DecodeError, UnicodeError):
        return msgspec.structs.replace(row, judged=UNAVAILABLE)
    except Exception:
        # Anybody can upload: one measurement must not stop the reading of all others.
        log.exception("whole measurement not judged, our own fault", uid=row.uid)
        return msgspec.structs.replace(row, judged=UNAVAILABLE)
    verdict = next((one for one in cycle.platforms if one.platform == row.platform), None)
    if verdict is None:
        return msgspec.structs.replace(row, judged=UNAVAILABLE)
    judged = msgspec.structs.replace(row, judged=str(verdict.state))
    if verdict.state in _BLOCKED:
        method = ".".join(filter(None, (verdict.method, verdict.sub_method)))
        return msgspec.structs.replace(judged, failed=1.0, methods=(method,) if method else ())
    if verdict.state is State.OK:
        return msgspec.structs.replace(judged, failed=0.0, methods=())
    if verdict.state is State.DOWN:
        return msgspec.structs.replace(judged, left_out="down")
    return judged
