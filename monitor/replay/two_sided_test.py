"""A two-sided sequential test for imported measurements of one network.

A vantage of this monitor measures every few minutes, with a control. In imported data different
people measure at irregular times, and rows taken together are often one person's with one broken
device. So rows become *samples* (those of one sitting, or of one day). A sample of `failed` out of
`total` is weighed by its likelihood under two beta-binomial models: nothing is blocked and failures
come at the stream's base rate, or the platform is blocked. The beta-binomial's `correlation` says
how alike rows of one sample are: twenty rows of one sitting are worth little more than two.

Two sums are kept. *Up* collects evidence for a block (never below zero, so that its first sample
marks the onset), *down* evidence against one. When up reaches `accuse`, one verdict *blocked* is
called; when down reaches `clear`, one verdict *ok*; then both begin again. In between nothing is
called.

Some rules protect against false accusations, and keep a long block from becoming normal or over:

* **Own history.** Base rate, correlation within samples and between neighbouring samples are
  learned, with the test's known values as prior; but only while the stream is *ok*, and never above
  `ceiling`. Failures from the first row on are thus never learned.
* **Excuse.** Where other owners' platforms fail too, in the same place and time, failing that much
  or less proves nothing: the innocent rate is the likeliest one from the base rate to the excuse.
  An excuse may stop an accusation but never acquits: *ok* is judged against the base rate alone.
* **One network alone** may be one volunteer's broken line. It accuses only with twice the evidence,
  found on several days, or with known block pages (docs/adr/0045).
* **Broken devices.** A sample may contain one, for days. Counts of a whole country must fail by
  more than that to accuse, and by less to acquit.
* **Corroboration.** A test that fails without a cause accuses only where another platform of the
  same owner is blocked; until then its evidence waits. Nor does it end such a block before that of
  the other platform.
* **Other lines.** In counts of a country rows that pass may be of lines that were never blocked. A
  block whose open time before was never seen ends once failures are as rare as elsewhere.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from itertools import accumulate
from math import log

import msgspec

from monitor.replay.sample_weight import (
    History,
    Model,
    Rate,
    Sample,
    base_rate,
    evidence,
    learn,
    memory,
)

_PENDING = 400
"""Samples waiting to be learned; older ones of an undecided stretch are dropped."""
_UNCORROBORATED = 60
"""Samples of an unreliable test, days of counts or sittings, that a block of another platform may
still explain."""
_LONE, _LONE_SPAN = 2.0, timedelta(days=3)
"""What one network needs to accuse alone: this many times `accuse`, gathered over this long at
least. A volunteer's broken line fails for hours, or for a day or two."""
_LONE_AGAIN = timedelta(hours=12)
"""Time after which one network that was suspected beside others, or one day of counts that says
enough for both, may confirm that alone."""
_CONFIRMS = log(10.0)
"""Nats beyond `accuse` with which counts of a country confirm a call: of false suspicions, a tenth
would be confirmed."""
_DOUBT = 3.5
"""Nats by which an earlier end may explain the samples less well than the best one: those of about
one row, which may have failed by chance."""
_ESTIMATED = 1 / 3
"""What a nat is worth there if it depends on how much fails elsewhere."""
_SITTING = timedelta(hours=1)
"""Longer than the rows of one sitting take, and shorter than what counts are of."""
_CLEARLY = 1.0
"""Nats from which a sample dates the end of a block."""
_MOST_RECENT = 60
"""Samples kept to date a block by those of other networks."""
_BAD_TIMES = 0.5
"""Share of the ceiling that an excuse exceeds in times of which nothing is learned."""


