"""One block through page, report, message, alert, command and file: the same words in each."""

import csv
import io
import re
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import timedelta
from html import unescape
from pathlib import Path

import msgspec
import pytest

from monitor.analysis.events.event import Event, EventKind, EventLogEntry, EventState
from monitor.analysis.verdict import Evidence, State
from monitor.cli.event import WholeEvent, print_event
from monitor.export.csv import header, value_lines
from monitor.export.kinds import EXPORTS, Kind
from monitor.export.stretches import rows_of
from monitor.metrics.all_families import families
from monitor.metrics.scrapes import create_registry
from monitor.notify.body import METHODS_NAMED
from monitor.notify.message import message, section
from monitor.notify.names_without_markup import message_words
from monitor.notify.notice_kinds import NoticeKind
from monitor.report.collect import gather
from monitor.report.compose import document
from monitor.report.document import Table
from monitor.report.findings import Example, Findings, Imprint, Story
from monitor.report.names_between_marks import unmarked
from monitor.server import create_app
from monitor.server.listed_events import A_PAGE
from monitor.server.measurement_view import side_by_side
from monitor.wording.countries import INVENTED
from monitor.wording.failures_and_methods import (
    FAILURES,
    METHODS,
    failure_in_words,
    method_in_words,
)
from monitor.wording.grades import GRADES, grade_and_meaning
from monitor.wording.html import html_words
from monitor.wording.languages import ENGLISH, LANGUAGES, Language
from monitor.wording.observations import layer_in_words
from monitor.wording.words import words_in
from probes.catalog.countries import COUNTRIES
from probes.failure_strings import Failure
from probes.measurement import DnsAnswer, DnsObservation, Measurement, TcpObservation
from tests.contract.cycles import cycle, verdict
from tests.contract.cycles import measurement as look
from tests.prometheus import world
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore
from tests.worlds.notify_world import ONSET, TITLES, block, entry, told, unseen_shutdown
from tests.worlds.report_world import MADE_AT, WANTED
from tests.worlds.yaml_files import yaml_of

ROOT = Path(__file__).parents[4]
ALL_METHODS = tuple(METHODS)
in_every_language = pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.code)


async def page(
    language: Language, *events: Event, path: str = "", log: Sequence[EventLogEntry] = ()
) -> str:
    """The text of the page of one event, or of another path."""
    store = MemoryStore()
    await store.open()
    await store.save(cycle(1), list(events), list(log))
    publisher = world.publisher()
    publisher.show_events([*publisher.snapshot.events.values(), *events])
    app = create_app(publisher, create_registry(publisher), store=store)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as asking:
        answer = await asking.get(path or f"/events/{events[0].id}", params={"lang": language.code})
    assert answer.status_code == 200
    return unescape(re.sub(r"<[^>]+>", "", answer.text.split("<body>")[1]))


async def findings_of(folder: Path, event: Event, *looks: Measurement) -> Findings:
    """What a report on one event is made from."""
    store = MemoryStore()
    await store.open()
    found = await gather(store, WANTED, folder, 300.0)
    return msgspec.structs.replace(
        found,
        wanted=msgspec.structs.replace(WANTED, country=event.country),
        stories=(Story(event=event, log=(), log_omitted=0, reviews=()),),
        examples=tuple(
            Example(
                verdict=msgspec.structs.replace(verdict(one, 1.0), state=State.BLOCKED),
                field=one,
                control=None,
            )
            for one in looks
        ),
    )


def imprint(language: Language) -> Imprint:
    """Who made a report in that language."""
    return Imprint(
        version="1", generated_at=MADE_AT, fingerprint="ab" * 32, title="X", language=language
    )


def report(language: Language, findings: Findings) -> str:
    """The text of the document from which both the PDF and the page of a report are made."""
    made = document(findings, imprint(language))
    return unmarked(
        "\n".join([made.title, made.subtitle, *texts(msgspec.to_builtins(made.blocks))])
    )


