"""What is stored, judged again, comes out as it was judged then; with other rules, beside it."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from monitor.analysis.verdict import State, Verdict
from monitor.rejudging.differences import Change
from monitor.rejudging.run import Rejudged, rejudge
from monitor.settings import Settings
from probes.measurement import Look
from probes.testing import VirtualClockLoop
from storage.memory import MemoryStore
from storage.store import Selection, Store
from tests.build import START
from tests.contract.listing import EVERYTHING, flat
from tests.lab.certificates import authority
from tests.unit.rejudge_world import recorded, settings

LOOP = VirtualClockLoop


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The installation of the story."""
    path = tmp_path_factory.mktemp("trust") / "anchor.pem"
    path.write_bytes(authority().cert_pem.bytes())
    return settings(str(path))


@pytest.fixture(scope="module")
def lived(configured: Settings) -> MemoryStore:
    """The story, recorded once; no test may store anything in it but recomputations."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(recorded(configured))


async def again(
    store: Store,
    configured: Settings,
    selection: Selection = EVERYTHING,
    *,
    keep: bool = False,
) -> tuple[Rejudged, list[Change]]:
    """Judge it again; what would be said differently."""
    said: list[Change] = []
    done = await rejudge(
        store, configured, selection, now=lambda: START, keep=keep, say=said.append
    )
    return done, said


async def test_the_story_has_everything_in_it(lived: MemoryStore) -> None:
    """Otherwise agreement would prove little: every state, controls shared and failing, follow-ups,
    a cycle without a way out, blocked and working HTTP/3, and speed."""
    verdicts = await flat(lived.verdicts(EVERYTHING))
    states = {verdict.state for verdict in verdicts}
    assert states == {State.OK, State.BLOCKED, State.DOWN, State.INSUFFICIENT, State.THROTTLED}
    found = {verdict.rule_id for verdict in verdicts}
    assert {"quic.blocked", "vantage.offline"} <= found
    assert {v.method for v in verdicts} >= {"tls", "dns", "tcp", "quic", "throttling"}
    looks = await flat(lived.measurements(EVERYTHING))
    kinds = Counter(look.look for look in looks)
    assert all(kinds[kind] for kind in Look if kind is not Look.ADHOC)
    own = {look.id: look.cycle for look in looks if look.look is Look.CONTROL}
    shared = [v for v in verdicts for one in v.controls if own.get(one, v.cycle) != v.cycle]
    assert shared
    assert await flat(lived.events(EVERYTHING))


async def test_judged_again_by_the_same_rules_nothing_changes(
    lived: MemoryStore, configured: Settings
) -> None:
    """Verdicts, platforms and events come out word for word, ids of controls included."""
    done, said = await again(lived, configured, keep=True)
    assert said == []
    old = await flat(lived.verdicts(EVERYTHING))
    new = await flat(lived.rejudged_verdicts(done.rejudging.id, EVERYTHING))
    assert _by_key(new) == _by_key(old)
    platforms = await flat(lived.platforms(EVERYTHING))
    assert await flat(lived.rejudged_platforms(done.rejudging.id, EVERYTHING)) == platforms
    counts = done.rejudging
    assert (counts.verdicts, counts.platforms) == (len(old), len(platforms))
    assert (counts.kept, counts.differing) == (0, 0)
    assert counts.events == len(await flat(lived.rejudged_events(counts.id, EVERYTHING))) > 0


def _by_key(verdicts: Sequence[Verdict]) -> dict[tuple[str, ...], Verdict]:
    return {(v.cycle, v.platform, v.role, v.endpoint): v for v in verdicts}
