"""Asks OONI which versions of a test made the rows about a suspected block.

No line of a list names a version, but a list can be asked for by one. Whole measurements, which our
rules judge where something failed, name theirs; so the lists of those versions tell which rows
before and beside them are of the same one, and which of another.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.config.settings import SourceSettings
from monitor.following.ooni_questions import hosts_of
from monitor.replay.platform_of import WEB_TEST, PlatformLookup
from monitor.sources.ooni_client import FIRST, OoniClient
from probes.catalog.catalog import Catalog
from storage.store import Store
from storage.values.sourced import SourcedRow

OTHER = "other"
_BEFORE, _LATELY = timedelta(days=8), timedelta(days=7)
"""How long before a block rows are asked about; the age up to which one is."""
_AGAIN = timedelta(hours=1)
"""Between two questions about a block: new rows come, also of the same version elsewhere."""
_VERSIONS, _PARTS = 3, 5
"""Versions that are asked about, those that fail most; parts of the list of each, at most."""
_SURE = 0.5
_STAMP = "%Y-%m-%dT%H:%M:%S"


class OoniVersions:
    """Of one `[[source]]` of kind `ooni`."""

    def __init__(
        self,
        source: SourceSettings,
        catalog: Catalog,
        store: Store,
        client: OoniClient,
        *,
        now: Callable[[], datetime],
        room: Callable[[int], bool],
        charge: Callable[[datetime], None],
    ) -> None:
        """`now` gives UTC; `room` says whether the budget has so many units left; `charge` takes
        those of the last request from it."""
        self._source = source
        self._store = store
        self._client = client
        self._now = now
        self._room = room
        self._charge = charge
        self._units = 10
        self._asked: dict[tuple[str, str], datetime] = {}
        """Country and platform → when they were asked about."""
        lookup = PlatformLookup(catalog)
        self._hosts: dict[str, list[str]] = {}
        for host in hosts_of(catalog):
            part = lookup.of_domain(host)
            if part is not None:
                self._hosts.setdefault(part.platform, []).append(host)

    async def of(self, country: str, platform: str, begun: datetime) -> list[SourcedRow]:
        """The rows about a platform that seems blocked in a country since `begun` (UTC), of which
        the version is known now and was not. Raises SourceFault and StorageError."""
        now, place = self._now(), (country, platform)
        asked = self._asked.get(place)
        if now - begun > _LATELY or (asked is not None and now - asked < _AGAIN):
            return []
        self._asked[place] = now
        rows = [
            row
            async for page in self._store.sourced_rows(str(self._source.kind), begun - _BEFORE)
            for row in page
            if row.platform == platform and not row.left_out
        ]
        found: list[SourcedRow] = []
        for test in sorted({row.test for row in rows}):
            several = [row for row in rows if row.test == test]
            failing = Counter(
                row.version
                for row in several
                if row.country == country and row.measured_at >= begun and row.failed > _SURE
            )
            names = [one for one, _ in failing.most_common() if one not in ("", OTHER)]
            if names:
                found += await self._named(several, names[:_VERSIONS], begun - _BEFORE)
        return found

    async def _named(
        self, rows: Sequence[SourcedRow], versions: Sequence[str], since: datetime
    ) -> list[SourcedRow]:
        """Those of a test's rows that get another version, once each was asked about."""
        made: dict[str, str] = {}
        until = self._now()
        for version in versions:
            uids = await self._made_by(version, rows[0], since, until)
            if uids is None:
                return []
            made.update(dict.fromkeys(uids, version))
        found = ((row, made.get(row.uid, row.version or OTHER)) for row in rows)
        return [
            msgspec.structs.replace(row, version=version)
            for row, version in found
            if version != row.version
        ]

    async def _made_by(
        self, version: str, like: SourcedRow, since: datetime, until: datetime
    ) -> set[str] | None:
        """Ids of the measurements of a platform by a test that a version made; None where the
        budget has no room, or they are too many."""
        query = {
            "probe_cc": ",".join((*self._source.countries, *self._source.beside)),
            "test_name": like.test,
            "software_version": version,
            "since": f"{since:{_STAMP}}",
            "until": f"{until:{_STAMP}}",
            "order_by": "measurement_start_time",
            "order": "asc",
        }
        if like.test == WEB_TEST:
            query["domain"] = ",".join(self._hosts[like.platform])
        if self._source.run_link:
            query["ooni_run_link_id"] = self._source.run_link
        found: set[str] = set()
        part = FIRST
        for _ in range(_PARTS):
            if not self._room(self._units):
                return None
            try:
                page = await self._client.page(query, part)
            finally:
                self._charge(self._now())
            self._units = self._client.taken
            found |= {str(line.get("measurement_uid")) for line in page.results}
            if page.following is None:
                return found
            part = page.following
        return None
