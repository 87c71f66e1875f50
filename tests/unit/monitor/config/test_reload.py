"""Reading the configuration again: what is taken, what is refused, who may ask for it."""

import asyncio
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from monitor.analysis.events.detection import EventBook, watch_only
from monitor.analysis.events.event import Change
from monitor.analysis.events.shutdowns import take_in
from monitor.analysis.events.vantage_reports import Connectivity
from monitor.analysis.events.verdict_order import VerdictOrder, begin, insert
from monitor.analysis.verdict import VantageHealth, VantageState
from monitor.budget.budget import Allotment
from monitor.budget.ledger import Ledger
from monitor.config.load import load_config
from monitor.config.reload import Reloaded, Reloader, same_measuring, unchangeable
from monitor.config.settings import AgentSetup, CollectorSettings, ServerSettings, Settings
from monitor.keys.passwords import digest
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.access import Access
from storage.values.archive_place import ArchivePlace
from storage.values.steady_clock import utc_now
from tests.contract.cycles import health
from tests.prometheus import world
from tests.prometheus.world import FIELD, NOW, Clock
from tests.worlds.http_client import httpx

VANTAGE = '[[vantage]]\nid = "here"\ncountry = "PK"\n'
PTCL = FIELD[0]
TOKEN = "t0ken-" + "0123456789abcdef" * 4


class Installation:
    """A file, and what was made of it."""

    def __init__(self, folder: Path, text: str = VANTAGE) -> None:
        self.file = folder / "shutwatch.toml"
        self.file.write_text(text)
        self.applied: list[tuple[Settings, Settings]] = []
        self.refused = 0
        self.fails = False
        settings = load_config(self.file, {})
        self.reloader = Reloader(settings, lambda path: load_config(path, {}), self.apply, self.no)

    async def apply(self, old: Settings, new: Settings) -> None:
        """Note it, taking a moment."""
        if self.fails:
            raise RuntimeError("a bug")
        await asyncio.sleep(0.01)
        self.applied.append((old, new))

    def no(self) -> None:
        """Note that nothing was taken."""
        self.refused += 1


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """One vantage."""
    return Installation(tmp_path)


async def test_a_good_file_is_applied(here: Installation) -> None:
    """From the settings in use to those in the file, which then are in use."""
    here.file.write_text('interval = "1m"\n' + VANTAGE)
    assert await here.reloader.reload() == Reloaded(done=True)
    assert [(old.interval, new.interval) for old, new in here.applied] == [(300, 60)]
    assert here.reloader.settings.interval == 60
    await here.reloader.reload()
    assert [(old.interval, new.interval) for old, new in here.applied][1:] == [(60, 60)]
    assert here.refused == 0


async def test_a_bad_file_changes_nothing(here: Installation) -> None:
    """Every problem is given, with its line; the settings in use stay."""
    before = here.reloader.settings
    for bad in ("interval = 7\nvantages = 1\n" + VANTAGE, "interval", ""):
        here.file.write_text(bad)
        done = await here.reloader.reload()
        assert not done.done
    here.file.unlink()
    done = await here.reloader.reload()
    assert "shutwatch.toml" in done.problems[0]
    assert (here.reloader.settings, here.applied, here.refused) == (before, [], 4)


async def test_every_problem_is_told(here: Installation) -> None:
    """Not only the first one."""
    here.file.write_text("interval = 7\nvantages = 1\n" + VANTAGE)
    problems = "\n".join((await here.reloader.reload()).problems)
    assert "interval" in problems
    assert "vantages" in problems


async def test_what_cannot_change_is_refused_by_name(here: Installation) -> None:
    """With the rest of its file, and without repeating a URL that may hold a password."""
    here.file.write_text(
        'interval = "1m"\nlisten = "127.0.0.1:1"\ndatabase = "sqlite:///secret.db"\n' + VANTAGE
    )
    done = await here.reloader.reload()
    assert [problem.partition(":")[0] for problem in done.problems] == ["listen", "database"]
    assert "secret" not in "".join(done.problems)
    assert (here.applied, here.refused, here.reloader.settings.interval) == ([], 1, 300)


async def test_a_new_archive_needs_a_restart(here: Installation) -> None:
    """A shorter time counted at once while the store had no archive yet, so what should have moved
    there was deleted. Nothing of the file counts, whatever of the archive changes."""
    text = f'{VANTAGE}[retention]\nraw = "30d"\n[archive]\nfolder = "archive"\n'
    here.file.write_text(text)
    refused = Reloaded(done=False, problems=("archive: stays unchanged; a change needs a restart",))
    assert await here.reloader.reload() == refused
    assert (here.applied, here.refused) == ([], 1)
    assert here.reloader.settings.retention.raw == 90 * 86400
    started = Installation(here.file.parent, text)
    for changed in (
        text.replace('"archive"', '"elsewhere"'),
        f'{text}database_limit = "50GB"\n',
        VANTAGE,
    ):
        started.file.write_text(changed)
        assert await started.reloader.reload() == refused
    started.file.write_text(text.replace("30d", "20d"))
    assert (await started.reloader.reload()).done


