"""A crowd's rows: what a sample is worth, when a network is called blocked, and what is learned."""

import random
from datetime import UTC, datetime, timedelta
from math import comb, exp, log

import msgspec
import pytest

from monitor.replay.imported_row import Row
from monitor.replay.platform_of import WEB_TEST
from monitor.replay.sample_weight import (
    ANY_SHARE,
    Model,
    Rate,
    Sample,
    base_rate,
    likelihood,
    weigh,
)
from monitor.replay.stream_models import model_of
from monitor.replay.two_sided_test import (
    Call,
    Decision,
    Track,
    accuse_since,
    clear_since,
    gathered,
    observe,
)

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
A_YEAR = 8766.0
ALLOWED = 0.1
MODEL = Model(
    quiet=Rate(0.02, 0.3),
    prior_weight=50.0,
    blocked=Rate(0.85, 0.3),
    partly=Rate(0.85, 0.3),
    memory=0.05,
    accuse=log(A_YEAR / ALLOWED),
    clear=-log(0.01),
    forget=timedelta(days=4),
)


def _samples(*failed: float, total: int = 1, begin: int = 0, **more: object) -> list[Sample]:
    """One sample an hour."""
    return [
        msgspec.structs.replace(
            Sample(
                at=START + (begin + hour) * HOUR,
                until=START + (begin + hour) * HOUR,
                total=total,
                failed=each,
            ),
            **more,
        )
        for hour, each in enumerate(failed)
    ]


def _after(track: Track, sample: Sample, model: Model = MODEL) -> tuple[Track, tuple[Call, ...]]:
    weighed = weigh(track.history, sample, model) if sample.total else (0.0, 0.0)
    return observe(track, sample, model, weighed)


def _run(samples: list[Sample], model: Model = MODEL) -> tuple[Track, list[Call]]:
    track = Track()
    calls: list[Call] = []
    for sample in samples:
        track, new = _after(track, sample, model)
        calls += new
    return track, calls


def _blocked(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.blocked and call.llr]


@pytest.mark.parametrize("rate", [Rate(0.02, 0.3), Rate(0.85, 0.1), ANY_SHARE])
def test_chances_of_all_outcomes_add_up(rate: Rate) -> None:
    """Whatever fails out of nine, the chances of all counts together are one."""
    chances = [comb(9, failed) * exp(likelihood(failed, 9, rate)) for failed in range(10)]
    assert sum(chances) == pytest.approx(1)


def test_any_share_gives_every_count_the_same_chance() -> None:
    """With mean 0.5 and correlation 1/3, all counts out of nine are as likely."""
    chances = {round(comb(9, k) * exp(likelihood(k, 9, ANY_SHARE)), 12) for k in range(10)}
    assert chances == {0.1}


def test_rows_of_one_sitting_weigh_less_than_the_same_rows_apart() -> None:
    """Two failures of one person are more than one, and less than those of two."""
    (one,) = (_run(_samples(1.0))[0].up,)
    together = _run(_samples(2.0, total=2))[0].up
    apart = _run(_samples(1.0, 1.0))[0].up
    assert one < together < apart


def test_a_single_failure_accuses_nobody() -> None:
    """Nor do two in a row."""
    assert _run(_samples(0, 0, 0, 1, 0, 0, 1, 1, 0, 0))[1] != []
    assert _blocked(_run(_samples(0, 0, 0, 1, 0, 0, 1, 1, 0, 0))[1]) == []


def test_onset_lies_between_the_last_good_row_and_the_first_bad_one() -> None:
    """However late it is called."""
    track, calls = _run(_samples(*[0] * 10, *[1] * 5))
    bound, block = calls[-2:]
    assert (bound.blocked, bound.at) == (False, START + 9 * HOUR)
    assert (block.blocked, block.at) == (True, START + 10 * HOUR)
    assert block.called_at > block.at
    assert track.decision is Decision.BLOCKED


def test_end_lies_between_the_last_bad_row_and_the_first_good_one() -> None:
    """However late it is called."""
    _, calls = _run(_samples(*[0] * 10, *[1] * 8, *[0] * 4))
    bound, end = calls[-2:]
    assert (bound.blocked, bound.at) == (True, START + 17 * HOUR)
    assert (end.blocked, end.at) == (False, START + 18 * HOUR)


def test_a_failure_by_chance_after_the_end_does_not_move_it_back() -> None:
    """Two rows pass, one fails, and the others pass: the last that surely failed came before."""
    _, calls = _run(_samples(*[0] * 10, *[1] * 7, 0, 0, 1, 0, 0, 0))
    *_, last, end = calls
    assert (last.blocked, last.at) == (True, START + 16 * HOUR)
    assert (end.blocked, end.at) == (False, START + 20 * HOUR)


