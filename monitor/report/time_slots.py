"""Count verdicts in a bounded number of time slots, whatever the length of the time."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from monitor.analysis.verdict import State


class Slot(msgspec.Struct, frozen=True):
    """What one network showed in one slot of time."""

    start: datetime
    end: datetime
    verdicts: int
    open: int
    in_part: int
    """Of these, where something else, some connections or addresses were blocked."""
    blocked: int
    throttled: int
    down: int
    all_the_same: int = 0
    """Verdicts that say neither, by which a function is blocked all the same."""

    @property
    def undecided(self) -> int:
        """Undecided verdicts."""
        return self.verdicts - self.decided

    @property
    def decided(self) -> int:
        """Decided verdicts."""
        return self.open + self.blocked + self.throttled + self.down

    @property
    def share_open(self) -> float | None:
        """The share of decided verdicts that are open, as availability is defined; None without a
        decided one."""
        return self.open / self.decided if self.decided else None


_GROUP = {
    State.OK: "open",
    State.DEGRADED: "partial",
    State.BLOCKED: "blocked",
    State.THROTTLED: "throttled",
    State.PARTIAL: "partial",
    State.DOWN: "down",
    State.INSUFFICIENT: "undecided",
}
_ALL_THE_SAME = "all_the_same"


class Slots:
    """The slots of all networks; they double in length whenever there would be too many."""

    def __init__(self, origin: datetime, width: timedelta, most: int = 600) -> None:
        self._origin = origin
        self.width = width
        self._most = most
        self._counts: dict[tuple[int, str], dict[int, Counter[str]]] = {}

    def count(self, network: tuple[int, str], at: datetime, states: Mapping[State, int]) -> None:
        """Count verdicts of one moment, by state."""
        number = (at - self._origin) // self.width
        while number >= self._most:
            self._double()
            number = (at - self._origin) // self.width
        counts = self._counts.setdefault(network, {}).setdefault(number, Counter())
        for state, number_of in states.items():
            counts[_GROUP[state]] += number_of

    def count_blocked_all_the_same(self, network: tuple[int, str], at: datetime) -> None:
        """Note of a verdict that was counted, undecided or down, that a function is blocked."""
        self._counts[network][(at - self._origin) // self.width][_ALL_THE_SAME] += 1

    def _double(self) -> None:
        self.width *= 2
        for network, slots in self._counts.items():
            merged: dict[int, Counter[str]] = {}
            for number, counts in slots.items():
                merged.setdefault(number // 2, Counter()).update(counts)
            self._counts[network] = merged

    def of(self, network: tuple[int, str]) -> tuple[Slot, ...]:
        """The slots of one network that have verdicts, in order."""
        return tuple(
            Slot(
                start=self._origin + number * self.width,
                end=self._origin + (number + 1) * self.width,
                verdicts=counts.total() - counts[_ALL_THE_SAME],
                open=counts["open"] + counts["partial"],
                in_part=counts["partial"],
                blocked=counts["blocked"],
                throttled=counts["throttled"],
                down=counts["down"],
                all_the_same=counts[_ALL_THE_SAME],
            )
            for number, counts in sorted(self._counts.get(network, {}).items())
        )

    def all(self) -> Iterator[tuple[tuple[int, str], Slot]]:
        """Every slot that has verdicts, network by network."""
        for network in sorted(self._counts):
            for slot in self.of(network):
                yield network, slot