NEEDS_A_RESTART = {
    "database": ("sqlite:///other.db", "database"),
    "listen_host": ("192.0.2.1", "listen"),
    "listen_port": (1, "listen"),
    "archive": (ArchivePlace(folder="archive"), "archive"),
    "collector": (CollectorSettings(orders_key="other.pem"), "collector.orders_key"),
    "agent": (AgentSetup(collectors=(), collector_key="", sealing_key=""), "agent"),
}
"""Settings that are read once, at the start: another value, and the name by which it is refused."""
USED_AT_ONCE = {
    *("interval", "jitter", "vantages", "catalog", "catalog_text", "catalog_proof", "chosen"),
    *("probe", "throttling", "events", "vantage_check", "fingerprints", "withheld", "sources"),
    *("retention", "timestamps", "log", "server", "notify", "public_url", "runbooks_url"),
    "signing_key",  # what runs signs no report
    "source",  # the file that is read again
}
"""Settings that whatever uses them asks for anew, or is given by a reload."""


def test_a_setting_that_is_read_once_is_never_taken_silently(here: Installation) -> None:
    """A new one must be put into one of both: as a rule, whoever opens something refuses."""
    assert USED_AT_ONCE.isdisjoint(NEEDS_A_RESTART)
    assert {*USED_AT_ONCE, *NEEDS_A_RESTART} == set(Settings.__struct_fields__)
    old = here.reloader.settings
    for name, (value, told) in NEEDS_A_RESTART.items():
        (problem,) = unchangeable(old, msgspec.structs.replace(old, **{name: value}))
        assert problem.partition(":")[0] == told
        assert "needs a restart" in problem
    for name in USED_AT_ONCE:
        assert unchangeable(old, msgspec.structs.replace(old, **{name: object()})) == ()
    collector = set(CollectorSettings.__struct_fields__) - {"paused"}
    for name in collector:
        other = msgspec.structs.replace(old.collector, **{name: object()})
        (problem,) = unchangeable(old, msgspec.structs.replace(old, collector=other))
        assert problem.startswith(f"collector.{name}: ")
    paused = msgspec.structs.replace(old.collector, paused=("khi-ptcl",))
    assert unchangeable(old, msgspec.structs.replace(old, collector=paused)) == ()


async def test_without_a_file_there_is_nothing_to_read(tmp_path: Path) -> None:
    """Whoever started with the built-in settings is told so."""
    made = Installation(tmp_path)
    plain = msgspec.structs.replace(made.reloader.settings, source="")
    reloader = Reloader(plain, lambda path: load_config(path, {}), made.apply, made.no)
    done = await reloader.reload()
    assert "no file was named" in done.problems[0]


async def test_a_bug_while_applying_is_no_success(here: Installation) -> None:
    """It is counted as refused, and the next attempt starts from the settings in use."""
    here.fails = True
    assert not (await here.reloader.reload()).done
    assert here.refused == 1
    here.fails = False
    assert (await here.reloader.reload()).done


async def test_signals_in_a_row_are_answered_together(here: Installation) -> None:
    """However many come at once, the file is read once more after the last of them, not for each;
    two changes never overlap."""
    running = asyncio.create_task(here.reloader.run())
    for _ in range(5):
        here.reloader.ask()
    await asyncio.gather(here.reloader.reload(), here.reloader.reload())
    async with asyncio.timeout(60):
        while len(here.applied) < 3:  # noqa: ASYNC110 # a list tells nobody
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    running.cancel()
    assert len(here.applied) == 3  # one for the signals, two asked for by themselves
    assert all(one[1] is following[0] for one, following in pairwise(here.applied))


def test_what_does_not_touch_the_looks_keeps_the_runner(here: Installation) -> None:
    """Log, server, links and detection change without looking anew; anything else does not."""
    old = here.reloader.settings
    new = msgspec.structs.replace(
        old,
        public_url="https://watch.example.org",
        runbooks_url="https://watch.example.org/runbooks",
        server=ServerSettings(reload=True),
        events=msgspec.structs.replace(old.events, fast_lane=60.0),
    )
    assert same_measuring(old, new)
    assert unchangeable(old, new) == ()
    assert not same_measuring(old, msgspec.structs.replace(old, interval=60.0))
    assert not same_measuring(old, msgspec.structs.replace(old, fingerprints=()))


# -- what goes on --------------------------------------------------------------------------------


