"""RIPE Atlas asked for a second opinion, against a server that holds to its shapes and limits."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import trustme

from monitor.analysis.events.event import Event, EventState
from monitor.config.load import default_settings
from monitor.config.settings import SourceSettings
from monitor.following.atlas_results import Roots
from monitor.following.follow_atlas import AtlasFollower
from monitor.following.source_jobs import SourceJob
from monitor.following.suspects import NothingToAskError
from monitor.sources.atlas_client import AtlasClient
from monitor.sources.scripted_atlas import PRICE, Home, ScriptedAtlas
from monitor.sources.scripted_ooni import Reply
from monitor.sources.terms import SourceKind
from monitor.sources.witnesses import second_witnesses
from monitor.wording.languages import ENGLISH
from monitor.wording.sources import witness_lines
from monitor.wording.words import words_in
from probes.catalog.catalog import Authority
from probes.failure_strings import Failure
from probes.sockets.http_client import httpx
from storage.open_store import sql_store
from storage.store import CollectorStore
from storage.values.sourced import SourcedRow, SourceState
from tests.prometheus import world
from tests.worlds.odd_certificate import CUT, DATE, DUPLICATE, VERSION, odd_certificate

NOW = datetime.now(UTC).replace(microsecond=0)
"""Certificates of the tests are valid now."""
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
KEY = "made-up-key"
CANARIES = ("198.51.100.77", "203.0.113.99", "10.99.88.77", "4242424242", "canary")
"""The host's public address, resolver, address inside and the number of the probe."""
HOMES = [
    Home(
        number=4242424242,
        country="PK",
        asn=17557,
        address=CANARIES[0],
        resolver=CANARIES[1],
        inside=CANARIES[2],
    ),
    Home(number=2, country="PK", asn=9541, slow=6 * MINUTE, clock=-1),
    Home(number=3, country="PK", asn=45669),
    Home(number=4, country="PK", asn=16276, tags=("system-ipv4-works", "datacentre")),
    Home(number=5, country="PK", asn=7590, firmware=4500),
    Home(number=6, country="DE", asn=3320),
    Home(number=7, country="NL", asn=1136),
]
AUTHORITY = trustme.CA()
_KNOWN: dict[str, list[str]] = {}


def chain(host: str) -> list[str]:
    """The certificates of a host."""
    if host not in _KNOWN:
        made = AUTHORITY.issue_cert(host)
        _KNOWN[host] = [one.bytes().decode() for one in made.cert_chain_pems]
    return _KNOWN[host]


class Watch:
    """A monitor that asks RIPE Atlas, on a clock of its own."""

    def __init__(self, store: CollectorStore, roots: Path) -> None:
        self.clock = NOW - 8 * HOUR
        self.store = store
        self.atlas = ScriptedAtlas(lambda: self.clock, key=KEY, chain=chain)
        self.atlas.probes += HOMES
        self.source = SourceSettings(
            kind=SourceKind.ATLAS,
            countries=("PK",),
            beside=("DE", "NL"),
            budget=5000,
            every=60.0,
            probes=5,
            token=KEY,
        )
        settings = default_settings()
        probe = msgspec.structs.replace(settings.probe, trust_anchors=(str(roots),))
        self.settings = msgspec.structs.replace(settings, probe=probe)
        self.job: SourceJob | None = None

    async def restart(self) -> None:
        """Another process goes on."""
        if self.job is not None:
            await self.job.close()
        self.job = SourceJob(
            self.source,
            self.settings,
            self.store,
            now=lambda: self.clock,
            transport=httpx.MockTransport(self._answered),
        )
        await self.job.begin()

    def _answered(self, request: httpx.Request) -> httpx.Response:
        """As the server answers by then: tests change it."""
        return self.atlas.handle(request)

    async def minutes(self, number: int, step: int = 5) -> None:
        """Poll every few minutes."""
        if self.job is None:
            await self.restart()
        assert self.job is not None
        for _ in range(0, number, step):
            await self.job.round()
            self.clock += step * MINUTE

    async def suspect(
        self, platform: str = "x", functions: tuple[str, ...] = ("api", "web")
    ) -> Event:
        """Our own vantages suspect a block of it now."""
        found = world.event(platform=platform, state=EventState.SUSPECTED, at=self.clock)
        made = msgspec.structs.replace(
            found,
            functions=functions,
            detected_at=self.clock,
            onset_latest=self.clock - MINUTE,
        )
        await self.store.save(
            world.cycle(world.FIELD[0], (), at=self.clock, measurements=()), [made]
        )
        return made

    async def rows(self) -> list[SourcedRow]:
        """All that is stored, by time."""
        since = NOW - timedelta(days=9)
        return [one async for page in self.store.sourced_rows("atlas", since) for one in page]

    async def state(self) -> SourceState:
        """What is known of RIPE Atlas."""
        return (await self.store.source_states())["atlas"]

    async def said(self, event: Event) -> str:
        """What the event's page says of it."""
        found = await second_witnesses(self.store, event, self.clock)
        return "".join(witness_lines(words_in(ENGLISH), one, event)[0] for one in found)

    def treat(self, how: str, country: str = "PK", host: str = "x.com") -> None:
        """What the country does to a host."""
        self.atlas.treats[country, host] = how

    @property
    def tests(self) -> int:
        """Measurements that were begun."""
        return len(self.atlas.created)


