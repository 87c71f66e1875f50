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

Four rules protect against false accusations, and keep a long block from becoming normal:

* **Own history.** Base rate, correlation within samples and between neighbouring samples are
  learned, with the test's known values as prior; but only while the stream is *ok*, and never above
  `ceiling`. Failures from the first row on are thus never learned.
* **Excuse.** Where other owners' platforms fail too, in the same place and time, failing that much
  proves nothing. An excuse may stop an accusation but never acquits: *ok* is judged against the
  base rate alone.
* **Broken devices.** A sample may contain one, for days. Counts of a whole country must fail by
  more than that to accuse, and by less to acquit.
* **Corroboration.** A test that fails without a cause accuses only where another platform of the
  same owner is blocked; until then its evidence waits.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from math import exp, lgamma, log, log1p

import msgspec

_LEAST_RATE, _MOST_RATE = 0.002, 0.98
_LEAST_CORRELATION, _MOST_CORRELATION = 0.01, 0.6
_MOST_MEMORY = 0.7
_ROUGH = 0.3
"""Correlation of an excuse, which comes from other platforms and countries."""
_PENDING = 400
"""Samples waiting to be learned; older ones of an undecided stretch are dropped."""
_MEMORY_SAMPLES = 400.0
"""Samples after which a stream's history begins to fade."""


class Rate(msgspec.Struct, frozen=True):
    """How often rows fail: a beta distribution by its mean and by how alike rows of one sample are.

    Both are between 0 and 1. A correlation of 1/3 around 0.5 is the uniform distribution.
    """

    mean: float
    correlation: float


ANY_SHARE = Rate(0.5, 1 / 3)
"""A block of an unknown share of the measured endpoints: every rate is equally likely."""
LARGE_SHARE = Rate(2 / 3, 1 / 4)
"""The same, larger shares being likelier."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one stream that belong together: one sitting, or one day's counts."""

    at: datetime
    """UTC; when the first of them was measured."""
    until: datetime
    """UTC; when the last was, or the end of the counted day."""
    total: int
    failed: float
    """Rows that failed, each between 0 and 1."""
    confirmed: int = 0
    """Of these, rows with a known block page."""
    excuse: float = 0.0
    """Share (0–1) of failures of other owners' platforms in the same place and time."""
    corroborated: bool = True
    """False while a test that needs corroboration has none."""
    elsewhere: float = 0.0
    """Share (0–1) of the platform's failures in other countries, if any: what fails everywhere is
    down, or its test is."""
    odds: float = 0.0
    """Added log odds of a block, since it is blocked nearby."""
    measurement: str = ""
    methods: tuple[str, ...] = ()


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The assumptions about a kind of stream; docs/replay.md gives the reasons."""

    quiet: Rate
    """While nothing is blocked."""
    prior_weight: float
    """Rows that `quiet` counts for against the stream's own history."""
    blocked: Rate
    """During a block, for accusing: a block worth reporting."""
    partly: Rate
    """For acquitting: even a small block."""
    trouble: Rate = Rate(0.02, 0.3)
    """How rows fail in a sample with a broken device."""
    troubled: float = 0.0
    """Share of samples with one; high, since such a device stays for days."""
    memory: float
    """Correlation of neighbouring samples, before any was seen."""
    accuse: float
    """Nats of evidence for one verdict *blocked*: ln(samples a year / false verdicts a year)."""
    clear: float
    """Nats of evidence for one verdict *ok*."""
    ceiling: float = 0.2
    """Base rate above which failing is not normal, whatever history or excuse says."""
    most: float = 8.0
    """Nats that one sample may add: its rows may all be one person's."""
    forget: timedelta
    """A silence after which collected evidence no longer counts."""


class Decision(StrEnum):
    UNKNOWN = "unknown"
    OPEN = "open"
    BLOCKED = "blocked"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    blocked: bool
    at: datetime
    """UTC; when the stretch began."""
    called_at: datetime
    """UTC; when it was known."""
    llr: float
    """Nats, blocked against not blocked."""
    confirmed: bool
    """Known block pages were among the rows."""
    sample: Sample
    methods: tuple[str, ...]


