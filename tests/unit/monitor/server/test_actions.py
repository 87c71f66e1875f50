"""Acting on the page: who may, what each act does, and that each leaves a line in the audit log."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from monitor.acting.acts import ActError
from monitor.server.own_forms import LONGEST_FORM, VALID_HOURS, FormTokens
from monitor.server.report_jobs import ReportAsked, ReportJobs
from monitor.wording.acts import ACTS, REFUSALS
from probes.catalog.catalog import Catalog
from storage.store import StorageError
from storage.values.acts import Act, ActKind, Mute
from storage.values.fleet import Quarantine
from storage.values.reviews import Mark
from storage.values.selection import Selection
from tests.browser import seed
from tests.worlds.acting_world import FINDING, TOKEN, USED, World, who
from tests.worlds.memory_store import MemoryStore


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """All of it, with one vantage in quarantine already."""
    made = World(tmp_path / "go")
    made.go.touch()
    await made.store.open()
    await seed.fill(made.store)
    held = Quarantine(vantage="isb-jazz", country="PK", reason="a VPN", at=seed.NOW)
    await made.store.quarantine(held)
    yield made
    await made.client.aclose()
    await made.store.close()


ABOUT = {"country": "PK", "event": seed.EVENT}
GOOD: Mapping[str, tuple[Mapping[str, str], ActKind, str, str]] = {
    "review": (
        {"event": seed.EVENT, "mark": "confirmed", "note": "I saw it", "by": "A."},
        ActKind.CONFIRM,
        f"event {seed.EVENT}",
        f"events/{seed.EVENT}",
    ),
    "annotate": (
        {
            **ABOUT,
            "since": "2024-02-17T18:00",
            "kind": "court_order",
            "text": "A court\r\norders it",
            "source": "https://news.example/court",
        },
        ActKind.ANNOTATE,
        "annotation ",
        f"events/{seed.EVENT}",
    ),
    "quarantine": (
        {"vantage": "khi-ptcl", "reason": "answers for its neighbour"},
        ActKind.QUARANTINE,
        "vantage khi-ptcl",
        "vantages",
    ),
    "release": ({"vantage": "isb-jazz"}, ActKind.RELEASE, "vantage isb-jazz", "vantages"),
    "report": (
        {"country": "PK", "platform": "x", "since": "2024-02-01", "language": "ur"},
        ActKind.REPORT,
        "x in PK",
        "actions",
    ),
    "mute": ({**ABOUT, "hours": "6"}, ActKind.MUTE, f"event {seed.EVENT}", f"events/{seed.EVENT}"),
    "unmute": ({"country": "KE", "event": ""}, ActKind.UNMUTE, "country KE", "actions"),
    "test": ({"route": "ops"}, ActKind.TEST, "route ops", "actions"),
    "acknowledge": ({"finding": FINDING.key}, ActKind.ACKNOWLEDGE, "checklist no_asn", ""),
}
"""Each act: a form that does it, its line in the audit log, and the page that follows."""

REFUSED = {
    "nobody": ("", {}, None, 401),
    "a viewer": ("bilal", {}, None, 403),
    "a program": ("a program", {}, None, 403),
    "no token": ("asma", {}, "", 403),
    "another user's token": ("asma", {}, "dana", 403),
    "a made-up token": ("asma", {}, "0" * 64, 403),
    "another site": ("asma", {"sec-fetch-site": "cross-site"}, None, 403),
    "another origin": ("asma", {"origin": "https://elsewhere.example"}, None, 403),
    "no origin of ours": ("asma", {"origin": "null"}, None, 403),
    "no form": ("asma", {"content-type": "application/json"}, None, 400),
}
"""Who asks, with which headers, which token (None: a good one), and the status of the refusal."""


async def _everything(store: MemoryStore) -> list[object]:
    """What acts could change."""
    found: list[object] = [await store.acts(), await store.mutes(), await store.acknowledgements()]
    found += [await store.reviews(), await store.annotations(), await store.quarantines()]
    return found


async def _muted(world: World) -> None:
    await world.act("mute", {"country": "KE", "hours": "1", "token": await world.token()})


@pytest.mark.parametrize("refusal", REFUSED)
async def test_every_act_is_refused_without_session_role_or_token(
    refusal: str, world: World
) -> None:
    """The attacks: act without signing in, as a viewer, as a program with its token, or by a form
    that another site has the editor's browser send. None changes anything, of any act."""
    await _muted(world)
    before, tasks = await _everything(world.store), len(asyncio.all_tasks())
    user, headers, token, status = REFUSED[refusal]
    if token in (None, "dana"):
        token = await world.token(token or "asma")
        assert token
    for name, (fields, *_) in GOOD.items():
        answer = await world.act(name, {**fields, "token": token or ""}, user, **headers)
        assert answer.status_code == status, name
    assert await _everything(world.store) == before
    assert (world.post.sent, world.requarantined, world.woken) == ([], 0, 1)
    assert len(asyncio.all_tasks()) == tasks, "a report is being made"