@pytest.fixture
async def watch(tmp_path: Path) -> AsyncIterator[Watch]:
    """One that begins."""
    roots = tmp_path / "roots.pem"
    AUTHORITY.cert_pem.write_to_path(str(roots))
    store = sql_store(f"sqlite:///{tmp_path / 'shutwatch.db'}")
    await store.open()
    made = Watch(store, roots)
    yield made
    if made.job is not None:
        await made.job.close()
    await store.close()


async def test_nobody_tests_anything_until_a_block_is_suspected(watch: Watch) -> None:
    """Only the balance is read, which costs nothing."""
    await watch.minutes(120)
    assert (watch.tests, await watch.rows()) == (0, [])
    assert (await watch.state()).remaining == 100_000
    assert len(watch.atlas.asked) == 4


async def test_probes_that_reach_it_cost_no_control(watch: Watch) -> None:
    """They differ, which acquits nobody; twice and no more."""
    event = await watch.suspect()
    await watch.minutes(180)
    rows = await watch.rows()
    assert [(one.failed, one.judged) for one in rows] == [(0.0, "ok")] * 6
    assert watch.tests == 8
    assert await watch.said(event) == "RIPE Atlas differs: 0 of 4 tests failed, 2 networks"


@pytest.mark.parametrize(
    ("platform", "function", "host", "part"),
    [
        ("x", "pictures", "pbs.twimg.com", "pictures"),
        ("x", "app", "api.x.com", ""),
        ("whatsapp", "web", "web.whatsapp.com", "web"),
    ],
)
async def test_probes_are_judged_by_the_page_that_they_tested(
    watch: Watch, platform: str, function: str, host: str, part: str
) -> None:
    """Not by that of a core function, beside which each honest certificate of the pictures' host is
    a forged one; nor are they forgotten where a core function has no page."""
    event = await watch.suspect(platform, (function,))
    await watch.minutes(5)
    await watch.restart()
    await watch.minutes(180)
    targets = {one.definition.get("target") for one in watch.atlas.created.values()}
    assert host in targets
    rows = await watch.rows()
    assert [(one.failed, one.judged, one.part) for one in rows] == [(0.0, "ok", part)] * 6
    assert await watch.said(event) == "RIPE Atlas differs: 0 of 4 tests failed, 2 networks"