class History(msgspec.Struct, frozen=True):
    """Sums over the samples that a stream learned from."""

    total: float = 0.0
    failed: float = 0.0
    samples: float = 0.0
    pairs: float = 0.0
    """Sum of total - 1."""
    spread: float = 0.0
    """Sum of squared deviations, in binomial variances."""
    squares: float = 0.0
    products: float = 0.0
    """Of neighbouring deviations; `squares` of single ones; both in their own variances."""
    last: float = 0.0
    """The last deviation."""


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a stream. Never changed in place."""

    decision: Decision = Decision.UNKNOWN
    up: float = 0.0
    down: float = 0.0
    up_from: Sample | None = None
    """The sample with which evidence for a block began."""
    down_from: Sample | None = None
    first_failed: Sample | None = None
    """The first for a block, while the stream was never called ok."""
    last_good: Sample | None = None
    """The last against a block."""
    last_bad: Sample | None = None
    """The last for a block."""
    called: datetime | None = None
    """Where the last call began."""
    last: datetime | None = None
    """When the last sample ended."""
    confirmed: bool = False
    methods: tuple[str, ...] = ()
    history: History = History()
    pending: tuple[tuple[int, float], ...] = ()


def likelihood(failed: float, total: float, rate: Rate) -> float:
    """Natural log of the chance of exactly these failures, in the order they came."""
    strength = 1 / rate.correlation - 1
    a, b = rate.mean * strength, (1 - rate.mean) * strength
    return (
        lgamma(failed + a)
        - lgamma(a)
        + lgamma(total - failed + b)
        - lgamma(b)
        - lgamma(total + a + b)
        + lgamma(a + b)
    )


def base_rate(history: History, model: Model) -> Rate:
    """How often this stream fails with nothing blocked: its own history combined with the prior."""
    quiet, weight = model.quiet, model.prior_weight
    mean = (history.failed + weight * quiet.mean) / (history.total + weight)
    pairs = history.pairs + weight
    correlation = (history.spread - history.samples + weight * quiet.correlation) / pairs
    return Rate(
        min(max(mean, _LEAST_RATE), max(model.ceiling, quiet.mean)),
        min(max(correlation, _LEAST_CORRELATION), _MOST_CORRELATION),
    )


def memory(history: History, model: Model) -> float:
    """Correlation of neighbouring samples while nothing is blocked."""
    weight = min(model.prior_weight, 20.0)
    alike = (history.products + weight * model.memory) / (history.squares + weight)
    return min(max(alike, 0.0), _MOST_MEMORY)


def evidence(sample: Sample, quiet: Rate, blocked: Rate, model: Model) -> float:
    """Nats of one sample, `blocked` against the base rate `quiet`."""
    failed = min(max(sample.failed, 0.0), float(sample.total))
    innocent = likelihood(failed, sample.total, quiet)
    if model.troubled:
        trouble = likelihood(failed, sample.total, model.trouble) + log(model.troubled)
        innocent = _log_sum(innocent + log1p(-model.troubled), trouble)
    found = likelihood(failed, sample.total, blocked) - innocent
    return min(max(found, -model.most), model.most)


def _log_sum(one: float, other: float) -> float:
    """ln(e^one + e^other)."""
    high, low = max(one, other), min(one, other)
    return high + log1p(exp(low - high))


def observe(track: Track, sample: Sample, model: Model) -> tuple[Track, tuple[Call, ...]]:
    """The track after the next sample, and the calls; samples must come in the order they ended."""
    if sample.total < 1:
        return track, ()
    if track.last is not None and sample.at - track.last > model.forget:
        track = _begin_again(track)
    track = msgspec.structs.replace(track, last=sample.until)
    quiet = base_rate(track.history, model)
    alike = memory(track.history, model)
    worth = (1 - alike) / (1 + alike)
    innocent = max(min(sample.excuse, model.ceiling), min(sample.elsewhere, _MOST_RATE))
    excused = quiet
    if innocent > quiet.mean:
        excused = Rate(innocent, max(quiet.correlation, _ROUGH))
    against = evidence(sample, excused, model.blocked, model) * worth
    certain = msgspec.structs.replace(model, troubled=0.0)
    acquitting = evidence(sample, quiet, model.partly, certain) * worth
    if sample.confirmed:
        against, acquitting = max(against, model.accuse / 2), max(acquitting, 0.0)
    track = _gather(track, sample, model, against, acquitting)
    if track.up >= model.accuse - sample.odds and sample.corroborated:
        return _accuse(track, sample)
    if track.down >= model.clear:
        return _clear(track, sample, model, acquitting)
    return track, ()


def reconsider(
    track: Track, model: Model, odds: float, now: datetime
) -> tuple[Track, tuple[Call, ...]]:
    """The evidence collected so far, judged again after a block was called nearby.

    `odds` as in `Sample`; `now` (UTC) is when the block became known.
    """
    bad = track.last_bad
    if (
        track.decision is Decision.BLOCKED
        or bad is None
        or track.last is None
        or now - track.last > model.forget
        or track.up < model.accuse - odds
    ):
        return track, ()
    return _accuse(track, msgspec.structs.replace(bad, until=max(now, bad.until)))


def _begin_again(track: Track) -> Track:
    """Drop the collected evidence after a silence."""
    return msgspec.structs.replace(
        track, up=0.0, down=0.0, up_from=None, down_from=None, confirmed=False, methods=()
    )


def _gather(track: Track, sample: Sample, model: Model, against: float, acquitting: float) -> Track:
    up, down = max(0.0, track.up + against), max(0.0, track.down - acquitting)
    if not sample.corroborated:
        # Evidence may wait, but must not exceed what will be asked for.
        up = min(up, model.accuse)
    bad = against > 0
    first = track.first_failed
    from_first_row = model.partly != model.blocked
    if first is None and bad and from_first_row and track.decision is Decision.UNKNOWN:
        first = sample
    return msgspec.structs.replace(
        track,
        up=up,
        down=down,
        up_from=(track.up_from or sample) if up > 0 else None,
        down_from=(track.down_from or sample) if down > 0 else None,
        first_failed=first,
        last_bad=sample if bad else track.last_bad,
        last_good=sample if acquitting < 0 else track.last_good,
        confirmed=up > 0 and (track.confirmed or bool(sample.confirmed)),
        methods=tuple(dict.fromkeys((*track.methods, *sample.methods))) if up > 0 else (),
        pending=(*track.pending, (sample.total, sample.failed))[-_PENDING:],
    )


def _accuse(track: Track, sample: Sample) -> tuple[Track, tuple[Call, ...]]:
    begin, bound = track.up_from or sample, track.last_good
    if track.decision is not Decision.OPEN and track.first_failed is not None:
        bound = None
        if track.decision is Decision.UNKNOWN:
            begin = track.first_failed
    calls = _calls(track, bound, begin, sample, blocked=True, llr=track.up)
    after = msgspec.structs.replace(
        _begin_again(track), decision=Decision.BLOCKED, called=calls[-1].at, pending=()
    )
    return after, calls


def _clear(
    track: Track, sample: Sample, model: Model, acquitting: float
) -> tuple[Track, tuple[Call, ...]]:
    begin, bound = sample if acquitting < 0 else track.last_good or sample, None
    if track.decision is Decision.BLOCKED:
        begin, bound = track.down_from or sample, track.last_bad
    calls = _calls(track, bound, begin, sample, blocked=False, llr=-track.down)
    history = track.history
    if track.decision is not Decision.BLOCKED:
        for total, failed in track.pending:
            history = _learn(history, total, failed, model)
    # Evidence for a block continues; a short ok does not reset it twice.
    after = msgspec.structs.replace(
        track,
        decision=Decision.OPEN,
        called=calls[-1].at,
        down=0.0,
        down_from=None,
        first_failed=None,
        pending=(),
        history=history,
    )
    return after, calls


def _calls(
    track: Track, bound: Sample | None, begin: Sample, now: Sample, *, blocked: bool, llr: float
) -> tuple[Call, ...]:
    """The call of a stretch that began with `begin`, which `bound`, the last sample of the opposite
    kind, bounds from below."""
    calls: tuple[Call, ...] = ()
    called = track.called
    if bound is not None and bound.at < begin.at and (called is None or bound.at > called):
        calls = (_call(track, bound, now, blocked=not blocked, llr=0.0),)
        called = bound.at
    if called is not None and begin.at <= called:
        begin = now
    return (*calls, _call(track, begin, now, blocked=blocked, llr=llr))


def _call(track: Track, begin: Sample, now: Sample, *, blocked: bool, llr: float) -> Call:
    return Call(
        blocked=blocked,
        at=begin.at,
        called_at=now.until,
        llr=llr,
        confirmed=blocked and track.confirmed,
        sample=begin,
        methods=(track.methods or begin.methods) if blocked else (),
    )


def _learn(history: History, total: int, failed: float, model: Model) -> History:
    rate = base_rate(history, model)
    variance = total * rate.mean * (1 - rate.mean)
    deviation = failed - total * rate.mean
    own = deviation / (variance * (1 + (total - 1) * rate.correlation)) ** 0.5
    # One extreme sample must not make its stream deaf.
    own = min(max(own, -3.0), 3.0)
    keep = min(1.0, _MEMORY_SAMPLES / max(history.samples, 1.0))
    return History(
        total=history.total * keep + total,
        failed=history.failed * keep + failed,
        samples=history.samples * keep + 1,
        pairs=history.pairs * keep + total - 1,
        spread=history.spread * keep + min(deviation**2 / variance, float(total)),
        squares=history.squares * keep + own**2,
        products=history.products * keep + own * history.last,
        last=own,
    )
