"""Which files of an archive count: one JSON file for each country and month.

A file of rows has a name of its own content, and a manifest is replaced as a whole. So a reader
sees either the rows before a change or those after it, and the archive explains itself: a lost
database takes nothing of it away.
"""

import time
from collections.abc import Iterator
from math import inf

import msgspec

from storage.archive.place import Place, PlaceError

FORMAT = 1
_FOLDER = "manifest"


class ArchivedFile(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one table, country and day."""

    table: str
    country: str
    day: str
    """`2026-11-27`, UTC."""
    name: str
    """Path inside the archive."""
    rows: int
    bytes: int
    sha256: str
    """Hex digest of the file."""
    written_at: str
    """As `storage.values.times.time_text` gives it."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All files of a country and month."""

    format: int = FORMAT
    country: str
    month: str
    files: tuple[ArchivedFile, ...] = ()

    @property
    def name(self) -> str:
        """Path inside the archive."""
        return f"{_FOLDER}/{self.country}-{self.month}.json"


def path_of(table: str, country: str, day: str, sha256: str) -> str:
    """The name of a file: as engines read partitions, ending in what is in it."""
    return f"{table}/country={country}/date={day}/{table}-{sha256[:16]}.parquet"


class Manifests:
    """The manifests of one archive, each read again when it has changed.

    Where rows were moved there is one at least. None is a PlaceError: a disk may not be mounted.
    """

    def __init__(self, place: Place, *, used: bool = False) -> None:
        self._place = place
        self.used = used
        """Whether rows were ever moved there, as far as is known."""
        self._known: dict[str, tuple[str, Manifest]] = {}
        self._listed: dict[str, str] = {}
        self._fresh_until = -inf

    def of(self, country: str, day: str) -> Manifest:
        """The manifest that has this day; an empty one when there is none."""
        empty = Manifest(country=country, month=day[:7])
        content = self._place.read(empty.name)
        return _decoded(self._place, empty.name, content) if content else empty

    def replace(self, old: ArchivedFile | None, new: ArchivedFile) -> None:
        """Name a file in its manifest, in place of an older one."""
        manifest = self.of(new.country, new.day)
        files = [one for one in manifest.files if old is None or one.name != old.name]
        files = sorted([*files, new], key=lambda one: (one.table, one.day, one.name))
        changed = msgspec.structs.replace(manifest, files=tuple(files))
        content = msgspec.json.format(msgspec.json.encode(changed), indent=1)
        self._place.write(manifest.name, content)
        self._known.pop(manifest.name, None)
        self._fresh_until = -inf

    def files(
        self, table: str = "", country: str = "", first: str = "", last: str = ""
    ) -> list[ArchivedFile]:
        """The files of a table, a country and the days from `first` to `last`, both included, by
        day; what is empty selects everything."""
        found = [
            one
            for manifest in self._wanted(country, first[:7], last[:7])
            for one in manifest.files
            if (not table or one.table == table)
            and (not first or one.day >= first)
            and (not last or one.day <= last)
        ]
        return sorted(found, key=lambda one: (one.day, one.country, one.table))

    def check(self) -> None:
        """PlaceError where rows were moved there, and nothing of them is."""
        self._names()

    def _names(self) -> dict[str, str]:
        now = time.monotonic()
        if now >= self._fresh_until:
            # Dated by the beginning: it may be older than its end.
            self._listed, self._fresh_until = self._place.names(_FOLDER), now + self._place.stale
        if self._listed:
            self.used = True
        elif self.used:
            raise PlaceError(
                f"archive {self._place.shown}: nothing is there of what was moved to it: mount its "
                "disk, or correct [archive]"
            )
        return self._listed

    def _wanted(self, country: str, first: str, last: str) -> Iterator[Manifest]:
        for name, state in self._names().items():
            whose, _, month = name.removeprefix(f"{_FOLDER}/").removesuffix(".json").partition("-")
            if country not in ("", whose) or month < first or (last and month > last):
                continue
            known = self._known.get(name)
            if known is None or known[0] != state:
                known = state, _decoded(self._place, name, self._place.read(name))
                self._known[name] = known
            yield known[1]


def _decoded(place: Place, name: str, content: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PlaceError(f"archive {place.shown}: {name} is damaged: {error}") from error
    if manifest.format != FORMAT:
        raise PlaceError(
            f"archive {place.shown}: {name} has format {manifest.format}, which this version does "
            "not know: use a newer version of shutwatch"
        )
    return manifest