@pytest.mark.parametrize(
    ("how", "method", "grade"),
    [
        ("bogon", "dns.bogon", "strong"),
        ("timeout", "", "weak"),
        ("silent", "", "weak"),
        ("refused", "", "weak"),
        ("alert", "", "weak"),
        ("blocked page", "", "weak"),
        ("forged", "tls.certificate", "strong"),
    ],
)
async def test_each_way_of_blocking_is_graded_as_far_as_probes_tell(
    watch: Watch, how: str, method: str, grade: str
) -> None:
    """Strong only where a probe shows the forgery whole, on two networks, in two rounds."""
    watch.treat(how)
    event = await watch.suspect()
    await watch.minutes(240)
    rows = await watch.rows()
    assert {(one.failed, one.left_out) for one in rows} == {(1.0, "")}
    assert len(rows) == 6
    if method:
        assert {one.methods for one in rows} == {(method,)}
    said = f"RIPE Atlas agrees (evidence: {grade}): 6 of 6 tests failed, 3 networks"
    assert await watch.said(event) == said
    assert not [name for name in (await watch.state()).cursors if name.startswith("asked")]


@pytest.mark.parametrize(
    ("country", "host", "why"),
    [
        ("PK", "every reference", "references"),
        ("DE NL", "x.com", "down"),
        ("DE NL", "everything", "control"),
    ],
)
async def test_what_fails_elsewhere_too_accuses_nobody(
    watch: Watch, country: str, host: str, why: str
) -> None:
    """A line that reaches nothing, a platform that is down, and controls that cannot tell."""
    watch.treat("timeout")
    follower = watch.job
    assert follower is None
    await watch.restart()
    references = [one.host for one in watch.job._follower._references]  # type: ignore[union-attr]
    hosts = {"every reference": references, "x.com": ["x.com"]}.get(host, ["x.com", *references])
    for one in country.split():
        for name in hosts:
            watch.treat("timeout", one, name)
    event = await watch.suspect()
    await watch.minutes(240)
    rows = await watch.rows()
    assert rows
    assert {one.left_out for one in rows} == {why}
    assert "agrees" not in await watch.said(event)


def _files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("shutwatch.db*"))


async def _asked_now(
    watch: Watch, meanwhile: Callable[[], Awaitable[None]] | None = None
) -> list[SourcedRow]:
    """A person asks about X; `meanwhile` happens whenever they look and wait."""

    async def sleep(seconds: float) -> None:
        watch.clock += timedelta(seconds=seconds)
        if meanwhile is not None:
            await meanwhile()

    transport = httpx.MockTransport(watch.atlas.handle)
    client = AtlasClient("https://atlas.test", transport, key=KEY)
    follower = AtlasFollower(
        watch.source, watch.settings, watch.store, client, now=lambda: watch.clock
    )
    await follower.restore()
    try:
        return await follower.ask_now("PK", "x", sleep)
    finally:
        await follower.close()


async def test_a_person_may_ask_when_nothing_is_suspected(watch: Watch) -> None:
    """Probes that answer late are waited for, and those of other countries are asked then."""
    watch.treat("timeout")
    begun = watch.clock
    rows = await _asked_now(watch)
    assert sorted(one.asn for one in rows) == [9541, 17557, 45669]
    assert {one.failed for one in rows} == {1.0}
    assert {one.uid for one in rows} == {one.uid for one in await watch.rows()}
    assert timedelta(minutes=10) <= watch.clock - begun <= timedelta(minutes=20)
    assert watch.tests == 8


async def test_a_round_that_a_person_asked_for_counts(watch: Watch) -> None:
    """Asked by a command beside the monitor: it is one of the day's two."""
    watch.treat("timeout")
    await watch.minutes(1)
    await _asked_now(watch)
    await watch.suspect()
    await watch.minutes(120)
    assert watch.tests == 2 * 8


async def test_what_is_tested_already_is_not_asked_for_again(watch: Watch) -> None:
    """A running monitor reads what it began; a round that nobody read for long is read instead of
    another."""
    await watch.suspect()
    await watch.minutes(5)
    begun = watch.tests
    with pytest.raises(NothingToAskError, match="already"):
        await _asked_now(watch)
    watch.clock += 30 * MINUTE
    assert len(await _asked_now(watch)) == 3
    assert watch.tests == begun


