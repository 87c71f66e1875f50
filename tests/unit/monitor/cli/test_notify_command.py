"""`shutwatch notify`, as it is typed, and Apprise on a real web server on loopback."""

import asyncio
import io
import json
import logging
import socket
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from monitor.notify.apprise_service import AppriseService
from monitor.notify.body import NoticeContent
from monitor.notify.message import message, section, trial_message
from monitor.notify.message_value import Limits, Message, Urgency
from monitor.notify.names_without_markup import message_words
from monitor.notify.notice_kinds import NoticeKind
from monitor.notify.places import Places
from monitor.notify.settings import Route, Target
from storage.open_store import sql_store
from storage.values.outbox import NoticeState
from tests.contract.cycles import at, cycle, event, log_entry, notice
from tests.unit.monitor.notify.test_notification_text import HOSTILE
from tests.worlds.notify_world import ONSET, PTCL, TITLES, block, entry
from tests.worlds.receiver import receiving

KEY = b"0123456789abcdef0123456789abcdef"
VANTAGE = '[[vantage]]\nid = "here"\ncountry = "PK"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that commands are typed in, on a wide terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHUTWATCH_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "240")
    return tmp_path


def typed(folder: Path, text: str, *words: str) -> Result:
    """What a command prints and exits with, on a configuration with this text."""
    (folder / "shutwatch.toml").write_text(VANTAGE + text)
    return CliRunner().invoke(app, ["notify", *words, "--config", "shutwatch.toml"])


def route(name: str, *urls: str) -> str:
    """A route of the configuration."""
    return f'[[notify.route]]\nname = "{name}"\nurls = {json.dumps(urls)}\n'


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_a_test_reaches_every_address_and_says_that_it_is_one(folder: Path) -> None:
    """Two routes, three addresses, three messages, exit code 0."""
    with receiving() as inbox:
        text = route("ops", inbox.url("a"), inbox.url("b")) + route("desk", inbox.url("c"))
        done = typed(folder, text, "test")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "ops 1-json: taken",
        "ops 2-json: taken",
        "desk 1-json: taken",
    ]
    assert sorted(letter["path"] for letter in inbox.letters) == ["/a", "/b", "/c"]
    assert all(letter["title"].startswith("TEST: only a test") for letter in inbox.letters)
    assert {letter["message"].split()[7] for letter in inbox.letters} == {"ops,", "desk,"}


def rocket(port: int) -> str:
    """A service that takes 1000 characters: the webhook of a Rocket.Chat on loopback."""
    return f"rocket://{'a' * 24}/{'b' * 64}@127.0.0.1:{port}/%23ops"


def test_a_service_that_takes_less_than_a_long_message_is_named(folder: Path) -> None:
    """With its limit; `taken` alone was said of a service that refuses every long message. `check`
    says it too, as a note that is no warning."""
    with receiving() as inbox:
        text = route("ops", rocket(inbox.port), inbox.url("a"))
        done = typed(folder, text, "test")
        assert done.exit_code == 0, done.output
        assert done.output.splitlines() == [
            "ops 1-rocket: taken; it takes 1000 characters: longer messages arrive in a short form",
            "ops 2-json: taken",
        ]
        told = typed(folder, text, "test", "--json")
    rows = [json.loads(line) for line in told.output.splitlines()]
    assert [row["most"] for row in rows] == [1000, None]
    checked = CliRunner().invoke(app, ["check", "shutwatch.toml", "--json"])
    (found,) = [
        line
        for line in map(json.loads, checked.output.splitlines())
        if line["finding"] == "target_short"
    ]
    assert found["level"] == "note"
    assert "address 1-rocket takes 1000 characters" in found["problem"]


async def test_what_is_too_long_all_the_same_arrives_in_pieces() -> None:
    """Each no longer than the service takes, and nothing is left out."""
    body = "\n".join(f"line {number} of a message that nobody can shorten" for number in range(50))
    with receiving() as inbox:
        target = Target(name="1-rocket", url=rocket(inbox.port))
        made = Message(title="Confirmed", body=body, urgency=Urgency.FAILURE)
        assert await AppriseService().deliver(target, made, 60) == ""
    texts = [letter["text"] for letter in inbox.letters]
    assert len(texts) == 3
    assert all(len(text) <= 1000 for text in texts)
    said = "\n".join(texts)
    assert all(f"line {number} of" in said for number in range(50))


@pytest.mark.parametrize(
    ("url", "limits"),
    [
        (f"pover://{'u' * 30}@{'t' * 30}", Limits(body=1024)),
        (f"discord://4174216298/{'J' * 20}", Limits(body=2000, title=0)),
        ("tgram://123456789:AAtokenTOKENtoken_token_token_token/42/", Limits(title=0)),
        ("json://127.0.0.1/", Limits()),
        ("no-such-thing://127.0.0.1/", Limits()),
    ],
)
def test_what_a_service_takes_is_known(url: str, limits: Limits) -> None:
    """Never more than Telegram does."""
    assert AppriseService().limits(Target(name="1-x", url=url)) == limits