def test_what_failed_before_an_end_begins_no_other_block() -> None:
    """Called open since others were, it is not called blocked by what had gathered before."""
    track, _ = _run(_samples(*[0] * 10, *[1] * 6, 0))
    assert track.up > 0
    after, (*_, end) = clear_since(track, MODEL, odds=3.0, now=START + 17 * HOUR)
    assert (end.blocked, end.at) == (False, START + 16 * HOUR)
    assert (after.decision, after.up) == (Decision.OPEN, 0.0)
    nearby = _samples(1, begin=18, odds=log(180))
    assert _after(after, nearby[0])[1] == ()


def test_a_failure_by_chance_after_a_block_dates_no_other_one() -> None:
    """Counts of days: too few tests pass to tell that a block is over on this network, and one
    fails by chance. A week later the next one begins: what fails then names it, not the chance."""
    tests = {**dict.fromkeys(range(10), (2, 0)), 11: (3, 3), 12: (2, 2), 13: (1, 1), 14: (1, 0)}
    tests |= {16: (1, 1), 18: (1, 0), 20: (4, 1), 21: (2, 0), 22: (1, 0), 23: (1, 0)}
    tests |= {24: (1, 1), 25: (1, 1)}
    counted = model_of(
        Row(at=START, until=START, country="TZ", asn=1, platform="x", test=WEB_TEST, counts=True)
    )
    days = [
        Sample(
            at=START + day * DAY,
            until=START + (day + 1) * DAY,
            total=total,
            failed=failed,
            odds=log(180),
        )
        for day, (total, failed) in tests.items()
    ]
    track, calls = _run(days, counted)
    assert track.decision is Decision.BLOCKED
    assert calls[-1].called_at == START + 26 * DAY
    assert calls[-1].at >= START + 24 * DAY


def test_a_block_from_the_first_row_begins_with_it_and_has_no_ok_before() -> None:
    """Nothing is called ok first, so the onset is before monitoring."""
    _, calls = _run(_samples(*[1] * 6))
    assert all(call.blocked for call in calls)
    assert calls[0].at == START


def test_a_standing_block_is_never_learned_as_normal() -> None:
    """After a year of failing the base rate is what it was."""
    track, _ = _run(_samples(*[1] * 8766))
    assert track.decision is Decision.BLOCKED
    assert base_rate(track.history, MODEL) == base_rate(Track().history, MODEL)


def test_a_noisy_stream_is_learned_and_needs_more() -> None:
    """Where one row in ten fails without a block, a failure says less; up to the ceiling."""
    rng = random.Random(7)
    noisy = _samples(*[float(rng.random() < 0.1) for _ in range(2000)])
    track, _ = _run(noisy)
    learned = base_rate(track.history, MODEL)
    assert 0.07 < learned.mean <= MODEL.ceiling
    quiet, _ = _run(_samples(*[0] * 2000))
    fresh = _samples(1.0, begin=2000)[0]
    noisy_after, _ = _after(msgspec.structs.replace(track, up=0.0), fresh)
    quiet_after, _ = _after(quiet, fresh)
    assert noisy_after.up < quiet_after.up


def test_bad_times_are_not_learned() -> None:
    """What failed while other platforms failed as well is no habit: without that excuse the next
    failure says as much as if it had never been."""
    rng = random.Random(7)
    noisy = [float(rng.random() < 0.1) for _ in range(2000)]
    excused, _ = _run(_samples(*noisy, excuse=0.15))
    assert base_rate(excused.history, MODEL) == base_rate(Track().history, MODEL)
    hardly, _ = _run(_samples(*noisy, excuse=0.05))
    assert base_rate(hardly.history, MODEL).mean > 0.07


def test_an_excuse_stops_an_accusation_and_acquits_nobody() -> None:
    """Where everything else fails as much, nothing is called, neither blocked nor ok."""
    model = msgspec.structs.replace(MODEL, ceiling=0.5, blocked=ANY_SHARE, partly=ANY_SHARE)
    failing = [3.0, 5.0, 4.0, 3.0, 5.0, 4.0] * 3
    assert _blocked(_run(_samples(*failing, total=10), model)[1])
    assert _run(_samples(*failing, total=10, excuse=0.4), model)[1] == []


def test_failing_less_than_is_excused_accuses_nobody() -> None:
    """Where the others fail four times in ten, three in ten is no sign of a block, and neither is a
    share that the model of a block would fit better."""
    model = msgspec.structs.replace(MODEL, ceiling=0.5, blocked=ANY_SHARE, partly=ANY_SHARE)
    for share in (1.0, 2.0, 3.0, 4.0):
        rows = _samples(*[share] * 60, total=10, excuse=0.4)
        assert _blocked(_run(rows, model)[1]) == []