async def test_nothing_of_a_host_is_kept_or_logged(watch: Watch, tmp_path: Path) -> None:
    """Its addresses stand in every field of its results, also in texts of failures, and the number
    of the probe leads to it: none is in the database, its log or ours."""
    watch.treat("timeout")
    await watch.suspect()
    out, err = io.StringIO(), io.StringIO()
    results = watch.atlas._results

    def canaries(number: int) -> list[dict[str, object]]:
        """Every text of every result holds the canaries as well."""
        found = results(number)
        for one in found:
            for name in ("err", "dnserr", "error"):
                if isinstance(one.get(name), str):
                    one[name] = f"{one[name]} at {' '.join(CANARIES)}"
            one |= {"ver": CANARIES[0], "group_id": 4242424242, "note": list(CANARIES)}
        return [*found, {"prb_id": "canary", "from": CANARIES[0]}]

    watch.atlas._results = canaries  # type: ignore[method-assign]
    with redirect_stdout(out), redirect_stderr(err):
        await watch.minutes(120)
    assert len(await watch.rows()) == 6
    assert (await watch.state()).malformed > 0
    kept = _files(tmp_path)
    said = out.getvalue() + err.getvalue()
    for canary in CANARIES:
        assert canary.encode() not in kept, canary
        assert canary not in said, canary
    assert KEY.encode() not in kept


async def test_measurements_are_asked_to_be_private_and_at_home(watch: Watch) -> None:
    """By the probe's own resolvers, from probes at home, each named in its greeting."""
    watch.treat("timeout")
    await watch.suspect()
    await watch.minutes(60)
    for one in watch.atlas.created.values():
        assert one.definition["is_public"] is False
        assert 16276 not in {home.asn for home in one.probes}
        if one.definition["type"] == "sslcert":
            assert one.definition["resolve_on_probe"] is True
            assert one.definition["hostname"] == one.definition["target"]
        else:
            assert one.definition["use_probe_resolver"] is True


async def test_credits_bound_what_is_asked(watch: Watch) -> None:
    """Neither the budget of an hour nor what the account has is overdrawn, and a round is not begun
    without enough for all of it."""
    watch.source = msgspec.structs.replace(watch.source, budget=400)
    await watch.suspect()
    await watch.minutes(60)
    assert watch.tests == 0
    watch.source = msgspec.structs.replace(watch.source, budget=5000)
    watch.atlas.credits = 300
    await watch.restart()
    await watch.minutes(60)
    assert watch.tests == 0
    watch.atlas.credits = 3000
    await watch.minutes(60)
    assert watch.tests > 0
    assert watch.atlas.credits >= 0
    assert (await watch.state()).units % PRICE == 0


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        (Reply(403, b'{"error": {"detail": "198.51.100.77"}}'), "refused"),
        (Reply(429, b""), "limited"),
        (Reply(502, b"<html>"), "failing"),
        (Reply(200, b"<html>"), "malformed"),
        (Reply(200, b"[1, 2]"), "malformed"),
        (httpx.ConnectError("no route"), "unreachable"),
    ],
)
async def test_a_failure_is_waited_out(
    watch: Watch, failure: Reply | Exception, problem: str
) -> None:
    """And what was begun is read later."""
    await watch.suspect()
    await watch.minutes(5)
    assert watch.tests == 4
    watch.atlas.failing.append(failure)
    await watch.minutes(20, step=12)
    state = await watch.state()
    assert state.rows or state.problem == problem
    await watch.minutes(120)
    assert (await watch.state()).problem == ""
    assert len({one.uid for one in await watch.rows()}) == 6


async def test_a_restart_goes_on_with_a_round_that_was_begun(watch: Watch) -> None:
    """Nobody is asked again for it."""
    await watch.suspect()
    await watch.minutes(5)
    begun = watch.tests
    await watch.restart()
    watch.clock += 10 * MINUTE
    await watch.minutes(1, step=1)
    assert len(await watch.rows()) == 3
    assert watch.tests <= 2 * begun