class Decision(StrEnum):
    UNKNOWN = "unknown"
    OPEN = "open"
    BLOCKED = "blocked"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    blocked: bool
    sample: Sample
    """Where the stretch began, or what bounds one."""
    called_at: datetime
    """UTC; when it was known."""
    llr: float
    """Nats, blocked against not blocked."""
    confirmed: bool = False
    """Known block pages were among the rows."""
    decides: bool = True
    """False for what only dates a decision, or repeats one that stands."""
    stands: bool = False
    """It repeats one that stands, though its last sample for it is old."""
    methods: tuple[str, ...] = ()

    @property
    def at(self) -> datetime:
        """UTC; when the stretch began."""
        return self.sample.at


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a stream. Never changed in place."""

    decision: Decision = Decision.UNKNOWN
    up: float = 0.0
    down: float = 0.0
    up_from: Sample | None = None
    """The sample with which evidence for a block began."""
    down_from: Sample | None = None
    """The sample with which evidence against one began."""
    first_failed: Sample | None = None
    """The first for a block, before any against one, while the stream was never mostly ok."""
    last_good: Sample | None = None
    """The last against a block."""
    good_before: Sample | None = None
    """The last against a block before evidence for one began."""
    last_bad: Sample | None = None
    """The last for a block."""
    last: datetime | None = None
    """When the last sample ended."""
    confirmed: bool = False
    methods: tuple[str, ...] = ()
    accused: datetime | None = None
    """UTC; when it was last called blocked after it had not been."""
    begun: datetime | None = None
    """UTC; when the block it was last called for began."""
    calls: int = 0
    """How often it was called blocked since then."""
    unseen: bool = False
    """It is blocked, and was never found open before."""
    named: Sample | None = None
    """The sample that the last verdict names."""
    opened: datetime | None = None
    """UTC; when it was last called ok."""
    ended: datetime | None = None
    """UTC; when it was first found open after its last block."""
    recent: tuple[tuple[Sample, float], ...] = ()
    """The samples since evidence for a block began, each with what it added."""
    since_called: tuple[tuple[Sample, float], ...] = ()
    """The samples since it was last called or repeated to be blocked, each with what it added."""
    history: History = History()
    pending: tuple[tuple[int, float], ...] = ()


def observe(
    track: Track, sample: Sample, model: Model, weighed: tuple[float, float]
) -> tuple[Track, tuple[Call, ...]]:
    """The track after the next sample, and the calls; samples must come in the order they ended.
    `weighed` is what `weigh` says of it."""
    if sample.total < 1:
        return track, ()
    if track.last is not None and sample.at - track.last > model.forget:
        track = _begin_again(track)
    if sample.silent:
        return track, ()
    track = msgspec.structs.replace(track, last=sample.until)
    against, acquitting = weighed
    track = _gather(track, sample, model, against, acquitting)
    if sample.joined is not None and track.decision is Decision.BLOCKED:
        track = _acquitted_since(track, sample.joined)
    up = track.up if sample.since is None else gathered(track, sample.since)
    whole = sample.until > sample.at and not sample.lone and not sample.odds
    needed = _CONFIRMS if whole and track.calls == 1 else model.accuse - sample.odds
    # One sitting beside a block of others may be a moment of one line.
    sitting = sample.until - sample.at < _SITTING and not sample.confirmed
    alone = sitting and sample.odds > 0 and track.up_from == sample
    enough = up >= needed and sample.corroborated and not alone
    if against > 0 and enough and _believed(track, sample, model):
        after, calls = _accuse(track, sample)
        if whole and track.decision is not Decision.BLOCKED:
            return _with_rest(after, sample, calls, up - model.accuse)
        return after, calls
    if track.down >= model.clear:
        return _clear(track, sample, model)
    return track, ()


def _with_rest(
    track: Track, sample: Sample, calls: tuple[Call, ...], rest: float
) -> tuple[Track, tuple[Call, ...]]:
    """After a first call: what there was beyond it counts for the second, or is enough for both."""
    if rest < _CONFIRMS:
        begun = sample if rest > 0 else None
        return msgspec.structs.replace(track, up=max(0.0, rest), up_from=begun), calls
    # Two decisions at one moment would count as one.
    later = sample.until + min((sample.until - sample.at) / 2, _LONE_AGAIN)
    again = msgspec.structs.replace(calls[-1], sample=sample, called_at=later, llr=rest)
    return msgspec.structs.replace(track, calls=track.calls + 1), (*calls, again)


def _believed(track: Track, sample: Sample, model: Model) -> bool:
    """Whether a network is believed, alone as it may be."""
    if not sample.lone or track.confirmed:
        return True
    if track.decision is Decision.BLOCKED:
        return track.accused is None or sample.until - track.accused >= _LONE_AGAIN
    begun = track.up_from or sample
    return track.up >= _LONE * model.accuse and sample.until - begun.at >= _LONE_SPAN


def accuse_since(track: Track, since: datetime, now: datetime) -> tuple[Track, tuple[Call, ...]]:
    """The track called blocked because of other networks as well, from its first sample for a block
    at `since` or later; unchanged without one. `now` (UTC) is when that became known."""
    recent = [sample for sample, nats in track.recent if nats > 0 and sample.at >= since]
    if track.decision is Decision.BLOCKED or not recent:
        return track, ()
    last = recent[-1]
    return _accuse(track, msgspec.structs.replace(last, until=max(now, last.until), since=since))


def clear_since(
    track: Track, model: Model, odds: float, now: datetime
) -> tuple[Track, tuple[Call, ...]]:
    """The track called ok because others were as well, if what it showed since is enough with these
    log odds. `now` (UTC) is when that became known."""
    begun = track.down_from
    if track.decision is not Decision.BLOCKED or begun is None or track.down < model.clear - odds:
        return track, ()
    return _clear(track, msgspec.structs.replace(begun, until=max(now, begun.until)), model)


def never_open(track: Track) -> bool:
    """Whether nothing bounds the onset of a block on this network."""
    return track.decision is Decision.UNKNOWN and track.last_good is None


def gathered(track: Track, since: datetime) -> float:
    """Nats for a block from the samples at `since` or later."""
    up = 0.0
    for sample, nats in track.recent:
        up = max(0.0, up + nats) if sample.at >= since else 0.0
    return up


def _begin_again(track: Track) -> Track:
    """Drop the collected evidence after a silence."""
    return msgspec.structs.replace(
        track,
        up=0.0,
        down=0.0,
        up_from=None,
        down_from=None,
        confirmed=False,
        methods=(),
        recent=(),
    )


def unsure_end(track: Track, model: Model) -> bool:
    """Whether rows that pass may be those of lines that were never blocked."""
    return model.rest is not None and track.unseen


def _rest(track: Track, sample: Sample, model: Model, usual: float) -> float:
    """Nats of a sample for a block, large or left on some of the lines, against none."""
    quiet = base_rate(track.history, model)
    quiet = msgspec.structs.replace(quiet, mean=max(quiet.mean, min(usual, model.ceiling)))
    rest = model.rest or model.partly
    left = Rate(quiet.mean + (1 - quiet.mean) * rest.mean, rest.correlation)
    alike = memory(track.history, model)
    certain = msgspec.structs.replace(model, troubled=0.0)
    nats = max(evidence(sample, quiet, one, certain) for one in (left, model.partly))
    return nats * (1 - alike) / (1 + alike)


def _acquitted_since(track: Track, since: datetime) -> Track:
    """The track with the evidence against its block from the samples at `since` or later."""
    down, begin = 0.0, None
    for sample, nats in track.since_called:
        if sample.at >= since:
            down = max(0.0, down - nats)
            begin = (begin or sample) if down > 0 else None
    return msgspec.structs.replace(track, down=down, down_from=begin)


def _gather(track: Track, sample: Sample, model: Model, against: float, acquitting: float) -> Track:
    if sample.usual is not None and unsure_end(track, model):
        acquitting = _rest(track, sample, model, sample.usual)
    up, down = max(0.0, track.up + against), max(0.0, track.down - acquitting)
    if not sample.corroborated:
        # Evidence may wait, but must not exceed what will be asked for.
        up = min(up, model.accuse)
    bad = against > 0
    first = track.first_failed
    from_first_row = model.partly != model.blocked and track.last_good is None
    if first is None and bad and from_first_row and track.decision is Decision.UNKNOWN:
        first = sample
    elif down >= model.clear / 2:
        first = None  # What failed by chance began nothing.
    kept = _PENDING if track.unseen else _MOST_RECENT
    pending, history = _tolearn(track, sample, model), track.history
    waits = sample.corroborated or track.decision is Decision.BLOCKED
    if model.unreliable and not waits and len(pending) > _UNCORROBORATED:
        for total, failed in pending:
            history = learn(history, total, failed, model)
        pending = ()
    return msgspec.structs.replace(
        track,
        up=up,
        down=down,
        up_from=(track.up_from or sample) if up > 0 else None,
        good_before=track.good_before if track.up > 0 else track.last_good,
        down_from=(track.down_from or sample) if down > 0 else None,
        first_failed=first,
        last_bad=sample if bad else track.last_bad,
        last_good=sample if acquitting < 0 else track.last_good,
        confirmed=up > 0 and (track.confirmed or bool(sample.confirmed)),
        methods=tuple(dict.fromkeys((*track.methods, *sample.methods))) if up > 0 else (),
        recent=(*track.recent, (sample, against))[-_MOST_RECENT:] if up > 0 else (),
        since_called=(*track.since_called, (sample, acquitting))[-kept:]
        if track.decision is Decision.BLOCKED
        else (),
        pending=pending,
        history=history,
    )


def repeated(track: Track, sample: Sample) -> Track:
    """The track once a verdict repeats, as of this sample, that the network blocks. No
    block ended before it."""
    since = tuple(one for one in track.since_called if one[0].at > sample.at)
    return msgspec.structs.replace(track, since_called=since, named=sample)


def _tolearn(track: Track, sample: Sample, model: Model) -> tuple[tuple[int, float], ...]:
    """What waits to be learned: this sample too, unless other platforms failed so much that its own
    failures had an excuse. Such times are no habit: the excuse is there again when they are."""
    if sample.excuse > _BAD_TIMES * model.ceiling:
        return track.pending
    return (*track.pending, (sample.total, sample.failed))[-_PENDING:]


def _accuse(track: Track, sample: Sample) -> tuple[Track, tuple[Call, ...]]:
    begin = track.up_from or sample
    new = track.decision is not Decision.BLOCKED
    # It was found open while evidence gathered, or the block it is part of began later.
    begun = max((one for one in (track.opened, sample.since) if one is not None), default=begin.at)
    if begin.at < begun or begin.at == track.opened:
        later = (one for one, nats in track.recent if nats > 0 and one.at >= begun)
        begin = next((one for one in later if one.at != track.opened), sample)
    bound: Sample | None = None
    if sample.dated and never_open(track):
        # It cannot tell when the block began, which other networks do.
        begin = sample
    elif (
        track.decision is Decision.UNKNOWN
        and track.first_failed is not None
        and (sample.since is None or track.first_failed.at >= sample.since)
    ):
        begin = track.first_failed
    elif new:
        bound = _before(track, begin)
    else:
        # While it goes on, what passed in between ended nothing; what failed since, which is enough
        # to call it by itself, is no older.
        begin = max(last_bad(track) or begin, begin, key=lambda one: one.at)
    call = Call(
        blocked=True,
        sample=begin,
        called_at=sample.until,
        llr=track.up,
        confirmed=track.confirmed,
        methods=track.methods or begin.methods,
    )
    after = msgspec.structs.replace(
        _begin_again(track),
        decision=Decision.BLOCKED,
        accused=sample.until if new else track.accused,
        begun=begin.at if new else track.begun,
        since_called=() if new else repeated(track, begin).since_called,
        calls=1 if new else track.calls + 1,
        unseen=bound is None and track.decision is Decision.UNKNOWN if new else track.unseen,
        named=begin,
        pending=(),
    )
    return after, (*_bound(bound, begin, sample, blocked=False), call)


def _before(track: Track, begin: Sample) -> Sample | None:
    """The last sample against a block before the one with which it began."""
    earlier = [sample for sample, nats in track.recent if nats < 0 and sample.at < begin.at]
    return earlier[-1] if earlier else track.good_before


def _clear(track: Track, sample: Sample, model: Model) -> tuple[Track, tuple[Call, ...]]:
    begin, bound = sample, None
    history = track.history
    if track.decision is Decision.BLOCKED:
        begin, bound = _first_open(track, model) or sample, last_bad(track)
        # What failed before the end is no part of a block that comes back.
        since = tuple(one for one in track.recent if one[0].at >= begin.at)
        left = gathered(track, begin.at)
        first = next((one for one, nats in since if nats > 0), None) if left else None
        track = msgspec.structs.replace(track, up=left, up_from=first, recent=since, ended=begin.at)
    else:
        for total, failed in track.pending:
            history = learn(history, total, failed, model)
    # Evidence for a block continues; a short ok does not reset it twice.
    after = msgspec.structs.replace(
        track,
        decision=Decision.OPEN,
        opened=sample.at,
        calls=0,
        unseen=False,
        since_called=(),
        down=0.0,
        down_from=None,
        first_failed=None,
        pending=(),
        history=history,
    )
    call = Call(blocked=False, sample=begin, called_at=sample.until, llr=-track.down)
    return after, (*_bound(bound, begin, sample, blocked=True), call)


def _first_open(track: Track, model: Model) -> Sample | None:
    """The sample with which a block ended. While one is left on some of the lines, a day on which
    nothing fails comes by chance."""
    begin = track.down_from
    if begin is None or not unsure_end(track, model):
        return begin
    down = 0.0
    for sample, nats in track.since_called:
        if sample.at >= begin.at:
            down -= nats
            if down >= _CLEARLY:
                return sample
    return begin


def last_bad(track: Track) -> Sample | None:
    """The last sample for a block before the earliest end that what was seen since it was last
    called explains nearly as well as the best: one that failed by chance moves no end."""
    worth = [
        nats if sample.usual is None else nats * _ESTIMATED for sample, nats in track.since_called
    ]
    best = max(accumulate(worth, initial=0.0))
    before, last = 0.0, None
    for (sample, nats), counted in zip(track.since_called, worth, strict=True):
        if nats < _CLEARLY and before >= best - _DOUBT:
            break  # It may have ended here.
        before += counted
        last = sample if nats >= _CLEARLY else last
    return last


def _bound(bound: Sample | None, begin: Sample, now: Sample, *, blocked: bool) -> tuple[Call, ...]:
    """The last sample of the opposite kind, which bounds from below when a stretch began."""
    if bound is None or bound.at >= begin.at:
        return ()
    methods = bound.methods if blocked else ()
    return (
        Call(
            blocked=blocked,
            sample=bound,
            called_at=now.until,
            llr=0.0,
            decides=False,
            methods=methods,
        ),
    )