def texts(found: object) -> list[str]:
    """Every text in nested values."""
    if isinstance(found, str):
        return [found]
    if isinstance(found, dict):
        found = list(found.values())
    if isinstance(found, list | tuple):
        return [text for one in found for text in texts(one)]
    return []


def mail(language: Language, event: Event) -> str:
    """The text of a message, without the marks that keep directions apart."""
    words = message_words(language.code)
    made = message(words, [section(words, told(NoticeKind.CONFIRMED, event), TITLES)])
    return re.sub("[\u2066-\u2069]", "", f"{made.title}\n{made.body}")


def command(event: Event, log: Sequence[EventLogEntry] = ()) -> str:
    """What `shutwatch event show` prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        print_event(WholeEvent(event=event, log=log))
    return printed.getvalue()


def in_file(event: Event) -> dict[str, str]:
    """The event's row of a CSV file."""
    columns = EXPORTS[Kind.EVENTS].columns
    (row,) = csv.DictReader(io.StringIO(header(columns) + value_lines(columns, [event])))
    return row


def label(family: str, name: str, **wanted: str) -> str:
    """A label of the only sample of a family that has these labels: what Alertmanager shows."""
    (found,) = {
        sample.labels[name]
        for one in families(PUBLISHER.snapshot, PUBLISHER.now())
        for sample in one.samples
        if sample.name == f"shutwatch_{family}_info" and sample.labels.items() >= wanted.items()
    }
    return found


PUBLISHER = world.publisher()


@in_every_language
async def test_methods(language: Language, tmp_path: Path) -> None:
    """Every method has the same phrase, with its terse name, wherever the event is shown."""
    words = words_in(language)
    event = block(methods=ALL_METHODS)
    shown = [await page(language, event), report(language, await findings_of(tmp_path, event))]
    for name in ALL_METHODS:
        phrase = method_in_words(words, name)
        assert all(phrase in text and name in text for text in shown), name
    for first in range(0, len(ALL_METHODS), METHODS_NAMED):
        some = ALL_METHODS[first : first + METHODS_NAMED]
        text = mail(language, block(methods=some))
        assert all(f"{method_in_words(words, name)} ({name})" in text for name in some)


def test_methods_in_english() -> None:
    """The command and the labels that Alertmanager shows have the phrases of the page, files the
    names that the phrases are of."""
    words = words_in(ENGLISH)
    printed = command(block(methods=ALL_METHODS))
    for name in ALL_METHODS:
        phrase = method_in_words(words, name)
        assert f"{phrase} ({name})" in printed
        assert name in in_file(block(methods=ALL_METHODS))["methods"].split(" ")
        method, _, sub_method = name.partition(".")
        blocked = {"x": (State.BLOCKED, method, sub_method)}
        PUBLISHER.publish(world.cycle(world.FIELD[0], accusations=blocked), [])
        assert label("platform_blocked_method", "meaning", platform="x") == phrase