async def test_a_certificate_that_no_library_reads_is_a_false_one(watch: Watch) -> None:
    """The censor picks the bytes: an extension that stands there twice stops nobody, and shows that
    the right server did not answer."""
    watch.treat("forged")
    odd = odd_certificate(DUPLICATE)
    watch.atlas._chain = lambda host: [odd] if host == "gateway.example" else chain(host)
    event = await watch.suspect()
    await watch.minutes(240)
    rows = await watch.rows()
    assert [(one.failed, one.left_out) for one in rows] == [(1.0, "")] * 6
    assert (await watch.state()).problem == ""
    assert "6 of 6 tests failed, 3 networks" in await watch.said(event)


@pytest.mark.parametrize("how", [DUPLICATE, VERSION, DATE, CUT])
def test_a_certificate_that_cannot_be_read_is_invalid(tmp_path: Path, how: str) -> None:
    """Two of an extension, a version or a date that there is not, or half of it."""
    roots = tmp_path / "roots.pem"
    AUTHORITY.cert_pem.write_to_path(str(roots))
    found = Roots([str(roots)])
    odd = odd_certificate(how)
    now = datetime.now(UTC)
    assert found.problem([odd], "x.com", now) is Failure.SSL_INVALID_CERTIFICATE
    assert found.problem(chain("x.com"), "x.com", now) is None


def test_a_platforms_own_authority_is_trusted_for_its_own_domain() -> None:
    """The same as at a vantage."""
    roots = AUTHORITY.cert_pem.bytes().decode()
    found = Roots(authorities=[Authority(domain="x.com", certificates=roots)])
    now = datetime.now(UTC)
    assert found.problem(chain("www.x.com"), "www.x.com", now) is None
    assert found.problem(chain("t.co"), "t.co", now) is Failure.SSL_UNKNOWN_AUTHORITY


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("off", [timedelta(days=-9), timedelta(days=9000), None])
async def test_a_clock_that_is_wrong_dates_no_test(
    watch: Watch, off: timedelta | None, trusted: bool
) -> None:
    """A probe says that it tested in 1970, days ago, or in the future: it tested between the
    question and the answer. Its certificates were valid then, so it accuses nobody."""
    made = watch.atlas._result

    def result(number: int, asked: object, home: Home) -> dict[str, object]:
        found = made(number, asked, home)  # type: ignore[arg-type]
        shift = int(off.total_seconds()) if off else -found["timestamp"]
        return {**found, "timestamp": found["timestamp"] + shift, "lts": 12 if trusted else -1}

    watch.atlas._result = result  # type: ignore[method-assign]
    event = await watch.suspect()
    begun = watch.clock
    await watch.minutes(20)
    rows = await watch.rows()
    assert [one.failed for one in rows] == [0.0] * 3
    assert all(begun <= one.measured_at <= watch.clock for one in rows)
    assert await watch.said(event) == "RIPE Atlas differs: 0 of 2 tests failed, 2 networks"


# -- what fails of it, and who else asks ---------------------------------------------------------


def _answering(watch: Watch, reply: Callable[[httpx.Request], int]) -> list[str]:
    """Have the server answer some requests with a failure: `reply` gives its status, or 0. Returns
    a list that fills with the countries that probes were asked for in."""
    asked: list[str] = []
    handle = watch.atlas.handle

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            asked.append(msgspec.json.decode(request.content)["probes"][0]["value"])
        status = reply(request)
        return httpx.Response(status, content=b"{}") if status else handle(request)

    watch.atlas.handle = answer  # type: ignore[method-assign]
    return asked


def _posted_from(request: httpx.Request) -> str:
    if request.method != "POST":
        return ""
    return str(msgspec.json.decode(request.content)["probes"][0]["value"])


