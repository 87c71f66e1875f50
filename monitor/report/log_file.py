"""The append-only log in a report: its head, and how it continues the heads given away before.

Who has an earlier report, or a stamp of an earlier head, sees that nothing before it was changed,
put in or left out since. The log itself holds digests, and stays at home.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from monitor.report.bounded_unzip import NotAsMadeError
from monitor.report.seals import OPENTIMESTAMPS, RFC3161, Times, Trusted, times_of
from storage.store import CollectorStore, StorageError
from storage.values import merkle
from storage.values.log import HeadStamp, LogHead, LogPlace

LOG = "log.json"
MOST_HEADS = 2000
"""Earlier heads in one report, the newest of them."""
LARGEST_LOG = 32 * 2**20
"""Bytes."""
_FORMAT = 1
_KINDS = {"rfc3161": RFC3161, "opentimestamps": OPENTIMESTAMPS}


class EnclosedStamp(msgspec.Struct, frozen=True, kw_only=True):
    """A proof of time for a head."""

    kind: str
    """`rfc3161` or `opentimestamps`."""
    authority: str
    """URL."""
    proof: bytes
    """The reply or the proof file, base64."""


class EarlierHead(msgspec.Struct, frozen=True, kw_only=True):
    """A head that was given away, in a report or to be stamped."""

    size: int
    root: str
    path: tuple[str, ...]
    """Proof that the log of the report begins with that log."""
    stamps: tuple[EnclosedStamp, ...] = ()


class LogFile(msgspec.Struct, frozen=True, kw_only=True):
    """What `log.json` holds."""

    format: int = _FORMAT
    size: int
    """Entries when the report was made."""
    root: str
    heads: tuple[EarlierHead, ...] = ()

    @property
    def head(self) -> LogHead:
        """The head when the report was made."""
        return LogHead(size=self.size, root=self.root)


class CheckedLog(msgspec.Struct, frozen=True, kw_only=True):
    """The log of a report whose proofs hold."""

    file: LogFile
    stamped: tuple[tuple[int, Times], ...]
    """Sizes of stamped heads, and what their stamps show."""

    def holds(self, digest: str, place: LogPlace) -> bool:
        """Whether an entry is where a proof says."""
        try:
            steps = [bytes.fromhex(step) for step in place.path]
            root = bytes.fromhex(self.file.root)
            return merkle.is_included(
                bytes.fromhex(digest), place.position, self.file.size, steps, root
            )
        except ValueError:
            return False

    def by_when(self, position: int) -> datetime | None:
        """By when the entry at a position was in the log, as somebody trusted says."""
        times = (times.trusted for size, times in self.stamped if size > position)
        return min((one for one in times if one is not None), default=None)


async def log_file(store: CollectorStore, head: LogHead) -> LogFile:
    """The log of a report with that head. Raises StorageError, also where the log was rewritten
    since a head was given away."""
    given: dict[int, list[HeadStamp]] = {}
    for stamp in await store.head_stamps():
        if stamp.size < head.size or (stamp.size == head.size and stamp.proof):
            given.setdefault(stamp.size, []).append(stamp)
    chosen = dict(list(given.items())[-MOST_HEADS:])
    paths = await store.log_consistency(list(chosen), head.size)
    heads = tuple(
        EarlierHead(
            size=size,
            root=stamps[0].root,
            path=paths[size],
            stamps=tuple(
                EnclosedStamp(kind=one.kind, authority=one.authority, proof=one.proof)
                for one in stamps
                if one.proof
            ),
        )
        for size, stamps in chosen.items()
    )
    made = LogFile(size=head.size, root=head.root, heads=heads)
    for earlier in heads:
        if not _continues(made, earlier) or len({one.root for one in chosen[earlier.size]}) > 1:
            raise StorageError(
                f"the append-only log was rewritten since its head of {earlier.size} entries was "
                "given away: no report can be made from this database, `shutwatch db check`"
            )
    return made


def _continues(log: LogFile, earlier: EarlierHead) -> bool:
    try:
        return merkle.is_consistent(
            earlier.size,
            bytes.fromhex(earlier.root),
            log.size,
            [bytes.fromhex(step) for step in earlier.path],
            bytes.fromhex(log.root),
        )
    except ValueError:
        return False


def encoded_log(log: LogFile) -> bytes:
    """The file."""
    return msgspec.json.format(msgspec.json.encode(log), indent=1) + b"\n"


def check_log(parts: Sequence[bytes], trusted: Trusted) -> CheckedLog:
    """The log of a report. Raises NotAsMadeError."""
    try:
        log = msgspec.json.decode(b"".join(parts), type=LogFile)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise NotAsMadeError(f"{LOG} cannot be read ({str(error)[:200]})") from error
    if log.format != _FORMAT or len(log.heads) > MOST_HEADS:
        raise NotAsMadeError(f"{LOG}: a format this version does not know")
    for earlier in log.heads:
        if not _continues(log, earlier):
            raise NotAsMadeError(f"{LOG}: the log does not continue that of {earlier.size} entries")
    return CheckedLog(file=log, stamped=tuple(_stamped(log, trusted)))


class Continuation(StrEnum):
    """Whether the log of a report continues that of an earlier report."""

    CONTINUES = "continues"
    """It is proved to begin with that log."""
    SAME = "same"
    EMPTY = "empty"
    """That log has no entry: any other one continues it, so nothing is proved."""
    NOT_PROVEN = "not_proven"


def continuation(later: CheckedLog | None, earlier: CheckedLog | None) -> Continuation:
    """Whether a report's log continues that of an earlier report. A maker who rewrote the log would
    leave the earlier head out, so it must be there."""
    if later is None or earlier is None:
        return Continuation.NOT_PROVEN
    if not earlier.file.size:
        return Continuation.EMPTY
    if later.file.head == earlier.file.head:
        return Continuation.SAME
    proved = {(one.size, one.root) for one in later.file.heads}
    continued = (earlier.file.size, earlier.file.root) in proved
    return Continuation.CONTINUES if continued else Continuation.NOT_PROVEN


def _stamped(log: LogFile, trusted: Trusted) -> Iterator[tuple[int, Times]]:
    for earlier in log.heads:
        name = f"{LOG}: a stamp of the head of {earlier.size} entries"
        stamps = [(name, _KINDS.get(one.kind, ""), one.proof) for one in earlier.stamps]
        if any(not kind for _, kind, _ in stamps):
            raise NotAsMadeError(f"{name} is of a kind this version does not know")
        if stamps:
            data = LogHead(size=earlier.size, root=earlier.root).text
            yield earlier.size, times_of(stamps, data, trusted)