def test_one_route_alone_can_be_tested(folder: Path) -> None:
    """The others hear nothing."""
    with receiving() as inbox:
        text = route("ops", inbox.url("a")) + route("desk", inbox.url("c"))
        done = typed(folder, text, "test", "--route", "desk")
    assert done.exit_code == 0
    assert [letter["path"] for letter in inbox.letters] == ["/c"]


def test_an_address_that_does_not_take_it_is_named_with_the_reason(folder: Path) -> None:
    """Exit code 3; the others get theirs; no address is printed."""
    with receiving() as inbox, receiving() as broken:
        broken.status = 503
        text = route(
            "ops",
            inbox.url("a"),
            broken.url("SECRET"),
            f"json://127.0.0.1:{free_port()}/SECRET",
        )
        done = typed(folder, text, "test")
    assert done.exit_code == 3
    assert done.output.splitlines() == [
        "ops 1-json: taken",
        "ops 2-json: the service has a fault of its own (HTTP status 503)",
        "ops 3-json: no connection to the service (connection refused)",
    ]
    assert len(inbox.letters) == 1


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        ("", ["test"], "no [[notify.route]]"),
        (route("ops", "json://127.0.0.1/"), ["test", "--route", "opps"], "there are ops"),
    ],
)
def test_nobody_to_test_is_a_mistake_of_usage(
    text: str, words: list[str], told: str, folder: Path
) -> None:
    """Exit code 2, and what there is."""
    done = typed(folder, text, *words)
    assert done.exit_code == 2
    assert told in done.output


ENGLISH = message_words("en")


async def _fill(folder: Path) -> None:
    store = sql_store(f"sqlite:///{folder / 'shutwatch.db'}")
    await store.open()
    lines = [log_entry(n, event(updated=600 + n)) for n in (1, 2, 3, 4)]
    rows = [
        notice(1, 700.0, route="ops", target="1-json", occasion="suspected"),
        replace(
            notice(2, 701.0, route="ops"), state=NoticeState.SENT, settled_at=at(730), attempts=1
        ),
        replace(
            notice(3, 702.0, route="ops"),
            state=NoticeState.FAILED,
            settled_at=at(9000),
            attempts=9,
            reason="no connection to the service",
        ),
        notice(4, 703.0, route="gone"),
    ]
    await store.save(cycle(1), [event()], lines, notices=rows)
    await store.close()


def test_the_outbox_can_be_read(folder: Path) -> None:
    """Each notice with its state, when it is tried next, and why it failed."""
    asyncio.run(_fill(folder))
    text = route("ops", "json://127.0.0.1/SECRET")
    done = typed(folder, text, "list")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()[1:]
    assert [line.split()[3:8] for line in lines] == [
        ["ops", "1-json", "event-1", "suspected", "0"],
        ["ops", "1-json", "event-1", "confirmed", "1"],
        ["ops", "1-json", "event-1", "confirmed", "9"],
        ["gone", "1-json", "event-1", "confirmed", "0"],
    ]
    ends = ["pending", "sent", "failed: no connection to the service", "pending"]
    assert all(line.rstrip().endswith(end) for line, end in zip(lines, ends, strict=True))
    assert "SECRET" not in done.output
    told = typed(folder, text, "list", "--json", "--state", "pending")
    rows = [json.loads(line) for line in told.output.splitlines()]
    assert [row["next_at"] for row in rows] == ["2024-02-17T12:12:10Z", None]
    assert set(rows[0]) == {
        *("created_at", "route", "target", "event_id", "country", "occasion", "state"),
        *("attempts", "next_at", "settled_at", "reason"),
    }


def test_the_outbox_names_addresses_as_a_test_does(folder: Path) -> None:
    """By number and scheme, whatever their order was then; one that is gone by scheme and mark."""
    urls = ("json://127.0.0.1/SECRET", "json://127.0.0.1/SECRET-too")
    here = [Target(name=f"{n}-json", url=url) for n, url in enumerate(urls, 1)]
    (named,) = Places((Route(name="ops", urls=tuple(here)),), KEY).routes
    marks = [one.stored for one in named.urls]

    async def fill() -> None:
        await _fill(folder)
        store = sql_store(f"sqlite:///{folder / 'shutwatch.db'}")
        await store.open()
        old = [notice(2, 701.0, route="ops", target=mark) for mark in (*marks, "json-gone")]
        await store.update_notices(old)
        await store.keep_target_key(KEY, {})
        await store.close()

    asyncio.run(fill())
    done = typed(folder, route("ops", *reversed(urls)), "list", "--json")
    rows = [json.loads(line) for line in done.output.splitlines()]
    targets = [row["target"] for row in rows if row["created_at"] == "2024-02-17T12:11:41Z"]
    assert sorted(targets) == ["1-json", "1-json", "2-json", "json-gone"]
    assert "SECRET" not in done.output