def test_what_fails_everywhere_says_nothing() -> None:
    """Neither for a block nor against one, and an earlier call stands."""
    rows = _samples(*[9.0] * 10, total=10)
    track, calls = _run(rows)
    assert _blocked(calls)
    assert _run([msgspec.structs.replace(sample, silent=True) for sample in rows])[1] == []
    after, more = _after(track, _samples(0.0, total=10, begin=10, silent=True)[0])
    assert (after, more) == (track, ())


def test_one_network_alone_accuses_late() -> None:
    """Twenty rows of half a day do not suffice while no other network blocks; of three days they
    do, and known block pages do at once."""
    assert _blocked(_run(_samples(*[0] * 10, *[1] * 20, lone=True))[1]) == []
    _, calls = _run(_samples(*[0] * 10, *[1] * 80, lone=True))
    assert _blocked(calls)[0].at == START + 10 * HOUR
    assert _blocked(calls)[0].called_at >= START + 82 * HOUR
    shown = [*_samples(*[0] * 10), *_samples(1, 1, begin=10, lone=True, confirmed=1)]
    assert _blocked(_run(shown)[1])


def test_an_unreliable_test_waits_for_another_platform_of_its_owner() -> None:
    """Alone it calls nothing for a year; with one it calls a block from its first failure on."""
    alone = _samples(*[1.0] * 8766, corroborated=False)
    assert _run(alone)[1] == []
    _, calls = _run([*alone[:50], *_samples(1.0, begin=50)])
    assert [call.at for call in calls] == [START]


def test_a_block_nearby_makes_the_next_one_easier_to_believe() -> None:
    """With the odds of a block elsewhere in the country, two failures are enough."""
    rows = _samples(*[0] * 10, 1, 1)
    assert _blocked(_run(rows)[1]) == []
    assert _blocked(_run([msgspec.structs.replace(row, odds=log(180)) for row in rows])[1])


def test_one_sitting_beside_a_block_of_others_is_a_moment_of_one_line() -> None:
    """Three rows that failed within minutes accuse nobody; those of another sitting do."""
    quiet = _samples(*[0] * 10)
    sitting = _samples(3.0, total=3, begin=10, odds=log(180))
    assert _blocked(_run([*quiet, *sitting])[1]) == []
    again = _samples(1.0, begin=14, odds=log(180))
    (call,) = _blocked(_run([*quiet, *sitting, *again])[1])
    assert call.at == START + 10 * HOUR


def test_what_was_gathered_counts_when_a_block_is_called_nearby() -> None:
    """A network that had begun to fail is called as of its own first failure, but of none before
    the block began; one that did not fail since is not called."""
    track, _ = _run(_samples(*[0] * 10, 1, 1, 0, 1))
    now = START + 14 * HOUR
    after, calls = accuse_since(track, START, now)
    assert (after.decision, calls[-1].at) == (Decision.BLOCKED, START + 10 * HOUR)
    assert (calls[0].blocked, calls[0].at) == (False, START + 9 * HOUR)
    assert calls[-1].called_at == now
    _, calls = accuse_since(track, START + 12 * HOUR, now)
    assert [(call.blocked, call.at) for call in calls] == [
        (False, START + 12 * HOUR),
        (True, START + 13 * HOUR),
    ]
    assert accuse_since(track, now, now) == (track, ())
    assert gathered(track, START) > gathered(track, START + 12 * HOUR) > 0


def test_a_block_that_goes_on_is_not_called_open_in_between() -> None:
    """A row that passes, and nothing but failures after it: called again, without a bound."""
    _, calls = _run(_samples(*[0] * 10, *[1] * 6, 0, *[1] * 12))
    first = next(number for number, call in enumerate(calls) if call.blocked)
    assert len(calls) > first + 1
    assert all(call.blocked for call in calls[first:])


def test_silence_forgets_what_was_gathered() -> None:
    """Two failures, weeks apart from two more, are no series."""
    rows = [*_samples(*[0] * 10, 1, 1), *_samples(1, 1, begin=24 * 14)]
    assert _blocked(_run(rows)[1]) == []
    assert _blocked(_run(_samples(*[0] * 10, 1, 1, 1, 1))[1])


def test_known_block_pages_weigh_more() -> None:
    """Two rows with one suffice where two failures do not."""
    rows = _samples(*[0] * 10, 1, 1)
    shown = [msgspec.structs.replace(row, confirmed=int(row.failed)) for row in rows]
    (call,) = _blocked(_run(shown)[1])
    assert call.confirmed