def test_alerts_show_the_phrase_of_the_label() -> None:
    """Neither Prometheus' rules nor Alertmanager's templates have words for a method or a country
    of their own."""
    loaded = yaml_of(ROOT / "dashboards/prometheus/shutwatch.rules.yml")
    rules = {
        rule["alert"]: rule["annotations"]
        for group in loaded["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    confirmed = rules["ShutwatchPlatformBlockConfirmed"]
    over, now = "{{ .Labels.meaning_past }}", "{{ .Labels.meaning }}"
    phrase = f"{{{{ if $over }}}}{over}{{{{ else }}}}{now}{{{{ end }}}} ({{{{ .Labels.method }}}}"
    assert phrase in confirmed["networks"]
    assert 'label "country_name"' in confirmed["country_name"]
    silent = rules["ShutwatchVantageSilent"]["summary"]
    offline = block(kind=EventKind.VANTAGE_SILENT, vantage="khi", country="")
    assert silent.replace("{{ $labels.vantage }}", "khi") in mail(ENGLISH, offline)


async def test_no_version_is_named_where_no_rules_judged() -> None:
    """An event that is no block has none; its networks are not said to be blocked."""
    event = block(kind=EventKind.SHUTDOWN, platform="", rules_version="")
    text = await page(ENGLISH, event)
    assert "a program, by published rules; reviews by people are shown separately" in text
    assert "PTCL (AS17557): offline" in text
    assert "evidence  conclusive\n" in command(event)
    assert "PTCL (AS17557): offline" in command(event)


@pytest.mark.parametrize("said", ["Closed; nobody saw it end", "It was closed; nobody saw it end."])
async def test_an_end_that_nobody_saw(said: str, tmp_path: Path) -> None:
    """The page and the report have the same words for it."""
    event = block(EventState.ENDED, end_earliest=ONSET)
    log = (entry("ended", event),)
    found = await findings_of(tmp_path, event)
    story = msgspec.structs.replace(found.stories[0], log=log)
    found = msgspec.structs.replace(found, stories=(story,))
    for text in (await page(ENGLISH, event, log=log), report(ENGLISH, found)):
        assert said in text
        assert "It is over." not in text
    assert "Closed; nobody saw it end" in command(event, log=log)


@in_every_language
async def test_grades(language: Language, tmp_path: Path) -> None:
    """Every evidence grade is explained by the same sentence."""
    for grade in Evidence:
        event = block(evidence=grade.value)
        explained = grade_and_meaning(words_in(language), grade)
        assert explained in await page(language, event)
        (folder := tmp_path / grade).mkdir()
        assert explained in report(language, await findings_of(folder, event))
        assert explained in mail(language, event)
        if language is ENGLISH:
            assert f"evidence  {GRADES[grade]}, rules" in command(event)
            assert in_file(event)["evidence"] in GRADES


@in_every_language
async def test_failures(language: Language, tmp_path: Path) -> None:
    """Every failure has the same phrase on the page and in the report, where OONI's string stands
    beside it; files have that string."""
    looks = []
    for failure in Failure:
        seen = TcpObservation(
            start=0.0, duration=0.1, failure=failure, address="192.0.2.1", port=443
        )
        looks.append(msgspec.structs.replace(look(f"f-{failure}", 1.0), observations=(seen,)))
    whole = report(language, await findings_of(tmp_path, block(), *looks))
    for failure, one in zip(Failure, looks, strict=True):
        phrase = failure_in_words(words_in(language), failure)
        (layer,) = side_by_side(html_words(language), one, None)
        assert phrase in unescape(layer.here[0].text)
        assert f"{phrase} [{failure}]" in whole
        columns = EXPORTS[Kind.MEASUREMENTS].columns
        rows = value_lines(columns, map(EXPORTS[Kind.MEASUREMENTS].prepare, [one]))
        (row,) = csv.DictReader(io.StringIO(header(columns) + rows))
        assert row["tcp_failure"] == failure
        assert row["tcp_failure"] in FAILURES


def _lookups(addresses: tuple[str, ...]) -> tuple[DnsObservation, ...]:
    """The queries for an IPv4-only name: the answer with addresses comes first."""
    found = DnsObservation(
        start=0.0,
        duration=0.012,
        name="x.com",
        rtype="A",
        resolver="192.0.2.53:53",
        answers=(DnsAnswer(delay=0.012, rcode="NOERROR", addresses=addresses),),
    )
    empty = msgspec.structs.replace(
        found,
        rtype="AAAA",
        duration=0.018,
        answers=(DnsAnswer(delay=0.018, rcode="NOERROR"),),
    )
    return found, empty


@in_every_language
async def test_a_false_address(language: Language, tmp_path: Path) -> None:
    """The page and the report show the address that a resolver invented beside the true one, and
    not only that the name has no IPv6 address."""
    false, true = "10.10.34.34", "203.0.113.1"
    field = msgspec.structs.replace(look("f", 1.0), observations=_lookups((false,)))
    control = msgspec.structs.replace(look("c", 2.0), observations=_lookups((true,)))
    (layer,) = side_by_side(html_words(language), field, control)
    assert [false in layer.here[0].text, true in layer.control[0].text] == [True, True]
    found = await findings_of(tmp_path, block(), field)
    example = msgspec.structs.replace(found.examples[0], control=control)
    made = document(msgspec.structs.replace(found, examples=(example,)), imprint(language))
    (row,) = [
        row
        for table in made.blocks
        if isinstance(table, Table)
        for row in table.rows
        if row[0] == layer_in_words(words_in(language), "dns")
    ]
    empty = words_in(language).gettext("an answer without addresses")
    for cell, address in zip(row[1:], (false, true), strict=True):
        assert cell.index(address) < cell.index(empty)
        assert words_in(language).gettext("%(n)s ms", n=words_in(language).number(12)) in cell


@in_every_language
async def test_countries(language: Language, tmp_path: Path) -> None:
    """Every country has one name in each language, whoever names it. The page names all of them; a
    message and a report every eighth, another eighth in each language, and those that have no ISO
    code."""
    some = sorted(COUNTRIES)[LANGUAGES.index(language) :: len(LANGUAGES)]
    await _assert_named(language, tmp_path, {*some, *INVENTED})


@pytest.mark.soak
@in_every_language
async def test_all_countries(language: Language, tmp_path: Path) -> None:
    """The same with every country in a message and a report in each language."""
    await _assert_named(language, tmp_path, set(COUNTRIES))


async def _assert_named(language: Language, tmp_path: Path, in_full: set[str]) -> None:
    found = await findings_of(tmp_path, block())
    events = {}
    for number, code in enumerate(sorted(COUNTRIES)):
        since = world.NOW - timedelta(hours=number + 1)
        events[code] = block(
            id=f"{number:020x}", country=code, onset_earliest=None, onset_latest=since,
            detected_at=since, updated_at=since, state=EventState.SUSPECTED,
        )  # fmt: skip
    listed = list(events.values())
    parts = [listed[begin : begin + A_PAGE] for begin in range(0, len(listed), A_PAGE)]
    text = "".join([await page(language, *part, path="/events?days=365") for part in parts])
    for code, event in events.items():
        name = words_in(language).country(code)
        assert name != code
        assert name in text
        if language is ENGLISH:
            assert f" in {name}, suspected" in command(event)
            assert in_file(event)["country"] == code
        if code not in in_full:
            continue
        assert name in mail(language, event)
        wanted = msgspec.structs.replace(found.wanted, country=code)
        story = msgspec.structs.replace(found.stories[0], event=event)
        replaced = msgspec.structs.replace(found, wanted=wanted, stories=(story,))
        assert name in report(language, replaced)


def test_countries_in_labels() -> None:
    """What Alertmanager calls a country is what the page calls it."""
    for code in sorted(COUNTRIES):
        point = world.vantage(f"v-{code.lower()}", country=code)
        shown = world.publisher(vantages=[point])
        (name,) = {
            sample.labels["country_name"]
            for one in families(shown.snapshot, shown.now())
            for sample in one.samples
            if sample.name == "shutwatch_vantage_info"
        }
        assert name == words_in(ENGLISH).country(code)
    assert set(INVENTED) <= set(COUNTRIES)


async def test_a_shutdown_of_which_no_vantage_can_tell_is_not_said_to_go_on() -> None:
    """Neither by a page nor by a command, nor in a file."""
    event = unseen_shutdown()
    assert "whether this goes on is not known" in await page(ENGLISH, event)
    assert "ended     not known; last blocked " in command(event)
    (row,) = rows_of(event)
    assert not row.goes_on