@pytest.mark.parametrize("name", GOOD)
async def test_every_act_is_done_once_and_is_in_the_audit_log(name: str, world: World) -> None:
    """By an editor, in a form of our page. The log says who, when, what and on what; the page that
    follows says that it is done."""
    await _muted(world)
    fields, kind, target, path = GOOD[name]
    answer = await world.act(name, {**fields, "token": await world.token()})
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == f"../{path}?done=1"
    (act,) = (await world.store.acts())[1:]
    assert (act.who, act.what, act.at) == ("asma", kind, seed.NOW)
    assert act.target.startswith(target)
    listed = (await world.get("/actions", "bilal")).text
    assert ACTS[kind] in listed
    assert "<form" not in listed, "a viewer sees what was done, and can do nothing"
    followed = (await world.get(f"/{path}", "asma")).status_code
    assert followed == 200


def test_every_act_is_tested() -> None:
    """The table has each, and each refusal has a phrase."""
    assert {kind for _, kind, *_ in GOOD.values()} | {
        ActKind.REJECT,
        ActKind.NOTE,
        ActKind.REMOVE_ANNOTATION,  # by the command alone
    } == set(ActKind)
    assert set(ACTS) == set(ActKind)


async def test_what_acts_do(world: World) -> None:
    """The review is beside the event and changes none of it; the quarantine and the mute hold at
    once; the acknowledged line is no longer counted; the test message is sent."""
    before = [e async for page in world.store.events(Selection()) for e in page]
    await _muted(world)
    token = await world.token()
    for name, (fields, *_) in GOOD.items():
        assert (await world.act(name, {**fields, "token": token})).status_code == 303, name
    assert [e async for page in world.store.events(Selection()) for e in page] == before
    review = (await world.store.reviews(seed.EVENT))[-1]
    assert (review.mark, review.note, review.reviewer) == (Mark.CONFIRMED, "I saw it", "A.")
    shown = (await world.get(f"/events/{seed.EVENT}")).text
    assert "A person confirms it" in shown
    assert "asma" not in shown, "whoever signed in is not named in public"
    annotation = next(one for one in await world.store.annotations() if "court" in one.text)
    assert (annotation.platform, annotation.text) == ("", "A court orders it")
    assert [one.vantage for one in await world.store.quarantines()] == ["khi-ptcl"]
    (mute,) = await world.store.mutes()
    assert (mute.event, mute.until) == (seed.EVENT, seed.NOW + timedelta(hours=6))
    await asyncio.sleep(0)
    assert world.requarantined == 2
    assert world.woken == 3
    assert [message.title for message in world.post.sent]
    first = (await world.get("/", "asma")).text
    assert "acknowledged" in first
    assert "1 thing to improve" not in first


