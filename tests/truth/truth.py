"""What may truly be said of a world at one moment. Every method takes a claim and returns why it is
false, or nothing.

Detection takes a few cycles, so a claim about the present may be as old as they are. Nothing that
is claimed may contradict what the cycles before them could see.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from copy import copy
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache, wraps
from itertools import combinations, pairwise, product
from typing import Any, TypeVar, cast

import msgspec

from monitor.analysis.events.sequential_test import DetectorSettings
from tests.truth.live import STAGGER
from tests.truth.phrases import When
from tests.truth.world import (
    INTERVAL,
    OPEN_PLATFORM,
    Block,
    Fault,
    Method,
    Network,
    Part,
    Span,
    Trouble,
    World,
    stretches_of,
)

LAG = 4
"""Cycles after which a change of the world must have been noticed."""
STALE = 4200.0
"""Seconds after which what was seen last is no longer the present."""
CHANGING = 100.0
"""Seconds that a cycle may take: what changes within them may be seen before or after."""
REMEMBERED = DetectorSettings().gap
"""Seconds that may lie between two cycles that see a block, before it must be noticed."""
GATHERED = 90.0
"""Seconds that a message may wait."""
SECOND = timedelta(seconds=1)


STATE_OF = {Part.ALL: "blocked", Part.MEDIA: "degraded", Part.IPV6: "partial"}
"""The state of a platform of which that part is blocked, by its name in data."""
WORST_LAST = ("insufficient", "ok", "degraded", "partial", "blocked")
"""Of several networks' states the last counts."""
ANY: frozenset[str] = frozenset()
"""States of which nothing is sure."""


class Seen(StrEnum):
    """What one cycle could find out of the platform that may be blocked."""

    OPEN = "open"
    BLOCKED = "blocked"
    UNDECIDED = "undecided"
    EITHER = "either"
    """It changed while the cycle ran."""


class Cycle(msgspec.Struct, frozen=True):
    """One cycle of a network's vantage."""

    seconds: float
    seen: Seen
    beside: Seen
    """What it could find out of the platform that nobody blocks."""
    measured: bool
    """Whether it gave any verdict."""
    fault: Trouble | None

    @property
    def decided(self) -> bool:
        """Whether it certainly decides."""
        return self.seen in (Seen.OPEN, Seen.BLOCKED)


class Range:
    """A number that is known within bounds."""

    def __init__(self) -> None:
        self.least = self.most = 0

    def add(self, *, sure: bool) -> None:
        """Count one, or perhaps one."""
        self.least += sure
        self.most += 1

    def holds(self, number: int) -> bool:
        """Whether it may be that number."""
        return self.least <= number <= self.most

    def __str__(self) -> str:
        return f"{self.least} to {self.most}"


class Verdicts:
    """How many verdicts there are, and what they say."""

    def __init__(self) -> None:
        self.all, self.decided, self.undecided, self.signs = Range(), Range(), Range(), Range()
        self.networks: dict[int, Range] = {}
        """Decided ones by network."""

    def add(self, asn: int, seen: Seen, *, sure: bool) -> None:
        """One verdict; not `sure` where it may be missing."""
        here = self.networks.setdefault(asn, Range())
        self.all.add(sure=sure)
        known = sure and seen is not Seen.EITHER
        if seen is not Seen.UNDECIDED:
            self.decided.add(sure=known)
            here.add(sure=known)
        if seen in (Seen.UNDECIDED, Seen.EITHER):
            self.undecided.add(sure=known)
        if seen in (Seen.BLOCKED, Seen.EITHER):
            self.signs.add(sure=known)

    @property
    def networks_decided(self) -> Range:
        """Networks with a decided verdict."""
        found = Range()
        for one in self.networks.values():
            if one.most:
                found.add(sure=one.least > 0)
        return found


Checked = TypeVar("Checked", bound="Callable[..., str]")
Item = TypeVar("Item")


def whatever_was_noticed(check: Checked) -> Checked:
    """The claim may be about all blocks, or leave out those that one cycle saw, or none for sure: a
    false certificate without a control. And it may tell of a gap that cycles cannot be sure of:
    where there was one, that is true."""

    @wraps(check)
    def checked(truth: "Truth", *claim: Any, **more: Any) -> str:
        why = check(truth, *claim, **more)
        if why and any(not check(one, *claim, **more) for one in truth.otherwise_noticed()):
            return ""
        return why

    return cast("Checked", checked)