def test_a_few_block_pages_among_many_rows_are_no_block() -> None:
    """One in a hundred, day after day: those of a school, or of one small network."""
    rows = _samples(*[1.0] * 60, total=100, confirmed=1)
    assert _blocked(_run(rows)[1]) == []


def test_clean_streams_stay_within_the_budget() -> None:
    """100 stream-years of rows that fail one time in fifty, and in a burst of hours each month,
    are called blocked no more often than ten times, as the budget says (95 % Poisson: 15)."""
    rng = random.Random(20)
    false = 0
    for _ in range(100):
        rows = []
        burst = -1.0
        for hour in range(0, 8766, 6):
            if rng.random() < 6 / 720:
                burst = hour + rng.expovariate(1 / 3)
            chance = 0.7 if hour < burst else 0.02
            rows += _samples(float(rng.random() < chance), begin=hour)
        false += len(_blocked(_run(rows)[1]))
    assert false <= 15


def test_blocks_of_two_days_are_found() -> None:
    """With a row every three hours or so, 98 of 100, and within a day and a half."""
    rng = random.Random(21)
    found, delays = 0, []
    for _ in range(100):
        rows, hour = [], 0.0
        while hour < 24 * 14:
            hour += rng.expovariate(1 / 3)
            chance = 0.92 if 24 * 10 <= hour < 24 * 12 else 0.02
            at = START + timedelta(hours=hour)
            rows.append(Sample(at=at, until=at, total=1, failed=float(rng.random() < chance)))
        calls = _blocked(_run(rows)[1])
        begun = START + timedelta(days=10)
        called = [c.called_at - begun for c in calls if timedelta(0) <= c.called_at - begun]
        found += bool(called)
        delays += called[:1]
    assert found >= 98
    assert sorted(delays)[len(delays) // 2] < timedelta(hours=18)


COUNTS = msgspec.structs.replace(
    MODEL,
    quiet=Rate(0.02, 0.15),
    partly=ANY_SHARE,
    memory=0.2,
    rest=Rate(0.1, 0.2),
    forget=timedelta(days=21),
)
DAY = timedelta(days=1)


def _days(*failed: int, total: int = 25) -> list[Sample]:
    """Counts of days; what else fails is known."""
    return [
        Sample(
            at=START + day * DAY,
            until=START + (day + 1) * DAY,
            total=total,
            failed=float(each),
            usual=0.02,
        )
        for day, each in enumerate(failed)
    ]


def _ends(calls: list[Call]) -> list[Call]:
    return [call for call in calls if not call.blocked and call.decides]


@pytest.mark.parametrize("seen_open", [False, True])
def test_a_block_never_seen_open_goes_on_while_a_tenth_fails(seen_open: bool) -> None:
    """Sixty days of one to four failures in 25. After thirty open days the same ones end it at
    once: what is usual there was learned."""
    before = [0, 1, 2] * 10 if seen_open else []
    calls = _run(_days(*before, *[20] * 10, *[1, 2, 4] * 20), COUNTS)[1]
    begun = START + len(before) * DAY
    ends = [call.at for call in _ends(calls) if call.at > begun]
    assert ends[:1] == ([begun + 10 * DAY] if seen_open else [])


def test_the_end_of_a_block_never_seen_open_takes_about_ten_clean_days() -> None:
    """The people of these days may have lines that were never blocked."""
    (end,) = _ends(_run(_days(*[25] * 10, *[0] * 20), COUNTS)[1])[:1]
    assert START + 10 * DAY <= end.at < START + 13 * DAY
    assert START + 16 * DAY < end.called_at < START + 26 * DAY


def test_where_everything_fails_a_block_never_seen_open_ends_by_most_rows() -> None:
    """What is left of it could not be told from that."""
    samples = _days(*[20] * 10, *[1] * 30)
    hidden = [msgspec.structs.replace(one, usual=None) for one in samples]
    known, guessed = (_ends(_run(some, COUNTS)[1]) for some in (samples, hidden))
    assert guessed
    assert not known


def test_a_joined_block_ends_no_earlier_than_the_one_it_is_part_of() -> None:
    """Ten days pass while the other stands. When it is known to be over since the sixth, its
    samples since then count."""
    samples = _days(*[20] * 10, *[0] * 12)
    other_stands = [
        msgspec.structs.replace(one, joined=one.until) if day < 20 else one
        for day, one in enumerate(samples)
    ]
    model = msgspec.structs.replace(COUNTS, rest=None)
    assert _ends(_run(other_stands[:20], model)[1]) == []
    over = msgspec.structs.replace(samples[20], joined=START + 16 * DAY)
    (end,) = _ends(_run([*other_stands[:20], over], model)[1])
    assert end.at == START + 16 * DAY