async def test_a_country_that_refuses_to_be_compared_with_is_left_out(watch: Watch) -> None:
    """It blocked the source for six hours, and those asked before it were asked anew each time, at
    credits that nobody counted."""
    watch.clock = watch.clock.replace(minute=0, second=0)
    asked = _answering(watch, lambda one: 400 if _posted_from(one) == "NL" else 0)
    watch.treat("timeout")
    event = await watch.suspect()
    before = watch.atlas.credits
    await watch.minutes(25)
    assert asked == ["PK", "DE", "NL", "PK"]
    state = await watch.state()
    assert state.problem == ""
    assert before - watch.atlas.credits <= state.units == PRICE * (2 * 5 * 4 + 2)
    assert len(await watch.rows()) == 3
    assert "3 of 3 tests failed" in await watch.said(event)


@pytest.mark.parametrize(("status", "charged"), [(502, 3), (429, 2)])
async def test_what_was_begun_elsewhere_is_not_begun_again(
    watch: Watch, status: int, charged: int
) -> None:
    """One country was asked, the next fails for a while: that one alone is asked again. Who fails
    may have begun a test, which is counted; who refuses for a while has not."""
    watch.clock = watch.clock.replace(minute=0, second=0)
    failing = [status]
    asked = _answering(
        watch, lambda one: failing.pop() if failing and _posted_from(one) == "NL" else 0
    )
    watch.treat("timeout")
    await watch.suspect()
    await watch.minutes(35)
    assert asked == ["PK", "DE", "NL", "NL", "PK"]
    assert len(await watch.rows()) == 3
    assert (await watch.state()).units == PRICE * (2 * 5 * 4 + 2 * charged)


async def test_a_probe_that_nobody_tells_of_loses_no_other(watch: Watch) -> None:
    """It was deleted, or is hidden now: its place is refused, for ever."""
    _answering(watch, lambda one: 404 if one.url.path.endswith("/probes/3/") else 0)
    watch.treat("timeout")
    await watch.suspect()
    await watch.minutes(30)
    assert sorted(one.asn for one in await watch.rows()) == [9541, 17557]
    assert (await watch.state()).problem == ""


async def test_probes_that_are_all_refused_are_asked_for_later(watch: Watch) -> None:
    """A key that may not ask for a while: the round is not lost by it."""
    refusing = [True]
    _answering(watch, lambda one: 403 if refusing and "/probes/" in one.url.path else 0)
    await watch.suspect()
    await watch.minutes(15)
    assert (await watch.state()).problem == "refused"
    assert await watch.rows() == []
    refusing.clear()
    await watch.minutes(10)
    assert len(await watch.rows()) == 3


async def test_a_fault_of_one_round_keeps_no_other_from_being_read_or_begun(watch: Watch) -> None:
    """The results of a round about X are refused; those about YouTube come all the same, and a
    round about Facebook is begun."""
    await watch.suspect()
    await watch.minutes(1)
    of_x = {str(number) for number in watch.atlas.created}
    _answering(watch, lambda one: 404 if of_x & set(one.url.path.split("/")) else 0)
    await watch.suspect("youtube")
    await watch.minutes(10)
    await watch.suspect("facebook")
    await watch.minutes(10)
    assert {one.platform for one in await watch.rows()} == {"youtube"}
    state = await watch.state()
    assert state.problem == "refused"
    assert [name for name in state.cursors if name.startswith("asked PK facebook ")]


async def test_no_more_probes_count_than_were_asked(watch: Watch) -> None:
    """A server that answers with a thousand lines makes no thousand rows, and has no thousand
    probes looked up."""
    results = watch.atlas._results

    def many(number: int) -> list[dict[str, object]]:
        found = results(number)
        return [{**one, "prb_id": 10_000 + n} for one in found[:1] for n in range(1000)] or found

    known = watch.atlas._probe
    watch.atlas._results = many  # type: ignore[method-assign]
    watch.atlas._probe = lambda number: known(min(number, 3))  # type: ignore[method-assign]
    await watch.suspect()
    await watch.minutes(15)
    places = [one for one in watch.atlas.asked if "/probes/" in one]
    assert 0 < len(places) <= watch.source.probes