def test_what_is_shown_goes_on_for_what_stays() -> None:
    """Counters and states of a vantage stay; a platform that is gone is not shown; a vantage that
    has changed begins anew, one that is gone leaves nothing."""
    clock = Clock()
    publisher = world.publisher(now=clock)
    publisher.publish(world.cycle(PTCL, accusations={"x": world.TLS_RESET}), [world.event()])
    before = {view.point.id: view for view in publisher.snapshot.vantages}
    kept = before[PTCL.id]
    assert kept.platforms
    others = [view.point for view in publisher.snapshot.vantages if view.point.id != PTCL.id]
    changed = msgspec.structs.replace(others[0], network="another")
    clock.advance(10)
    publisher.config_refused()
    assert publisher.snapshot.config_refused
    publisher.use(
        [changed, PTCL],
        world.catalog(["x", "tiktok"]),
        tuple(publisher.snapshot.events.values()),
        interval=60.0,
        daily_bytes=5_000_000,
        public_url="",
        runbooks_url="",
    )
    shown = publisher.snapshot
    assert [view.point for view in shown.vantages] == [changed, PTCL]
    fresh, same = shown.vantages
    assert (fresh.platforms, fresh.last_report_at, set(fresh.probes.values())) == ((), None, {0})
    assert same.last_report_at == kept.last_report_at
    assert same.probes == {name: kept.probes[name] for name in ("x", "tiktok", "reference")}
    assert {verdict.platform for verdict in same.platforms} == {"x", "tiktok"}
    assert (shown.interval, shown.daily_bytes, shown.config_refused) == (60.0, 5_000_000, False)
    assert shown.config_used_at == clock.at
    assert {platform for _, platform in shown.events} <= {"x", "tiktok"}


def _taken_in(state: Connectivity, item: VantageHealth) -> tuple[Connectivity, tuple[Change, ...]]:
    return take_in(state, item, 60.0)


def test_a_vantage_taken_out_has_not_fallen_silent() -> None:
    """Of the timeline of vantages only those that are watched remain, before and after the hour
    that may still be gone through again; the rest of the book is the same."""
    timeline: VerdictOrder[Connectivity, VantageHealth] = begin(Connectivity())
    for minute in range(90):
        for name in ("here", "there"):
            one = health(60.0 * minute, vantage=name, state=VantageState.OK)
            timeline = insert(timeline, (one.at, name), one, _taken_in).order
    book = EventBook(vantages=timeline, logged={"event-1": 3})
    after = watch_only(book, {"here"})
    assert set(book.vantages.current.reports) == {"here", "there"}
    assert set(after.vantages.settled.reports) == {"here"}
    assert set(after.vantages.current.reports) == {"here"}
    assert {one.item.vantage for one in after.vantages.recent} == {"here"}
    assert (after.logged, after.vantages.until) == (book.logged, book.vantages.until)


def test_bytes_spent_stay_spent(here: Installation) -> None:
    """Another limit applies to what was spent already."""
    settings = here.reloader.settings
    ledger = Ledger(settings, now=utc_now)
    assert ledger.buy("here", Allotment.ROUTINE, 800_000)
    less = msgspec.structs.replace(settings.probe, daily_bytes=1_000_000)
    ledger.use(msgspec.structs.replace(settings, probe=less))
    assert ledger.spent("here").looks == 800_000
    assert not ledger.lasts("here", 300_000)


# -- over HTTP -----------------------------------------------------------------------------------


async def _post(server: ServerSettings, done: Reloaded | None, **headers: str) -> httpx.Response:
    """One request to a server with these settings."""
    publisher = Publisher([PTCL], world.catalog(["x"]), lambda: NOW)

    async def reload() -> Reloaded:
        assert done is not None, "nobody may come this far"
        return done

    app = create_app(
        publisher, create_registry(publisher), access=Access(server, own_hosts=True), reload=reload
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:10100") as asking:
        return await asking.post("/-/reload", headers=headers)


async def test_over_http_only_where_it_is_allowed() -> None:
    """Off unless configured; then it tells how it went, and never what is in the file."""
    off = await _post(ServerSettings(), None)
    assert (off.status_code, "reload = true" in off.text) == (403, True)
    on = ServerSettings(reload=True)
    good = await _post(on, Reloaded(done=True))
    assert (good.status_code, good.text) == (200, "reloaded\n")
    bad = await _post(on, Reloaded(done=False, problems=("secret", "more")))
    assert (bad.status_code, "2 problems" in bad.text, "secret" in bad.text) == (422, True, False)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"host": "elsewhere.example"},
    ],
)
async def test_no_page_elsewhere_can_have_it_done(headers: dict[str, str]) -> None:
    """A reader's browser is no way in for others."""
    answer = await _post(ServerSettings(reload=True), None, **headers)
    assert answer.status_code in (403, 421)


async def test_the_public_cannot_have_it_done() -> None:
    """Where anybody may read, only whoever shows a token may."""
    server = ServerSettings(public=True, reload=True, tokens=(digest(TOKEN),))
    assert (await _post(server, None)).status_code == 401
    told = await _post(server, Reloaded(done=True), authorization=f"Bearer {TOKEN}")
    assert told.status_code == 200


async def test_asking_for_it_with_get_changes_nothing() -> None:
    """A link is no way to do it, and a server that can reload nothing has no such address."""
    publisher = Publisher([PTCL], world.catalog(["x"]), lambda: NOW)

    async def reload() -> Reloaded:
        raise AssertionError("nobody may come this far")

    for known, status in ((reload, 405), (None, 404)):
        access = Access(ServerSettings(reload=True))
        app = create_app(publisher, create_registry(publisher), access=access, reload=known)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
            assert (await asking.get("/-/reload")).status_code == status