class Truth:
    """The truth about the platform that may be blocked, up to one moment."""

    _unnoticed: frozenset[tuple[int, Block]] = frozenset()
    """Blocks that are left out, by AS number."""
    _gaps: frozenset[float] = frozenset()
    """When gaps began that count, seen or not."""
    _begun_when_seen: bool = False
    """Whether a block that nobody saw begin, until another network's had ended, began when it was
    seen."""
    _joined: bool = False
    """Whether a network that was never found open before counts as open until then."""

    def __init__(self, world: World, seconds: float) -> None:
        self.world = world
        self.seconds = seconds
        self.cycles = {
            network.asn: [one for one in _cycles(world, network, number) if one.seconds < seconds]
            for number, network in enumerate(world.networks)
        }

    @classmethod
    def of_nothing(cls, world: World, seconds: float) -> "Truth":
        """The truth about a country without networks."""
        return cls(msgspec.structs.replace(world, networks=()), seconds)

    def current(self, asn: int) -> Cycle | None:
        """The cycle of a network whose verdicts are present: a skipped one has none."""
        found = self.cycles.get(asn, [])
        known = [one for one in found if one.measured] or found
        return known[-1] if known else None

    def network_of(self, asn: int) -> Network:
        """The network with that number."""
        return next(one for one in self.world.networks if one.asn == asn)

    # -- the present state -----------------------------------------------------------------------

    def states(self, asn: int, platform: str, cycles: int = 1) -> frozenset[str]:
        """The states that a surface may show of a platform on a network, which knows the last cycle
        or one of the last few; `ANY` where nothing is sure."""
        found: set[str] = set()
        measured = [one for one in self.cycles[asn] if one.measured]
        if len(measured) < cycles or self.seconds - self.cycles[asn][-1].seconds > INTERVAL:
            return ANY
        if any(not one.measured for one in self.cycles[asn][-cycles:]):
            return ANY
        for one in measured[-cycles:]:
            state = state_of(self.network_of(asn), one, platform)
            if not state:
                return ANY
            found.add(state)
        return frozenset(found)

    def worst(self, platform: str, cycles: int = 1) -> frozenset[str]:
        """The same of the country: the worst of its networks."""
        found = [self.states(asn, platform, cycles) for asn in self.cycles]
        if ANY in found or not found:
            return ANY
        worst = (max(each, key=WORST_LAST.index) for each in product(*found))
        return frozenset(worst)

    # -- circumstances ---------------------------------------------------------------------------

    def troubled(
        self, *troubles: Trouble, vantage: str = "", now: bool, every: bool = False
    ) -> str:
        """A network, or each, has one of these troubles, or had it at any time."""
        found = [
            any(self._has(fault, troubles, now=now) for fault in faults)
            for faults in self._faults(vantage)
        ]
        if found and (all(found) if every else any(found)):
            return ""
        return f"no such trouble: {', '.join(troubles) or 'none'}"

    def count_troubled(self, *troubles: Trouble) -> int:
        """Networks that had one of these troubles at any time."""
        names = (one.vantage for one in self.world.networks)
        return sum(not self.troubled(*troubles, vantage=name, now=False) for name in names)

    def trouble_began(self, when: When, troubles: Collection[Trouble], vantage: str = "") -> str:
        """One of these troubles began then; one that was there from the start began before it."""
        own = self._faults(vantage) if vantage else [*self._faults(""), self.world.control_faults]
        began = [
            max(fault.since, 0.0)
            for faults in own
            for fault in faults
            if fault.trouble in troubles and fault.since < self.seconds
        ]
        if any(when.holds(self.world.wall(one)) for one in began):
            return ""
        return f"it began at {', '.join(map(self._text, began)) or 'no time'}"

    def trouble_over(self, trouble: Trouble) -> str:
        """It was there, and is no longer."""
        lately = self.seconds - LAG * INTERVAL
        for faults in self._faults(""):
            if any(
                one.trouble is trouble and one.since < lately < self.seconds < one.until
                for one in faults
            ):
                return "it is still there"
        return self.troubled(trouble, now=False)

    def trouble_ended(self, when: When, trouble: Trouble) -> str:
        """It ended then."""
        ended = [
            one.until
            for faults in self._faults("")
            for one in faults
            if one.trouble is trouble and one.until < self.seconds
        ]
        if any(when.holds(self.world.wall(one)) for one in ended):
            return ""
        return f"it ended at {', '.join(map(self._text, ended)) or 'no time'}"

    def _faults(self, vantage: str) -> list[tuple[Fault, ...]]:
        """Those of each network, or of one vantage, which may be a control."""
        own = {one.vantage: one.faults for one in self.world.networks}
        if not vantage:
            return list(own.values())
        return [own.get(vantage, self.world.control_faults)]

    def _has(self, fault: Fault, troubles: Collection[Trouble], *, now: bool) -> bool:
        late = fault.until + LAG * INTERVAL + CHANGING
        return fault.trouble in troubles and fault.since < self.seconds <= (
            late if now else float("inf")
        )

    # -- blocked ---------------------------------------------------------------------------------

    def certainly(self, asn: int) -> bool:
        """Whether it must be known by now that this network blocks."""
        last = self.cycles[asn][-LAG:]
        fresh = bool(last) and self.seconds - last[-1].seconds < 2 * INTERVAL
        return fresh and len(last) == LAG and all(one.seen is Seen.BLOCKED for one in last)

    def possibly(self, asn: int) -> bool:
        """Whether it may still be said that this network blocks."""
        known = [one for one in self.cycles[asn] if one.seen is not Seen.UNDECIDED][-LAG:]
        recent = [one for one in known if self.seconds - one.seconds < STALE]
        return any(one.seen is not Seen.OPEN for one in recent)

    def ever(self, asn: int) -> bool:
        """Whether any cycle saw this network block, or may have."""
        return any(one.seen in (Seen.BLOCKED, Seen.EITHER) for one in self.cycles[asn])

    def surely(self, asn: int) -> bool:
        """Whether so many cycles on end saw it block that it must have been noticed."""
        run = 0
        for one in self.cycles[asn]:
            run = run + 1 if one.seen is Seen.BLOCKED else 0
            if run >= LAG:
                return True
        return False

    def is_blocked(self) -> str:
        """It is blocked, or may be, now."""
        if any(map(self.possibly, self.cycles)):
            return ""
        return "no network blocks it now, as far as was tested"

    def can_be_sure(self) -> str:
        """Somebody could tell it from a fault of the platform's own: a control was there."""
        return "" if self.world.controls else "without a control it may be down everywhere"

    def was_open(self, asn: int) -> str:
        """One network was found open at some time."""
        found = (Seen.OPEN, Seen.EITHER)
        if any(one.seen in found for one in self.cycles[asn]):
            return ""
        return f"AS{asn} was never found open"

    def was_blocked(self) -> str:
        """It was blocked at some time, or seemed so."""
        if any(map(self.ever, self.cycles)):
            return ""
        return "no network blocked it at any time"

    def no_longer_blocked(self) -> str:
        """It works again on every network."""
        still = [asn for asn in self.cycles if self.certainly(asn)]
        return f"still blocked on AS{still[0]}" if still else self.was_blocked()

    def network(self, asn: int, *, blocked: bool, now: bool) -> str:
        """One network blocks, or blocked, or does not."""
        if blocked and not (self.possibly(asn) if now else self.ever(asn)):
            return f"AS{asn} does not block it"
        if not blocked and (self.certainly(asn) if now else self.surely(asn)):
            return f"AS{asn} blocks it"
        return ""

    def networks(self, x: int, n: int, *, now: bool) -> str:
        """It is blocked, or was at any time of the event, on so many networks of those tested."""
        least = sum(self.certainly(asn) if now else self.surely(asn) for asn in self.cycles)
        most = sum(self.possibly(asn) if now else self.ever(asn) for asn in self.cycles)
        if now:
            # What blocked at any time of the event counts while none blocks now.
            most = max(most, sum(map(self.ever, self.cycles)))
        tested = sum(any(one.measured for one in found) for found in self.cycles.values())
        # A message is about the moment before it was gathered with others. A network that nobody
        # has watched for a while is no longer among those tested, and one that was undecided while
        # a block lasted that is over never was.
        recently = Span(self.seconds - GATHERED - 2 * INTERVAL, self.seconds - GATHERED)
        sure = sum(
            any(one.decided and one.seconds in recently for one in found)
            for found in self.cycles.values()
            if now
        )
        if least <= x <= most and sure <= n <= tested:
            return ""
        return f"blocked on {least} to {most} networks of {sure} to {tested}"

    # -- not blocked -----------------------------------------------------------------------------

    def none_known(self) -> str:
        """No block now, said without how much of the present is decided."""
        known = [asn for asn in self.cycles if self.certainly(asn)]
        if known:
            return f"blocked on AS{known[0]}"
        for asn in self.cycles:
            last = self.current(asn)
            if last is None or self.seconds - last.seconds > 2 * INTERVAL:
                return f"AS{asn} is not watched, which is left out"
            if last.seen is Seen.UNDECIDED:
                return f"AS{asn} is undecided, which is left out"
        return ""

    def none_detected(self, since: float, until: float) -> str:
        """No block in that time, said without how much of it was decided."""
        for asn, found in self.cycles.items():
            within = [one for one in found if since <= one.seconds < until]
            if sum(one.seen is Seen.BLOCKED for one in within) >= LAG:
                return f"AS{asn} blocked it"
            if not any(one.decided for one in within):
                return f"AS{asn} decided nothing, which is left out"
        return "" if self.cycles else "nobody watched"

    def verdicts(self, *, now: bool, platforms: Collection[str]) -> "Verdicts":
        """The verdicts of all networks on these platforms, or the current ones."""
        found = Verdicts()
        for asn, cycles in self.cycles.items():
            wanted = cycles
            if now:
                last = self.current(asn)
                wanted = [last] if last is not None else []
            for one in wanted:
                old = now and self.seconds - one.seconds > INTERVAL
                for platform in platforms:
                    seen = one.beside if platform == OPEN_PLATFORM else one.seen
                    found.add(asn, seen, sure=one.measured and not old)
        return found

    def unmeasured(self, since: float) -> int:
        """Cycles since then that were not made, at most."""
        every = (self.seconds - since) / INTERVAL * len(self.world.networks)
        return round(every) - sum(one.measured for c in self.cycles.values() for one in c)

    # -- when ------------------------------------------------------------------------------------

    def stretches(self, asn: int | None = None) -> list[Span]:
        """The stretches that can be told apart, of what any cycle saw: a gap that none saw is no
        gap, and nobody speaks of a block that none saw."""
        own = [one for one in self.world.networks if asn in (None, one.asn)]
        found: list[Span] = []
        for one in stretches_of(block for network in own for block in self._seen_blocks(network)):
            if one.since >= self.seconds:
                break
            gap = Span(found[-1].until, one.since) if found else None
            if gap is not None and not (gap.since in self._gaps or self._gap_seen(gap, own)):
                found[-1] = Span(found[-1].since, one.until)
            else:
                found.append(one)
        return found

    def otherwise_noticed(self) -> "Iterator[Truth]":
        """The same as other eyes may have seen it: without blocks that no two cycles near each
        other were sure of, with gaps that none was, or with a gap where one network was found open
        before another was found blocked, and nobody saw that it had been blocked meanwhile."""
        unsure = [
            (network.asn, block)
            for network in self.world.networks
            for block in self._seen_blocks(network)
            if not self._sure(network, block)
        ]
        ends = sorted({block.until for one in self.world.networks for block in one.blocks})
        begun_unseen = any(
            self._when_seen(network, block) != block
            for network in self.world.networks
            for block in self._seen_blocks(network)
        )
        late_or_not = (False, True) if begun_unseen else (False,)
        for left_out, gaps, late in product(_parts(unsure), _parts(ends), late_or_not):
            other = copy(self)
            other._unnoticed, other._gaps = frozenset(left_out), frozenset(gaps)
            other._begun_when_seen = late
            yield other

    def _seen_blocks(self, network: Network) -> list[Block]:
        found = [
            one
            for one in network.blocks
            if (network.asn, one) not in self._unnoticed
            and any(self._saw(network, one, Seen.BLOCKED, Seen.EITHER))
        ]
        return [self._when_seen(network, one) for one in found] if self._begun_when_seen else found

    def _when_seen(self, network: Network, block: Block) -> Block:
        """The block as it seemed to those who saw it after another one had ended."""
        seen = next((c.seconds for c in self._saw(network, block, Seen.BLOCKED)), block.since)
        ends = (other.until for one in self.world.networks for other in one.blocks)
        if any(end in Span(block.since, seen) for end in ends):
            return msgspec.structs.replace(block, since=seen)
        return block

    def parts_seen(self) -> set[Part]:
        """What of the platform was seen blocked, by cycles that are over."""
        return {
            block.part
            for network in self.world.networks
            for block in network.blocks
            for cycle in self._saw(network, block, Seen.BLOCKED)
            if cycle.seconds < self.seconds - CHANGING
        }

    def _saw(self, network: Network, block: Block, *seen: Seen) -> Iterator[Cycle]:
        """The cycles that saw it, or began so shortly before it that they may have."""
        maybe = Span(block.since - CHANGING, block.until)
        for cycle in self.cycles[network.asn]:
            if cycle.seen in seen and cycle.seconds in (
                block if cycle.seen is Seen.BLOCKED else maybe
            ):
                yield cycle

    def _sure(self, network: Network, block: Block) -> bool:
        """Whether a second cycle saw the block before the first was half forgotten."""
        times = [cycle.seconds for cycle in self._saw(network, block, Seen.BLOCKED)]
        return any(later - one <= REMEMBERED for one, later in pairwise(times))

    def _gap_seen(self, gap: Span, networks: Sequence[Network]) -> bool:
        """Whether cycles show that all networks were open at once: each that had blocked was found
        open within the gap, and after that each that blocks at its end or later."""
        opened = list[float]()
        seen = {one.asn: self._seen_blocks(one) for one in networks}
        for one in networks:
            if any(block.until <= gap.until for block in seen[one.asn]):
                found = [cycle.seconds for cycle in self._open(one) if cycle.seconds in gap]
                if not found:
                    return False
                opened.append(min(found))
        for one in networks:
            follow = [block.since for block in seen[one.asn] if block.since >= gap.until]
            if not follow:
                continue
            before = [c.seconds for c in self._open(one) if c.seconds < min(follow)]
            if not before and (self._joined or min(follow) > gap.until):
                continue
            if not before or max(before) < max(opened):
                return False
        return True

    def _open(self, network: Network) -> list[Cycle]:
        return [one for one in self.cycles[network.asn] if one.seen is Seen.OPEN]

    def _noticed(self, span: Span, asn: int | None) -> bool:
        seen = 0
        for number, found in self.cycles.items():
            if asn in (None, number):
                seen += sum(one.seconds in span and one.seen is Seen.BLOCKED for one in found)
        return seen > 1

    @whatever_was_noticed
    def since(self, when: When, asn: int | None = None, *, first: bool = False) -> str:
        """The present or last stretch began then; with `first`, the first one."""
        known = self.stretches(asn)
        if not known:
            return "it was never blocked"
        noticed = [one for one in known if self._noticed(one, asn)] or known
        either = [noticed[0], known[0]] if first else [noticed[-1], known[-1]]
        if any(when.holds(self.world.wall(one.since)) for one in either):
            return ""
        return f"it began at {self._text(either[0].since)}"

    @whatever_was_noticed
    def of_event(self, since: When, until: When | None) -> str:
        """An event's present or last stretch has these bounds; one that is over may be older than
        the last stretch, of which another event tells."""
        why = self.since(since)
        return why and (self.a_stretch(since, until) if until is not None else why)

    def first_seen(self, when: When, *, first: bool = False) -> str:
        """The present or last stretch was first seen then, or the first one: one moment stands for
        its onset. It is the moment of those who watched, where a network was not watched that may
        have been blocked all the time."""
        return self._first_seen(when, first=first) and self._watched()._first_seen(
            when, first=first
        )

    def _watched(self) -> "Truth":
        """The truth as it seemed: a network that was never found open blocks since its first
        decided cycle."""
        other = copy(self)
        networks = tuple(map(self._blocked_since_seen, self.world.networks))
        other.world = msgspec.structs.replace(self.world, networks=networks)
        other._joined = True
        return other

    def _blocked_since_seen(self, network: Network) -> Network:
        known = [one for one in self.cycles[network.asn] if one.seen is not Seen.UNDECIDED]
        if not known or known[0].seen is Seen.OPEN:
            return network
        since = known[0].seconds
        blocks = tuple(
            msgspec.structs.replace(block, since=max(since, block.since))
            for block in network.blocks
            if block.until > since
        )
        return msgspec.structs.replace(network, blocks=blocks)

    @whatever_was_noticed
    def _first_seen(self, when: When, *, first: bool = False) -> str:
        known = self.stretches()
        noticed = [one for one in known if self._noticed(one, None)]
        if not noticed:
            return "" if known else "it was never blocked"
        newest = known[-1].since
        if not first and when.earliest is not None and when.earliest >= self.world.wall(newest):
            onsets = {newest}  # known by one cycle alone
        else:
            onsets = {noticed[0].since, known[0].since} if first else {noticed[-1].since}
        whys = [self._seen_since(when, onset) for onset in sorted(onsets)]
        return "" if "" in whys else whys[-1]

    def _seen_since(self, when: When, onset: float) -> str:
        """What began at `onset` was first seen then."""
        later = [c for found in self.cycles.values() for c in found if c.seconds >= onset]
        maybe = (one.seconds for one in later if one.seen is Seen.EITHER)
        seen = (one.seconds for one in later if one.seen is Seen.BLOCKED)
        earliest = self.world.wall(onset)
        latest = self.world.wall(min(seen, default=max(maybe, default=onset)) + CHANGING)
        late = when.earliest is not None and when.earliest > latest
        early = when.latest is not None and when.latest <= earliest
        return f"it began at {self._text(onset)}" if late or early else ""

    @whatever_was_noticed
    def until(self, when: When, asn: int | None = None, *, any_stretch: bool = False) -> str:
        """The last stretch that is over ended then, or an earlier one where another event tells of
        what a second network began unseen."""
        known = self.stretches(asn)
        over = [one for one in known if one.until < self.seconds]
        if not over:
            return "it has not ended"
        wanted = over if any_stretch or self._begun_when_seen else over[-1:]
        if any(when.holds(self.world.wall(one.until)) for one in wanted):
            return ""
        return f"it ended at {self._text(over[-1].until)}"

    @whatever_was_noticed
    def a_stretch(self, since: When, until: When | None, asn: int | None = None) -> str:
        """There was a stretch between these bounds."""
        for one in self.stretches(asn):
            over = one.until < self.seconds
            ended = until is None or (over and until.holds(self.world.wall(one.until)))
            if until is not None and until.latest is None and until.earliest is not None:
                # Nobody saw when: it may even go on.
                now = min(one.until, self.seconds)
                ended = until.earliest <= self.world.wall(now)
            if since.holds(self.world.wall(one.since)) and ended:
                return ""
        told = ", ".join(
            f"{self._text(one.since)} to {self._text(one.until)}" for one in self.stretches(asn)
        )
        return f"the stretches are {told or 'none'}"

    def going_on(self) -> str:
        """It has not ended."""
        return "" if any(map(self.possibly, self.cycles)) else "it has ended"

    @whatever_was_noticed
    def came_back(self) -> str:
        """It was blocked more than once."""
        return "" if len(self.stretches()) > 1 else "it was blocked only once"

    @whatever_was_noticed
    def count(self, number: int) -> str:
        """How many stretches there were."""
        known = self.stretches()
        noticed = [one for one in known if self._noticed(one, None)]
        if len(noticed) <= number <= len(known):
            return ""
        return f"there were {len(noticed)} to {len(known)} stretches"

    @whatever_was_noticed
    def blocked_at(self, when: When) -> str:
        """Some network blocked it at that moment."""
        for one in self.stretches():
            begins, ends = self.world.wall(one.since), self.world.wall(min(one.until, self.seconds))
            late = when.earliest is not None and when.earliest > ends
            early = when.latest is not None and when.latest <= begins
            if not late and not early:
                return ""
        return "it was open then"

    @whatever_was_noticed
    def lasted(self, least: timedelta, most: timedelta | None, asn: int | None = None) -> str:
        """How long it was blocked by the program's clock, all stretches together."""
        wall = self.world.wall
        own = [one for one in self.world.networks if asn in (None, one.asn)]
        seen = stretches_of(block for network in own for block in self._seen_blocks(network))
        spans = [one for one in seen if one.since < self.seconds]
        times = (wall(min(one.until, self.seconds)) - wall(one.since) for one in spans)
        true = sum(times, timedelta())
        if least > true + SECOND or (most is not None and most < true - SECOND):
            return f"it was blocked for {true}"
        return ""

    def _text(self, seconds: float) -> str:
        if seconds == float("inf"):
            return "now"
        return f"{self.world.wall(seconds):%d %b %H:%M:%S}"