async def _all_done() -> None:
    """Whatever goes on in the background is over."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


async def test_a_report_is_made_in_the_background_and_downloaded(world: World) -> None:
    """The answer does not wait for it; a second one has to; only operators get the file."""
    fields = {**GOOD["report"][0], "token": await world.token()}
    world.go.unlink()
    assert (await world.act("report", fields)).status_code == 303
    assert "being made" in (await world.get("/actions", "bilal")).text
    assert (await world.act("report", fields)).status_code == 422
    world.go.touch()
    await _all_done()
    page = (await world.get("/actions", "bilal")).text
    assert "X was blocked" in page
    (path,) = re.findall(r'href="(actions/reports/[^?"]+)', page)
    assert (await world.get(f"/{path}")).status_code == 401
    file = await world.get(f"/{path}", "bilal")
    assert (file.content, file.headers["content-type"]) == (b"a report", "application/zip")


async def test_a_report_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    """By the real command: its reason is on the page, the paths of this machine are not."""
    jobs = ReportJobs()
    asked = ReportAsked(country="PK", platform="x", since="2024-02-01", until="", language="en")
    jobs.start(asked, str(tmp_path / "missing.toml"), seed.NOW)
    with pytest.raises(ActError, match="wait until it is done"):
        jobs.start(asked, "", seed.NOW)
    await _all_done()
    (job,) = jobs.jobs
    assert job.state == "failed"
    assert "missing.toml" in job.said
    assert str(tmp_path) not in job.said
    assert jobs.file(job.id) is None


BAD = (
    ("review", {"mark": "maybe"}, "say whether you confirm"),
    ("review", {"mark": "note", "note": " "}, "say what you found"),
    ("review", {"note": "x" * 4001}, "at most 4000 fit"),
    ("review", {"event": "0000"}, "there is no such event"),
    ("review", {"event": ""}, "there is no such event"),
    ("annotate", {"since": "yesterday"}, "since 'yesterday'"),
    ("annotate", {"source": "javascript:alert(1)"}, "the URL where this can be read"),
    ("annotate", {"country": "XX"}, "XX"),
    ("quarantine", {"vantage": "khi-ptlc"}, "did you mean"),
    ("quarantine", {"vantage": "ams-control"}, "ams-control is a control"),
    ("quarantine", {"reason": "two\nlines"}, "one line of text"),
    ("release", {"vantage": "khi-ptcl"}, "is not in quarantine"),
    ("report", {"platform": "--config=/etc/passwd"}, "choose a platform"),
    ("report", {"country": "-h"}, "choose a country"),
    ("report", {"since": "2099-01-01"}, "in the past"),
    ("mute", {"hours": "721"}, "up to 30 days"),
    ("mute", {"hours": "0"}, "up to 30 days"),
    ("mute", {"hours": "-1"}, "for how many hours"),
    ("unmute", {"country": "BR"}, "it is not muted"),
    ("test", {"route": "json://127.0.0.1"}, "choose a route"),
    ("acknowledge", {"finding": "all"}, "no such line"),
)


async def test_a_bad_form_changes_nothing_and_says_why(world: World) -> None:
    """What is wrong is named, markup in it is text, and the audit log has no line of it."""
    await _muted(world)
    before, token = await _everything(world.store), await world.token()
    for name, changed, why in BAD:
        fields = {**GOOD[name][0], **changed, "token": token}
        answer = await world.act(name, fields)
        assert answer.status_code == 422, (name, changed)
        text = answer.text.replace("&#39;", "'").replace("&#34;", '"')
        assert why in text, (name, changed, text)
    answer = await world.act("mute", {"country": "<script>", "hours": "1", "token": token})
    assert answer.text.count("<script>") == 1, "ours"
    assert (await world.act("nothing", {"token": token})).status_code == 404
    assert (await world.act("review", {"note": "x" * LONGEST_FORM})).status_code == 400
    assert (await world.client.get("/actions/review", headers=who("asma"))).status_code == 405
    assert await _everything(world.store) == before


async def test_a_token_is_of_one_user_and_for_hours() -> None:
    """Made by a key of this process, so none of before a restart is good."""
    tokens, now = FormTokens(), seed.NOW
    made = tokens.make("asma", now)
    assert tokens.holds(made, "asma", now)
    assert tokens.holds(made, "asma", now + timedelta(hours=VALID_HOURS))
    assert not tokens.holds(made, "asma", now + timedelta(hours=VALID_HOURS + 1))
    assert not tokens.holds(made, "bilal", now)
    assert not tokens.holds(tokens.make("", now), "", now)
    assert not FormTokens().holds(made, "asma", now)
    assert not tokens.holds("ü", "asma", now)


async def test_forms_are_for_editors_alone(world: World) -> None:
    """Whoever may not act gets no form and a policy that allows none; an editor's page allows forms
    to itself alone, in every language."""
    for path in ("/", f"/events/{seed.EVENT}", "/countries/PK", "/vantages", "/actions"):
        for user in ("", "bilal"):
            answer = await world.get(path, user)
            assert "<form" not in answer.text
            if answer.status_code == 200:
                assert "form-action 'none'" in answer.headers["content-security-policy"]
        for lang in ("en", "ur", "pt"):
            answer = await world.get(path, "asma", lang)
            assert '<form class="act" method="post"' in answer.text, path
            assert "form-action 'self'" in answer.headers["content-security-policy"]
            assert answer.headers["referrer-policy"] == "same-origin"


async def test_the_public_sees_nothing_of_what_editors_do(world: World) -> None:
    """No audit log, no mute, no quarantine, no user: in no page, feed, card or image."""
    token = await world.token()
    for name in ("quarantine", "mute", "acknowledge"):
        await world.act(name, {**GOOD[name][0], "token": token})
    paths = ("/", "/events", f"/events/{seed.EVENT}", "/countries/PK", "/platforms/x")
    for path in (*paths, "/feed.atom", "/feed.json", "/cards/PK", "/badges/PK/x.svg"):
        text = (await world.get(path)).text
        for secret in ("asma", "khi-ptcl", "answers for its neighbour", "audit", "muted", TOKEN):
            assert secret not in text, (path, secret)
    for path in ("/actions", "/vantages", "/sign-in", "/actions/reports/x.zip"):
        assert (await world.get(path)).status_code == 401
    assert 'href="sign-in' in (await world.get("/")).text
    assert 'href="sign-in' not in (await world.get("/", "bilal")).text
    assert (await world.get("/sign-in", "bilal")).status_code == 303


async def test_nobody_acts_where_nobody_signs_in() -> None:
    """A page without users is of this machine alone; even there an act needs somebody's name."""
    open_one = World(guarded=False)
    await open_one.store.open()
    assert await open_one.token("") == ""
    assert (await open_one.act("test", {"route": "ops"}, "")).status_code == 403
    assert "You may view this page" in (await open_one.get("/actions")).text
    await open_one.store.close()


