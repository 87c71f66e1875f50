"""How much one sample of imported rows tells: blocked against open, by two beta-binomial models.

The rate at which rows fail with nothing blocked is that of the stream's own history and of what is
known of the test. `monitor.replay.two_sided_test` adds the samples up.
"""

from datetime import datetime, timedelta
from math import exp, lgamma, log, log1p

import msgspec

_LEAST_RATE, _MOST_RATE = 0.002, 0.98
_LEAST_CORRELATION, _MOST_CORRELATION = 0.01, 0.6
_MOST_MEMORY = 0.7
_ROUGH = 0.3
"""Correlation of an excuse, which comes from other platforms and countries."""
_USUAL, _VOLUME, _MOST_MISSING = 10.0, 0.35, 12.0
"""Samples that tell how many rows pass in one; the standard deviation of the logarithm of that
number; and the nats that too few of them may be worth."""
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
    usual: float | None = None
    """Share (0–1) that fails without a block, in the same time: in other countries, or of other
    owners' platforms here. None where these fail so much that they hide what is left of a block,
    and where nobody needs it."""
    contrast: bool = False
    """Of counts of a country: those platforms mostly passed in this very interval."""
    corroborated: bool = True
    """False while a test that needs corroboration has none."""
    silent: bool = False
    """The platform, or its test, fails in most countries since the same time: nothing is shown."""
    odds: float = 0.0
    """Added log odds of a block, since it is blocked nearby."""
    since: datetime | None = None
    """UTC; when the block nearby began: only what was seen since then is part of it."""
    dated: bool = False
    """That onset has an earliest bound."""
    lone: bool = False
    """Of one network, while no other one of the country is known to block."""
    joined: datetime | None = None
    """UTC; of a test that needs corroboration: until when the block that it is part of is known to
    have stood."""
    measurement: str = ""
    methods: tuple[str, ...] = ()


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The assumptions about a kind of stream; docs/adr/0045-a-crowd-is-several.md
    gives the reasons."""

    quiet: Rate
    """While nothing is blocked."""
    prior_weight: float
    """Rows that `quiet` counts for against the stream's own history."""
    blocked: Rate
    """During a block, for accusing: a block worth reporting."""
    partly: Rate
    """For acquitting: even a small block."""
    rest: Rate | None = None
    """For acquitting where the open time before the block was never seen: a block that fails this
    share more than what fails anyway, since most rows may be of lines that were never blocked."""
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
    unreliable: bool = False
    """It fails so often without a block that what nothing corroborates is its usual rate."""


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


def weigh(history: History, sample: Sample, model: Model) -> tuple[float, float]:
    """Nats of the next sample: against the platform being open, and against its being blocked."""
    quiet = base_rate(history, model)
    alike = memory(history, model)
    worth = (1 - alike) / (1 + alike)
    innocent = _innocent(sample, quiet, model)
    missing = _missing(sample, history) if model.troubled and sample.contrast else 0.0
    against = evidence(sample, innocent, model.blocked, model, missing) * worth
    certain = msgspec.structs.replace(model, troubled=0.0) if model.troubled else model
    acquitting = evidence(sample, quiet, model.partly, certain) * worth
    if sample.confirmed and sample.confirmed >= model.ceiling * sample.total:
        against, acquitting = max(against, model.accuse / 2), max(acquitting, 0.0)
    return against, acquitting


def likelihood(failed: float, total: float, rate: Rate) -> float:
    """Natural log of the chance of exactly these failures, in the order they came."""
    if total == 1 and failed in (0.0, 1.0):  # most samples are one row
        return log(rate.mean if failed else 1 - rate.mean)
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


def evidence(
    sample: Sample, quiet: Rate, blocked: Rate, model: Model, missing: float = 0.0
) -> float:
    """Nats of one sample, `blocked` against the base rate `quiet`. `missing` is what `_missing`
    says against a broken device."""
    failed = min(max(sample.failed, 0.0), float(sample.total))
    innocent = likelihood(failed, sample.total, quiet)
    if model.troubled:
        trouble = likelihood(failed, sample.total, model.trouble) + log(model.troubled) - missing
        innocent = _log_sum(innocent + log1p(-model.troubled), trouble)
    found = likelihood(failed, sample.total, blocked) - innocent
    return min(max(found, -model.most), model.most + missing)


def _innocent(sample: Sample, quiet: Rate, model: Model) -> Rate:
    """The likeliest rate of failing with nothing blocked, from the base rate to the excuse."""
    excuse = min(sample.excuse, model.ceiling)
    if excuse <= quiet.mean:
        return quiet
    seen = sample.failed / sample.total
    mean = min(max(seen, quiet.mean), excuse)
    rough = (mean - quiet.mean) / (model.ceiling - quiet.mean) if mean > quiet.mean else 0.0
    return Rate(mean, max(quiet.correlation, rough * _ROUGH)) if rough else quiet


def _missing(sample: Sample, history: History) -> float:
    """Nats against a broken device, from the rows of others that should have passed: such a device
    adds rows that fail, and takes none away."""
    if history.samples < _USUAL:
        return 0.0
    usual = min((history.total - history.failed) / history.samples, float(sample.total))
    passed = sample.total - sample.failed + 0.5
    if passed >= usual:
        return 0.0
    variance = _VOLUME**2 + 1 / usual + 1 / passed
    return min(log(usual / passed) ** 2 / (2 * variance), _MOST_MISSING)


def _log_sum(one: float, other: float) -> float:
    """ln(e^one + e^other)."""
    high, low = max(one, other), min(one, other)
    return high + log1p(exp(low - high))


def learn(history: History, total: int, failed: float, model: Model) -> History:
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