def _parts(whole: Sequence[Item]) -> Iterator[tuple[Item, ...]]:
    """Each part of it, the smallest first."""
    for number in range(len(whole) + 1):
        yield from combinations(whole, number)


@lru_cache(64)
def _cycles(world: World, network: Network, number: int) -> tuple[Cycle, ...]:
    return tuple(_each_cycle(world, network, number))


def _each_cycle(world: World, network: Network, number: int) -> Iterator[Cycle]:
    for turn in range(world.turns):
        start = turn * INTERVAL + number * STAGGER
        fault = network.fault_at(start)
        trouble = fault.trouble if fault else None
        if trouble is Trouble.UNWATCHED:
            continue
        if trouble is Trouble.SKIPPED:
            yield Cycle(start, Seen.UNDECIDED, Seen.UNDECIDED, measured=False, fault=trouble)
            continue
        seen, beside = _seen(world, network, start), _beside(network, start)
        yield Cycle(start, seen, beside, measured=True, fault=trouble)


def _seen(world: World, network: Network, start: float) -> Seen:
    faults = (network.fault_at(start), network.fault_at(start + CHANGING))
    if all(one is not None and one.trouble is not Trouble.LOSSY for one in faults):
        return Seen.UNDECIDED
    moments = [*network.moments]
    for one in world.control_faults:
        moments += [one.since, one.until]
    if any(start < at <= start + CHANGING for at in moments):
        return Seen.EITHER
    if not world.decided(network, start):
        block, fault = network.block_at(start), network.fault_at(start)
        able = fault is None or fault.trouble is Trouble.LOSSY
        # A false certificate accuses by itself, though weakly, and not on every line.
        alone = able and block is not None and block.method is Method.HIJACK
        return Seen.EITHER if alone else Seen.UNDECIDED
    return Seen.BLOCKED if network.block_at(start) else Seen.OPEN