def test_an_outbox_that_is_not_there_is_a_mistake_of_usage(folder: Path) -> None:
    """Exit code 2, and no database is made."""
    done = typed(folder, "", "list")
    assert done.exit_code == 2
    assert "does not exist yet" in done.output
    assert not list(folder.glob("*.db"))


# -- Apprise ---------------------------------------------------------------------------------------


async def test_a_hostile_name_arrives_as_text() -> None:
    """Through Apprise and a real web server, line by line what was meant, and nothing marked up."""
    hostile = block(networks=(replace(PTCL, asn=0, network=HOSTILE),))
    told = NoticeContent(occasion=NoticeKind.CONFIRMED, entry=entry("confirmed", hostile))
    sent = message(ENGLISH, [section(ENGLISH, told, TITLES)])
    with receiving() as inbox:
        target = Target(name="1-json", url=inbox.url("x"))
        assert await AppriseService().deliver(target, sent, 30) == ""
    (letter,) = inbox.letters
    assert letter["title"] == "Confirmed: X is blocked in Pakistan"
    assert letter["message"] == sent.body
    assert letter["type"] == "failure"
    assert not set("*_[]<>@`\x00\x1b\u202e") & set(letter["message"].replace("tls.reset", ""))


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_message_is_never_lost_to_a_redirect(status: int) -> None:
    """After 301 and 302 a GET without the message follows, which was taken for the message. Whoever
    wants that, for a service that answers so once it has the message, says so in the address."""
    with receiving() as inbox:
        inbox.status = status
        reason = await refusal(inbox.url("SECRET"))
        assert reason == (
            f"the service redirects messages to another address (HTTP status {status}): write that"
            " one instead"
        )
        assert inbox.letters == []
        assert await refusal(inbox.url("x?redirect=yes")) == ""


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (429, "the service is busy"),
        (500, "the service has a fault of its own"),
        (401, "the service refused the token or password"),
        (403, "the service forbids it"),
        (404, "the service knows no such address"),
        (400, "the service refused the message"),
    ],
)
async def test_a_status_is_told_in_words(status: int, told: str) -> None:
    """Only the number comes from the service."""
    with receiving() as inbox:
        inbox.status = status
        assert await refusal(inbox.url("SECRET")) == f"{told} (HTTP status {status})"


async def test_a_connection_that_breaks_is_told_in_words() -> None:
    """Silence, the wrong one of json:// and jsons://, and a name that nobody has were all "no
    connection"."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"json://127.0.0.1:{deaf.getsockname()[1]}/x?rto=1"
        assert await refusal(url) == "no answer from the service in time"
    with receiving() as inbox:
        told = await refusal(inbox.url("x").replace("json:", "jsons:"))
    assert told == "no TLS connection to the service (the port may speak none)"
    assert await refusal("json://no-such-name.invalid/x") == (
        "no connection to the service (its name does not resolve)"
    )


async def refusal(url: str) -> str:
    """Why the service at this address does not take a message."""
    target = Target(name="1-json", url=url)
    return await AppriseService().deliver(target, trial_message(ENGLISH, "x", ONSET), 30)


async def test_a_service_that_never_answers_costs_its_time_and_no_more() -> None:
    """The thread is left behind, and the next attempt does not add another."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"json://127.0.0.1:{deaf.getsockname()[1]}/x?rto=60"
        target, carrier = Target(name="1-json", url=url), AppriseService()
        assert (
            await carrier.deliver(target, trial_message(ENGLISH, "x", ONSET), 1)
            == "no answer within 1 s"
        )
        assert await carrier.deliver(target, trial_message(ENGLISH, "x", ONSET), 1) == (
            "the previous attempt is still running"
        )


async def test_what_came_through_late_is_not_sent_again() -> None:
    """The service took it after nobody waited any more: the next attempt finds that out."""
    with receiving() as inbox:
        inbox.delay = 0.5
        target, carrier = Target(name="1-json", url=inbox.url("x")), AppriseService()
        sent = trial_message(ENGLISH, "x", ONSET)
        assert await carrier.deliver(target, sent, 0.01) == "no answer within 0.01 s"
        inbox.delay = 0.0
        said = "the previous attempt is still running"
        while said == "the previous attempt is still running":
            await asyncio.sleep(0.05)
            said = await carrier.deliver(target, sent, 60)
        assert said == ""
        assert len(inbox.letters) == 1
        assert await carrier.deliver(target, sent, 60) == ""
        assert len(inbox.letters) == 2


async def test_no_address_gets_onto_the_log() -> None:
    """Not even at the most talkative level, when it works and when it does not."""
    root, said = logging.getLogger(), io.StringIO()
    handler, level = logging.StreamHandler(said), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with receiving() as inbox:
            for url in (inbox.url("SECRET"), f"json://127.0.0.1:{free_port()}/SECRET"):
                target = Target(name="1-json", url=url)
                await AppriseService().deliver(target, trial_message(ENGLISH, "x", ONSET), 30)
        logging.getLogger("probe").debug("heard")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert "heard" in said.getvalue()
    assert "SECRET" not in said.getvalue()
