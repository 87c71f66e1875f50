"""What sentences claim about events that are no block: a list of sites, a shutdown, an outage."""

from collections.abc import Iterator, Mapping

from monitor.analysis.events.event import EventKind
from monitor.wording.events import (
    _CIRCUMSTANCES,
    _NO_NAMES,
    _PARTLY_CUT,
    _PARTLY_NO_NAMES,
    _PARTLY_OFFLINE,
    Certainty,
)
from tests.truth.phrases import Found, plain
from tests.truth.reading import Claim, Reading
from tests.truth.world import COUNTRY, Trouble

_LOST = (Trouble.OFFLINE, Trouble.PORTAL, Trouble.UNWATCHED)
"""Why nothing comes from a vantage, or nothing that could be judged."""
TROUBLES: Mapping[EventKind, tuple[Trouble, ...]] = {
    EventKind.ALLOWLIST: (Trouble.ALLOWLIST,),
    EventKind.SHUTDOWN: (Trouble.OFFLINE, Trouble.UNWATCHED),
    EventKind.VANTAGE_SILENT: (*_LOST, Trouble.SKIPPED),
    EventKind.INSTRUMENT: _LOST,
    EventKind.INTERNATIONAL_CUT: (),
    EventKind.OUTAGE: (),
    EventKind.CONTROL_DIFFERS: (),
}
"""What must be true of the world where an event of that kind is: of the last three no world has
any."""
SINCE = "since %(when)s"
"""What stands behind such an event on the first page."""
ON_SOME = "%(what)s on %(x)s of %(n)s networks"
"""The sentence about such an event once it is over, where some networks were spared."""
_PRESENT = (Certainty.IS, Certainty.MAY)


_PAST = ("Never confirmed: %(claim)s", "Withdrawn: %(claim)s")
"""What is told in the words of a present suspicion, and is none."""
_EVERYWHERE = (EventKind.SHUTDOWN, EventKind.INSTRUMENT)


def why_not(
    self: Reading, kind: EventKind, *, now: bool, vantage: str = "", partly: bool = False
) -> str:
    """Why such an event is false, or nothing; `partly`, where some networks are spared."""
    every = kind in _EVERYWHERE and not partly
    return self.truth.troubled(*TROUBLES[kind], vantage=vantage, now=now, every=every)


def _of(kind: EventKind, certainty: Certainty, *, partly: bool = False) -> Claim:
    def claim(self: Reading, found: Found, text: str) -> Iterator[str]:
        country = found.holes.get("country")
        if country not in (None, plain(str(self.phrases.words.country(COUNTRY)))):
            yield "nobody watches that country"
            return
        vantage = found.holes.get("vantage", "")
        now = certainty in _PRESENT and not self.has(text, _PAST)
        some = partly or self.has(text, (ON_SOME,))
        yield why_not(self, kind, now=now, vantage=vantage, partly=some)
        if "x" in found.holes:
            x, n = (self.phrases.number(found.holes[name]) for name in "xn")
            most, every = self.truth.count_troubled(*TROUBLES[kind]), len(self.truth.cycles)
            yield "" if x <= most and n <= every else f"it is {most} of {every} at most"
        for since in self.phrases.find(text, SINCE):
            if (when := self.phrases.when(since.holes["when"])) is not None:
                yield self.truth.trouble_began(when, TROUBLES[kind], vantage)

    return claim


CIRCUMSTANCES: Mapping[str, Claim] = {
    **{message: _of(kind, certainty) for (kind, certainty), message in _CIRCUMSTANCES.items()},
    **{
        message: _of(EventKind.SHUTDOWN, certainty, partly=True)
        for certainty, message in _PARTLY_OFFLINE.items()
    },
    **{message: _of(EventKind.OUTAGE, one) for one, message in _NO_NAMES.items()},
    **{message: _of(EventKind.OUTAGE, one) for one, message in _PARTLY_NO_NAMES.items()},
    **{message: _of(EventKind.INTERNATIONAL_CUT, one) for one, message in _PARTLY_CUT.items()},
}
"""Messages about such events, wherever they stand in a sentence. That no name resolves is true of
no world."""