@pytest.mark.parametrize("how", ["forged", "bogon"])
async def test_one_round_is_never_strong(watch: Watch, how: str) -> None:
    """Its results trickle in for minutes: two probes of a network that answer five minutes apart
    tested once each. The next round makes it strong."""
    watch.atlas.probes[:] = [
        *(
            Home(number=10 * asn + slow, country="PK", asn=asn, slow=slow * MINUTE)
            for asn in (17557, 9541)
            for slow in (0, 10)
        ),
        *(one for one in HOMES if one.country != "PK"),
    ]
    watch.treat(how)
    event = await watch.suspect()
    await watch.minutes(25)
    rows = await watch.rows()
    times = [one.measured_at for one in rows]
    assert (len(rows), max(times) - min(times)) == (4, 5 * MINUTE)
    assert len({one.received_at for one in rows}) == 1
    assert "(evidence: weak): 4 of 4" in await watch.said(event)
    await watch.minutes(30)
    assert "(evidence: strong): 8 of 8" in await watch.said(event)


async def test_what_a_monitor_began_while_a_person_waits_is_kept(watch: Watch) -> None:
    """The person's process knew nothing of it, and wrote its state over it: hosts of probes tested
    it three times in a day, and one round was never read."""
    await watch.minutes(5)
    looks = 0

    async def meanwhile() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            await watch.suspect("youtube")
        assert watch.job is not None
        await watch.job.round()

    await _asked_now(watch, meanwhile)
    assert [name for name in (await watch.state()).cursors if " PK youtube " in name]
    await watch.minutes(120)
    asked = [
        one.at
        for one in watch.atlas.created.values()
        if one.definition.get("query_argument") == "www.youtube.com"
    ]
    assert len(asked) == 2
    assert len([one for one in await watch.rows() if one.platform == "youtube"]) == 6


async def test_what_a_person_asks_while_a_monitor_polls_is_kept(watch: Watch) -> None:
    """The monitor's last write of a poll is no older than the person's round."""
    await watch.suspect("youtube")
    await watch.minutes(1)
    begun = False
    handle = watch.atlas.handle
    person = AtlasFollower(
        watch.source,
        watch.settings,
        watch.store,
        AtlasClient("https://atlas.test", httpx.MockTransport(handle), key=KEY),
        now=lambda: watch.clock,
    )

    async def stop(_: float) -> None:
        raise InterruptedError

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal begun
        if not begun and request.url.path.endswith("/results/"):
            begun = True
            await person.restore()
            with pytest.raises(InterruptedError):
                await person.ask_now("PK", "x", stop)
        return handle(request)

    watch.clock += 10 * MINUTE
    job = SourceJob(
        watch.source,
        watch.settings,
        watch.store,
        now=lambda: watch.clock,
        transport=httpx.MockTransport(answer),
    )
    await job.begin()
    await job.round()
    await job.close()
    await person.close()
    cursors = (await watch.state()).cursors
    assert [name for name in cursors if name.startswith("asked PK x ")]
    assert "tried PK x 1" in cursors
    assert "done PK youtube 1" in cursors
    assert (await watch.state()).units >= 2 * 400


async def test_a_round_that_two_processes_watch_is_read_once(watch: Watch) -> None:
    """A monitor polls while a person waits for the results of theirs: nothing is stored twice, and
    nobody elsewhere is asked twice."""
    watch.treat("timeout")
    await watch.minutes(5)

    async def meanwhile() -> None:
        assert watch.job is not None
        await watch.job.round()

    rows = await _asked_now(watch, meanwhile)
    stored = await watch.rows()
    assert len(rows) == len(stored) == 3
    assert {one.uid for one in rows} == {one.uid for one in stored}
    assert watch.tests == 8


async def test_a_round_that_a_monitor_read_meanwhile_is_shown_to_the_person(watch: Watch) -> None:
    """They looked away too long: what is stored is theirs as well."""
    watch.treat("timeout")
    await watch.minutes(5)

    async def meanwhile() -> None:
        watch.clock += 20 * MINUTE
        assert watch.job is not None
        await watch.job.round()

    rows = await _asked_now(watch, meanwhile)
    assert len(rows) == 3
    assert {one.uid for one in rows} == {one.uid for one in await watch.rows()}
