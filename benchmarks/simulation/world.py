"""One country under episodes: what each look comes to, cycle by cycle.

A cycle runs as in `monitor.measuring.cycle`: references, every endpoint, where something failed
the controls,
the endpoint again after a pause, controls again and follow-ups, then references once more.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import msgspec

from benchmarks.simulation.looks import (
    CONTROLS,
    LONGEST,
    WELL,
    CycleLooks,
    EndpointLooks,
    FollowUps,
    endpoints,
    enough,
    fast,
    once_more,
    references,
    verdict_on,
    worth_repeating,
)
from benchmarks.simulation.noise import Episode, Strikes
from monitor.analysis.verdict import PlatformVerdict

BUCKET = 300.0
CYCLE = 150.0
"""Seconds no cycle outlasts."""
SAME_SERVER = 0.97
"""Chance that a server that just failed fails again under another name: our assumption."""
ROUTE_SHOWN, ROUTE_MISTAKEN = 0.7, 0.02
"""Share of networks that drop addresses where a neighbour answers, or routers tell where packets
end; and of dead routes that look so: our assumptions."""
QUIET = 4.0
LEAKY = 0.2
"""Share of cycles in which some looks get past a filter."""
RETRIES, PAUSE, OVERLOAD_PAUSE = 2, 2.0, 3.0
FOLLOW_UPS_PER_FUNCTION = 2
_OTHER_SERVER = 100
"""Stands for the references in an episode that strikes some servers."""
_SEND_AGAIN = (0.0, 1.0, 3.0, 7.0)
"""Seconds at which a connection's first packet goes out."""
_BY_NAME = frozenset({"tls_reset", "tls_timeout", "tls_alert"})
"""Fates a censor brings on by the name in the ClientHello."""


class Seen(msgspec.Struct, frozen=True):
    """What one cycle came to."""

    verdict: PlatformVerdict
    """Of no place and time yet."""
    duration: float
    """Seconds until it was judged."""