def by_hand(world: World, network: Network, start: float) -> Cycle:
    """A cycle that a person begins, whatever keeps the program from it."""
    own = [one for one in network.faults if one.trouble not in (Trouble.UNWATCHED, Trouble.SKIPPED)]
    network = msgspec.structs.replace(network, faults=tuple(own))
    fault = network.fault_at(start)
    return Cycle(
        start,
        _seen(world, network, start),
        _beside(network, start),
        measured=True,
        fault=fault.trouble if fault else None,
    )


def state_of(network: Network, cycle: Cycle, platform: str) -> str:
    """The state of a platform by one cycle; empty where it is not sure."""
    match cycle.beside if platform == OPEN_PLATFORM else cycle.seen:
        case Seen.OPEN:
            return "ok"
        case Seen.UNDECIDED:
            return "insufficient"
        case Seen.BLOCKED:
            block = network.block_at(cycle.seconds)
            return STATE_OF[block.part] if block is not None else ""
    return ""


def _beside(network: Network, start: float) -> Seen:
    """A block changes nothing for the other platform, and an open one needs no control. A list of
    sites has it."""
    if any(
        start < at <= start + CHANGING for one in network.faults for at in (one.since, one.until)
    ):
        return Seen.EITHER
    fault = network.fault_at(start)
    reached = (Trouble.LOSSY, Trouble.ALLOWLIST)
    return Seen.OPEN if fault is None or fault.trouble in reached else Seen.UNDECIDED


def moment(text: str | None) -> datetime | None:
    """A time as JSON has it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def bounds(earliest: datetime | None, latest: datetime | None) -> When:
    """Bounds that are told exactly."""
    return When(earliest, latest + timedelta(microseconds=1) if latest else None)