def test_refusals_are_told_apart() -> None:
    """Each in words of its own."""
    assert len(set(REFUSALS.values())) == len(REFUSALS)
    assert replace(FINDING, values={}).key != FINDING.key


async def test_a_report_on_a_platform_that_is_no_longer_tested_stays_there(world: World) -> None:
    """A reload took the platform out: the page of actions failed until the program ended."""
    fields = {**GOOD["report"][0], "token": await world.token()}
    assert (await world.act("report", fields)).status_code == 303
    await _all_done()
    snapshot = world.publisher.snapshot
    others = tuple(one for one in snapshot.catalog.platforms if one.name != "x")
    points = tuple(view.point for view in snapshot.vantages)
    world.publisher.use(points, Catalog(platforms=others), (), **USED)
    page = await world.get("/actions", "asma")
    assert page.status_code == 200
    assert "actions/reports/" in page.text


class Broken(MemoryStore):
    """Neither reads mutes nor notes acts while it is broken."""

    broken = False

    async def mutes(self) -> list[Mute]:
        if self.broken:
            raise StorageError("the disk is gone")
        return await super().mutes()

    async def note(self, act: Act) -> None:
        if self.broken:
            raise StorageError("the disk is gone")
        await super().note(act)


async def test_while_the_store_fails_nothing_is_said_of_mutes_and_tests() -> None:
    """Not that nothing is muted, nor that the last test, which arrived, was made just now."""
    store = Broken()
    world = World(store=store)
    await store.open()
    await seed.fill(store)
    fields = {"route": "ops", "token": await world.token()}
    assert (await world.act("test", fields)).status_code == 303
    before = _shown((await world.get("/actions", "asma")).text)
    assert "Nothing is muted." in before
    assert "taken" in before
    store.broken = True
    world.at += timedelta(hours=1)
    assert (await world.act("test", fields)).status_code == 503
    assert len(world.post.sent) == 1
    after = _shown((await world.get("/actions", "asma")).text)
    assert "Stored data cannot be read at the moment." in after
    assert "Nothing is muted." not in after
    tested = [text.partition("taken")[2][:60] for text in (before, after)]
    assert tested[0] == tested[1]
    await world.client.aclose()


def _shown(page: str) -> str:
    """The text of a page, without its tags."""
    return " ".join(re.sub("<[^>]+>", " ", page).split())