class World:
    """Episodes, and looks into them. The same look at the same time always comes to the same."""

    def __init__(self, seed: int, episodes: Sequence[Episode], vantages: int) -> None:
        self.seed = seed
        self.vantages = vantages
        self._buckets: list[dict[int, list[Episode]]] = [defaultdict(list) for _ in range(vantages)]
        self._everywhere: dict[int, list[Episode]] = defaultdict(list)
        for one in episodes:
            shared = one.place < 0 or one.strikes is Strikes.CONTROL
            buckets = self._everywhere if shared else self._buckets[one.place]
            first = int(max(0.0, one.start - CYCLE) // BUCKET)
            for number in range(first, int(max(0.0, one.end) // BUCKET) + 1):
                buckets[number].append(one)
        # What only strikes controls matters only when something else fails.
        self._shared = {
            number
            for number, here in self._everywhere.items()
            if any(one.strikes is not Strikes.CONTROL for one in here)
        }

    def dirty(self, vantage: int) -> list[int]:
        """Numbers of the buckets in which a cycle of this vantage may see anything."""
        return sorted({*self._buckets[vantage], *self._shared})

    def answers(self, vantage: int, at: float) -> bool:
        """Whether a single test at this second succeeds, as one between two turns."""
        active = self._active(vantage, at)
        if not any(one.start <= at and one.strikes is not Strikes.CONTROL for one in active):
            return True
        rng = random.Random(hash((self.seed, vantage, round(at * 1000), 2)))
        return _Cycle(active, rng).answers(at)

    def _active(self, vantage: int, at: float) -> list[Episode]:
        """The episodes that a cycle which starts at this second may meet."""
        number = int(at // BUCKET)
        here = self._buckets[vantage].get(number, [])
        if not here and number not in self._shared:
            return []
        return [
            one
            for one in (*here, *self._everywhere.get(number, ()))
            if one.start < at + CYCLE and one.end > at
        ]

    def cycle(self, vantage: int, at: float) -> Seen:
        """The cycle of a vantage that starts at this second."""
        active = self._active(vantage, at)
        # A cycle in which nothing has failed yet is over in less than QUIET seconds.
        if not any(one.strikes is not Strikes.CONTROL and one.start < at + QUIET for one in active):
            return _CLEAN
        if any(
            one.strikes is Strikes.UPLINK and one.start <= at and one.end > at + CYCLE
            for one in active
        ):
            return _DARK
        # Hashes of numbers are the same in every process.
        rng = random.Random(hash((self.seed, vantage, round(at * 1000))))
        if rng.random() >= LEAKY:
            active = [
                msgspec.structs.replace(one, level=1.0) if one.strikes is Strikes.BLOCK else one
                for one in active
            ]
            censor = active[0].strikes in (Strikes.BLOCK, Strikes.SLOW)
            if len(active) == 1 and censor and active[0].start <= at and active[0].end > at + CYCLE:
                shown = active[0].luck < ROUTE_SHOWN
                return _standing(active[0].strikes, active[0].fate, active[0].hosts, shown)
        return _Cycle(active, rng).run(at)


@cache
def _standing(strikes: Strikes, fate: str, hosts: tuple[int, ...], shown: bool) -> Seen:
    """A cycle amid nothing but one block that lets nothing through; all of them are alike."""
    start = 0.0 if shown else (1.0 + ROUTE_SHOWN) / 2 / 997
    alone = Episode(strikes=strikes, start=start, end=2 * CYCLE, fate=fate, hosts=hosts)
    return _Cycle([alone], random.Random(1)).run(1.0)


class _Cycle:
    """One cycle in which something may happen."""

    def __init__(self, active: Sequence[Episode], rng: random.Random) -> None:
        self._active = active
        self._by_strikes: dict[Strikes, list[Episode]] = defaultdict(list)
        for one in active:
            self._by_strikes[one.strikes].append(one)
        self._rng = rng
        self._asked: dict[str, int] = defaultdict(int)

    def answers(self, at: float) -> bool:
        """Whether a single test of one of the core functions succeeds."""
        core = [number for number, (function, *_) in enumerate(endpoints()) if function.core]
        return self._fate(at, self._rng.choice(core)) in WELL

    def run(self, at: float) -> Seen:
        before = self._at_references(at)
        hopeless = not any(fate in WELL for fate in before)
        begin = at + max(map(_lasts, before))
        looked, ends = [], [begin]
        for number in range(len(endpoints())):
            one, end = self._at_endpoint(number, begin + self._rng.uniform(0.0, 2.0), hopeless)
            looked.append(one)
            ends.append(end)
        end = max(ends)
        after: tuple[str, ...] = ()
        if not hopeless and any(one.attempts[-1] not in WELL for one in looked):
            after = self._at_references(end)
            end += max(map(_lasts, after))
        throttled = self._any(Strikes.SLOW, at)
        last = [one.attempts[-1] in WELL for one in looked]
        if not throttled and all(last):
            # Whatever the references say, and at whichever attempt: what answers is ok.
            return Seen(_CLEAN.verdict, end - at)
        if hopeless and not any(last):
            return Seen(_DARK.verdict, end - at)
        before, after = _sorted(before, after)
        looks = CycleLooks(
            endpoints=tuple(looked),
            before=before,
            after=after,
            control_well=tuple(self._control_well(number, end) for number in range(len(CONTROLS))),
            skewed=self._any(Strikes.CLOCK, at),
            throttled=throttled,
        )
        return Seen(verdict_on(looks), end - at)

    # -- looks -----------------------------------------------------------------------------

    def _at_references(self, at: float) -> tuple[str, ...]:
        over_tls = [r for r in references() if r.endpoint.port != 80]
        return tuple(
            self._fate(
                at + self._rng.uniform(0.0, 0.5),
                None,
                cleartext=r.endpoint.port == 80,
                opened=r == over_tls[0],
            )
            for r in references()
        )

    def _at_endpoint(self, number: int, at: float, hopeless: bool) -> tuple[EndpointLooks, float]:
        fates = [self._fate(at, number)]
        at += _lasts(fates[0])
        if hopeless or not worth_repeating(fates[0]):
            return EndpointLooks(tuple(fates)), at
        controls = self._at_controls(at)
        if not any(fate in WELL for fate in controls):
            return EndpointLooks(tuple(fates), controls), at
        for number_of_retry in range(RETRIES + 1):
            pause = PAUSE
            if number_of_retry == RETRIES:
                if not any(map(once_more, fates)):
                    break
                pause *= OVERLOAD_PAUSE
            at += pause * self._rng.uniform(0.5, 1.5)
            fates.append(self._fate(at, number))
            at += _lasts(fates[-1])
            if enough(tuple(fates)):
                break
        if not worth_repeating(fates[-1]):
            return EndpointLooks(tuple(fates), controls), at
        controls = self._at_controls(at)
        at += max(map(_lasts, controls))
        return EndpointLooks(tuple(fates), controls, self._follow_up(number, fates[-1], at)), at

    def _at_controls(self, at: float) -> tuple[str, ...]:
        return tuple(
            self._platform_outage(at) or ("away" if self._any(Strikes.EDGE, at) else "ok")
            if self._control_well(number, at)
            else "dns_timeout"
            for number in range(len(CONTROLS))
        )

    def _follow_up(self, number: int, fate: str, at: float) -> FollowUps:
        function = endpoints()[number][0].name
        if self._asked[function] >= FOLLOW_UPS_PER_FUNCTION:
            return FollowUps()
        self._asked[function] += 1
        innocuous = again = elsewhere = resolver = honest = small = ""
        if fate.startswith("tls"):
            innocuous = self._fate(at, number, name=False)
            if innocuous in WELL or innocuous == "tls_alert":
                again = self._fate(at + _lasts(innocuous), number)
            elsewhere = self._fate(at, number, address=False)
        if fate in ("tls_timeout", "tls_lost_timeout"):
            small = self._fate(at, number, large=False)
        if fate in ("tcp_timeout", "tls_timeout") and self._any(Strikes.EDGE, at):
            honest = self._fate(at, number, resolver=False)
        if fate.startswith("dns") or fate == "tls_forged":
            resolver = "dns_timeout" if self._line(at, 3) == "dns_timeout" else "ok"
            honest = self._fate(at, number, resolver=False)
        return FollowUps(
            innocuous="" if innocuous in ("dns_timeout",) else innocuous,
            again="" if again.startswith("dns") else again,
            elsewhere="" if elsewhere in ("dns_timeout",) else elsewhere,
            resolver=resolver,
            honest="" if honest in ("dns_timeout",) else honest,
            small="" if small in ("dns_timeout",) else small,
            route=fate == "tcp_timeout" and self._route_shown(number, at),
        )

    def _route_shown(self, number: int, at: float) -> bool:
        """Whether a neighbour answers, or the way ends before it parts from others."""
        if self._line(at, 4) not in WELL or self._fate(at + 0.5, number) != "tcp_timeout":
            return False
        for one in self._now(at):
            if one.hosts and number not in one.hosts:
                continue
            if one.strikes is Strikes.HOSTS and one.fate in ("tcp_timeout", "tls_timeout"):
                return one.luck < ROUTE_MISTAKEN
            if one.strikes is Strikes.BLOCK and one.fate == "tcp_timeout":
                return one.luck < ROUTE_SHOWN
        return True

    # -- fates -----------------------------------------------------------------------------

    def _fate(
        self,
        at: float,
        number: int | None,
        *,
        cleartext: bool = False,
        name: bool = True,
        address: bool = True,
        resolver: bool = True,
        large: bool = True,
        opened: bool = True,
    ) -> str:
        """Of a look at an endpoint (None: at a reference), or at what a follow-up varies: without
        the name, at another address, without the resolver, in small segments. `opened`: where TLS
        is opened at the vantage's site, this one is too."""
        if not self._now(at):
            return "ok"
        if self._any(Strikes.UPLINK, at):
            return "dns_timeout"
        line = self._line(at, 4)
        if number is not None and address and line in WELL:
            line = self._line(at, 4, Strikes.PATH) if line == "ok" else line
        if line not in WELL:
            return line
        struck = ""
        if resolver and name and address:
            struck = self._names(at, number)
        if not struck and number is not None:
            struck = self._struck(at, number, name=name, address=address)
        if not struck and number is not None and resolver and address:
            struck = self._edge(at)
        if not struck and not cleartext and opened and self._any(Strikes.OPENED, at):
            struck = "tls_opened"
        if not struck and not cleartext:
            server = number if address and number is not None else _OTHER_SERVER
            struck = (self._large(at, server) if large else "") or (
                "tls_expired" if self._any(Strikes.CLOCK, at) else ""
            )
        return struck or line

    def _struck(self, at: float, number: int, *, name: bool, address: bool) -> str:
        for one in self._now(at):
            if one.hosts and number not in one.hosts:
                continue
            by_name = one.strikes is Strikes.BLOCK and one.fate in _BY_NAME
            by_address = one.strikes in (Strikes.HOSTS, Strikes.OUTAGE, Strikes.REGION) or (
                one.strikes is Strikes.BLOCK and one.fate.startswith("tcp")
            )
            if one.fate.startswith("dns"):
                by_name = by_address = False  # seen to among the names
            if one.strikes is Strikes.BLOCK and one.fate == "tls_forged":
                by_name = True
            # The server that just failed fails for every name: its fault is not drawn again.
            again = not name and one.strikes is Strikes.HOSTS and self._rng.random() < SAME_SERVER
            if ((by_name and name) or (by_address and address)) and (again or self._hits(one)):
                return one.fate
        return ""

    def _names(self, at: float, number: int | None) -> str:
        for one in self._now(at):
            dns = one.fate.startswith("dns")
            every = one.strikes is Strikes.NAMES
            platforms = number is not None and dns and (not one.hosts or number in one.hosts)
            struck = one.strikes in (
                Strikes.PLATFORM_NAMES,
                Strikes.BLOCK,
                Strikes.OUTAGE,
                Strikes.REGION,
            )
            if (every or (platforms and struck)) and self._hits(one):
                return one.fate
        return ""

    def _hits(self, one: Episode) -> bool:
        return one.level >= 1.0 or self._rng.random() < one.level

    def _edge(self, at: float) -> str:
        """What becomes of a look at the address that the vantage's resolver gives."""
        return next((one.fate for one in self._now(at, Strikes.EDGE)), "")

    def _line(self, at: float, tries: int, strikes: Strikes = Strikes.LINE) -> str:
        """What loss on the line, or on the path, makes of a look: each try is lost with chance
        1 − (1 − p)². Resolvers are on another path."""
        lost = 0.0
        until = 0.0
        for one in self._now(at, strikes):
            lost = 1.0 - (1.0 - lost) * (1.0 - one.level)
            until = max(until, one.end)
        if lost == 0.0:
            return "ok"
        chance = 1.0 - (1.0 - lost) ** 2
        again = connected_late = False
        layers = (("dns", 3), ("tcp", tries), ("tls", 4))
        for layer, most in layers[strikes is Strikes.PATH :]:
            for number in range(most):
                if at + _SEND_AGAIN[number] > until or self._rng.random() >= chance:
                    break
                again = True
                connected_late |= layer == "tcp"
            else:
                return (
                    "tls_lost_timeout" if layer == "tls" and connected_late else f"{layer}_timeout"
                )
        return "resent" if again else "ok"

    def _large(self, at: float, server: int) -> str:
        """The same servers throughout an episode: packets of one route get lost, or they do not."""
        for one in self._now(at, Strikes.LARGE):
            if one.luck * (server + 7) * 613 % 1.0 < one.level:
                return "tls_timeout"
        return ""

    def _platform_outage(self, at: float) -> str:
        for one in self._now(at, Strikes.OUTAGE):
            if self._hits(one):
                return one.fate
        return ""

    def _control_well(self, number: int, at: float) -> bool:
        return not any(one.place == number for one in self._now(at, Strikes.CONTROL))

    def _any(self, strikes: Strikes, at: float) -> bool:
        return bool(self._now(at, strikes))

    def _now(self, at: float, strikes: Strikes | None = None) -> Sequence[Episode]:
        """The episodes of this second, or those that strike so."""
        known = self._active if strikes is None else self._by_strikes.get(strikes)
        return [one for one in known if one.start <= at < one.end] if known else ()


def _sorted(
    before: tuple[str, ...], after: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """References of one scope and kind are alike: fewer patterns to judge."""
    rows = [
        (reference.scope.value, reference.endpoint.kind.value, *fates)
        for reference, *fates in zip(references(), before, after or before, strict=True)
    ]
    kinds = [row[:2] for row in rows]
    rows = [
        row for kind in dict.fromkeys(kinds) for row in sorted(r for r in rows if r[:2] == kind)
    ]
    return tuple(row[2] for row in rows), tuple(row[3] for row in rows) if after else ()


def _lasts(fate: str) -> float:
    return LONGEST if fate.endswith("timeout") else 0.5


_CLEAN = Seen(
    fast(
        verdict_on(
            CycleLooks(
                endpoints=(EndpointLooks(("ok",)),) * len(endpoints()),
                before=("ok",) * len(references()),
            )
        )
    ),
    5.0,
)
_DARK = Seen(
    verdict_on(
        CycleLooks(
            endpoints=(EndpointLooks(("dns_timeout",)),) * len(endpoints()),
            before=("dns_timeout",) * len(references()),
        )
    ),
    2 * LONGEST + 2.0,
)
CLEAN = _CLEAN
"""What a cycle comes to while nothing is wrong."""
