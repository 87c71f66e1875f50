"""`shutwatch report`: what it says, what it must never say, and that opening it harms nobody."""

import asyncio
import csv
import importlib
import io
import json
import os
import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from monitor.analysis.events.event import EventKind, EventState
from monitor.analysis.verdict import Evidence, State
from monitor.charts.letters import ARABIC, LATIN, font_files
from monitor.cli.main import app
from monitor.export.cells import text_cell
from monitor.keys.keys import (
    KeyFileError,
    key_path,
    load_or_make,
    public_text,
    same_fingerprint,
    sign,
    signed_by,
)
from monitor.report.archive import PURPOSE
from monitor.report.build import Made
from monitor.report.collect import gather
from monitor.report.compose import document
from monitor.report.findings import Imprint
from monitor.report.limitations import _limits
from monitor.report.names_between_marks import isolated, plain, unmarked
from monitor.report.summary import summary
from monitor.report.time_slots import Slots
from monitor.wording.catalogs import Text, needed
from monitor.wording.languages import BY_CODE, ENGLISH, LANGUAGES, LOCALES, Language
from monitor.wording.words import Words, words_in
from probes.catalog.countries import COUNTRIES
from storage.open_store import open_store
from storage.values.prunable import RAW, Prunable
from tests.contract.agents import quarantine
from tests.contract.cycles import at
from tests.worlds.memory_store import MemoryStore
from tests.worlds.notify_world import shutdown
from tests.worlds.report_world import (
    HIDDEN_VANTAGE,
    HOSTILE,
    MADE_AT,
    WANTED,
    made,
    story_cycle,
    told,
)

ROOT = Path(__file__).parents[4]


class Files:
    """A report's files by name."""

    def __init__(self, path: Path, report: Made) -> None:
        self.path, self.report = path, report
        with zipfile.ZipFile(path) as archive:
            self.data = {one: archive.read(one) for one in archive.namelist()}

    @property
    def html(self) -> str:
        return self.data["report.html"].decode()

    @property
    def words(self) -> str:
        """What the page says, without markup."""
        reader = _Words()
        reader.feed(self.html)
        return re.sub(r"\s+", " ", "".join(reader.said))


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said.append(data)


async def _files(folder: Path, **options: object) -> Files:
    path = folder / "report.zip"
    return Files(path, await made(path, **options))  # type: ignore[arg-type]


async def _said(
    folder: Path,
    state: EventState = EventState.ENDED,
    store: MemoryStore | None = None,
    language: Language = ENGLISH,
) -> str:
    """What the document of a report says, without drawing or packing anything."""
    if store is None:
        store = MemoryStore()
        await store.open()
        await told(store, state)
    findings = await gather(store, WANTED, folder, 300.0)
    imprint = Imprint(
        version="1", generated_at=MADE_AT, fingerprint="ab" * 32, title="X", language=language
    )
    page = document(findings, imprint)
    return unmarked(" ".join([page.title, *_texts(msgspec.to_builtins(page.blocks))]))


def _texts(found: object) -> Iterator[str]:
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        yield from (text for one in found.values() for text in _texts(one))
    elif isinstance(found, (list, tuple)):
        yield from (text for one in found for text in _texts(one))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The story's report."""
    return asyncio.run(_files(tmp_path_factory.mktemp("report")))


def test_what_where_when_how_and_limits_are_said(files: Files) -> None:
    """The sentences a journalist would quote, with bounds on both clocks, and what is not shown."""
    words = files.words
    assert "X was blocked in Pakistan on 1 of 2 networks: " in words
    assert (
        "Began between 12:15 and 12:20 UTC on 17 Feb 2024 (17:15–17:20 in Karachi). "
        "Ended: between 12:40 and 12:45 UTC on 17 Feb 2024" in words
    )
    assert "at least 20 minutes, at most 30 minutes" in words
    assert "connections were reset when the platform's name appeared (tls.reset)" in words
    assert "Who ordered it, and why." in words
    assert "This rests on 1 vantage point in 1 network." in words
    assert "rules version 3" in words
    assert "0123456789abcdef0123" in words


def test_the_field_stands_beside_the_control(files: Files) -> None:
    """Step by step what was seen inside and outside, and what further tests ruled out."""
    words = files.words
    assert re.search(
        r"the connection was reset \[connection_reset\] · .{1,60} · 100 ms"
        "the certificate proves that it is the platform",
        words,
    )
    assert "not reachedHTTP status 200" in words
    assert "Same server, harmless name: works (1 time)." in words
    assert "again right afterwards: the connection was reset [connection_reset] (1 time)." in words
    assert "tls.resetThe connection is cut when the platform's name is sent." in words


async def test_a_control_that_failed_too_is_not_said_to_have_worked(tmp_path: Path) -> None:
    """The sentence is about all cases that are shown."""
    store = MemoryStore()
    await store.open()
    await told(store)
    findings = await gather(store, WANTED, tmp_path, 300.0)
    (shown,) = findings.examples
    assert shown.control is not None
    failed = msgspec.structs.replace(
        shown, control=msgspec.structs.replace(shown.control, reached=False)
    )
    missing = msgspec.structs.replace(shown, control=None)
    worked = "In the cases shown below the tests from outside worked."
    for examples in ((shown,), (shown, failed), (shown, missing), ()):
        found = msgspec.structs.replace(findings, examples=examples)
        text = " ".join(_texts(msgspec.to_builtins(list(summary(words_in(), found, "X")))))
        assert (worked in text) == (examples == (shown,))


async def test_no_test_of_a_vantage_in_quarantine_is_shown_as_evidence(tmp_path: Path) -> None:
    """A person doubts it: it counts in no event, and stands for none in a signed report."""
    store = MemoryStore()
    await store.open()
    await told(store)
    await store.quarantine(quarantine(HIDDEN_VANTAGE))
    findings = await gather(store, WANTED, tmp_path, 300.0)
    assert findings.examples == ()
    assert findings.rows["data/verdicts.csv"] > 0


async def test_the_control_that_worked_is_shown(tmp_path: Path) -> None:
    """Of several controls that a verdict used, as on the page of the event."""
    store = MemoryStore()
    await store.open()
    await told(store)
    cycle = story_cycle(20, blocked=True)
    _, control, _ = cycle.measurements
    failed = msgspec.structs.replace(control, id="c-0", vantage="lhr", reached=False)
    (found,) = cycle.verdicts
    best = msgspec.structs.replace(found, evidence=Evidence.CONCLUSIVE, controls=("c-0", "c-20"))
    await store.save(
        msgspec.structs.replace(cycle, measurements=(*cycle.measurements, failed), verdicts=(best,))
    )
    everything = msgspec.structs.replace(WANTED, all_measurements=True)
    findings = await gather(store, everything, tmp_path, 300.0)
    (shown,) = findings.examples
    assert shown.control is not None
    assert shown.control.reached


def test_what_people_said_is_kept_apart(files: Files) -> None:
    """Reviews and annotations have a part of their own, which says what they are."""
    before, _, after = files.words.partition("What people said")
    assert "A person confirms it: Ayesha" in before
    assert "People wrote this part." in after
    assert "Called the network." in after
    assert "“No block.”" in after
    assert "No block" not in before
    rows = list(csv.DictReader(io.StringIO(files.data["data/events.csv"].decode(), newline="")))
    assert rows[0]["state"] == "ended"


def test_no_vantage_is_named(files: Files) -> None:
    """Networks only, in every file; nothing but the packed PDF could hide a name."""
    assert not [one for one, data in files.data.items() if b"secret-place" in data]
    rows = list(csv.DictReader(io.StringIO(files.data["data/verdicts.csv"].decode(), newline="")))
    assert {row["vantage"] for row in rows} == {"AS17557"}
    looks = [json.loads(line) for line in files.data["data/measurements.jsonl"].splitlines()]
    assert {look["vantage"] for look in looks} == {"AS17557", "control"}


@pytest.mark.parametrize("named", [False, True])
async def test_a_lost_vantage_is_named_only_where_vantages_are(tmp_path: Path, named: bool) -> None:
    """Among other events it is told without its name, as everywhere in the report."""
    store = MemoryStore()
    await store.open()
    await told(store)
    wanted = msgspec.structs.replace(WANTED, with_vantages=named)
    findings = await gather(store, wanted, tmp_path, 300.0)
    lost = shutdown(EventKind.VANTAGE_SILENT, vantage=HIDDEN_VANTAGE)
    findings = msgspec.structs.replace(findings, related=(lost,))
    imprint = Imprint(version="1", generated_at=MADE_AT, fingerprint="ab" * 32, title="X")
    text = " ".join(_texts(msgspec.to_builtins(document(findings, imprint).blocks)))
    assert (HIDDEN_VANTAGE in text) == named
    assert ("vantage offline" in text) != named


async def test_vantages_are_named_when_asked_for(tmp_path: Path) -> None:
    """`--with-vantages` is for those whose hosts agreed."""
    store = MemoryStore()
    await store.open()
    await told(store)
    wanted = msgspec.structs.replace(WANTED, with_vantages=True)
    await gather(store, wanted, tmp_path, 300.0)
    for file in ("verdicts.csv", "measurements.csv", "measurements.jsonl"):
        content = await asyncio.to_thread((tmp_path / "data" / file).read_bytes)
        assert HIDDEN_VANTAGE.encode() in content


def test_the_page_loads_nothing_and_runs_nothing(files: Files) -> None:
    """No script, no address to fetch from, markup of others only as text."""
    reader = _Words()
    reader.feed(files.html)
    tags = {tag for tag, _ in reader.tags}
    assert not tags & {"script", "link", "iframe", "object", "form", "a", "base", "embed"}
    for _, attributes in reader.tags:
        assert not [one for one in attributes if one.startswith("on")]
        assert (attributes.get("src") or "data:").startswith("data:")
    assert "default-src 'none'" in files.html
    assert "<script>" not in files.html
    assert "&lt;script&gt;" in files.html
    assert "url(" not in files.html
    assert b"<script" not in files.data["charts/timeline.svg"]


def test_nothing_invisible_or_turned_around_gets_in(files: Files) -> None:
    """Direction and control characters are written out, honest Urdu stays."""
    for one in ("report.html", "charts/timeline.svg", "data/measurements.csv"):
        text = files.data[one].decode()
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08]", text), one
    assert "\\u202e" in files.html
    assert "زونگ" in files.html
    assert "<bdi>" in files.html


def test_no_cell_is_a_formula(files: Files) -> None:
    """In every CSV file."""
    cells = 0
    for one, data in files.data.items():
        if one.endswith(".csv"):
            for row in csv.reader(io.StringIO(data.decode(), newline="")):
                cells += len(row)
                # What is safe already stays as it is, but for numbers, which are ours.
                assert [c for c in row if text_cell(c) != c and not _number(c)] == []
    assert cells > 500


def _number(cell: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell) is not None


def test_pictures_say_in_words_what_they_show(files: Files) -> None:
    """Every picture has a text for those who do not see it."""
    reader = _Words()
    reader.feed(files.html)
    pictures = [attributes for tag, attributes in reader.tags if tag == "div"]
    texts = [one.get("aria-label") for one in pictures if one.get("role") == "img"]
    assert len(texts) == 2
    assert all(text and "17557" in text for text in texts)
    assert files.data["charts/timeline.png"].startswith(b"\x89PNG")
    assert files.data["report.pdf"].startswith(b"%PDF-")


def test_every_row_and_line_of_data_can_be_read(files: Files) -> None:
    """Counts in the document are those of the files; the three forms of a look agree."""
    for one, count in files.report.findings.rows.items():
        text = files.data[one].decode()
        if one.endswith(".csv"):
            assert len(list(csv.reader(io.StringIO(text, newline="")))) == count + 1, one
        elif one.endswith("datapackage.json"):
            assert len(json.loads(text)["resources"]) == count
        else:
            assert len([json.loads(line) for line in text.splitlines()]) == count, one
    ids = [json.loads(line)["id"] for line in files.data["data/measurements.jsonl"].splitlines()]
    ooni = [json.loads(line) for line in files.data["data/ooni.jsonl"].splitlines()]
    assert [line["measurement_uid"] for line in ooni] == ids
    assert {"f-4", "c-4", "u-4"} <= set(ids)


async def test_the_same_store_gives_the_same_bytes(files: Files, tmp_path: Path) -> None:
    """Two people who make it of the same data, at the same moment, get the same file."""
    again = await _files(tmp_path)
    assert again.data == files.data


@pytest.mark.parametrize("code", ["fa", pytest.param("ru", marks=pytest.mark.soak)])
async def test_a_report_comes_in_the_languages_of_the_page(
    files: Files, code: str, tmp_path: Path
) -> None:
    """Every heading is translated, the page runs in the language's direction, and the data are the
    same files to the byte. A report takes seconds, so one language of the other direction stands
    for all, and one more in `make soak`."""
    language = BY_CODE[code]
    other = await _files(tmp_path, language=language)
    assert f'<html lang="{language.code}" dir="{language.direction}">' in other.html
    headings = [re.findall("<h[123]>(.+?)</h", one.html) for one in (files, other)]
    assert len(headings[0]) == len(headings[1]) > 8
    assert not set(headings[0]) & set(headings[1])
    assert f"<p>{words_in(language).draft}</p>" in other.html
    assert other.data["report.pdf"].startswith(b"%PDF-")
    data = [name for name in files.data if name.startswith("data/")]
    assert [other.data[name] == files.data[name] for name in data] == [True] * len(data)


def test_the_fonts_have_every_letter_of_every_language() -> None:
    """No letter of a translation is printed as its number."""
    every = dict[tuple[str, bool], set[int]]()
    for family, bold, file in font_files():
        with importlib.import_module("fontTools.ttLib").TTFont(file) as font:
            every[family, bold] = set(font.getBestCmap())
    latin, arabic = (every[family, False] & every[family, True] for family in (LATIN, ARABIC))
    # Joiners, and the mark that a bracket reads from left to right, are no letters.
    arabic |= {0x200C, 0x200D, 0x200E}
    for language in LANGUAGES:
        # A line is in one font, where it has all letters.
        known = arabic if language.direction == "rtl" else latin
        words = words_in(language)
        written = {ord(c) for message in needed() for c in _translated(words, message)}
        written |= {ord(c) for country in COUNTRIES for c in words.country(country)}
        days = [datetime(2024, month, 17, tzinfo=UTC) for month in range(1, 13)]
        written |= {ord(c) for day in days for c in words.day(day) + words.short_day(day)}
        written |= {ord(c) for c in words.number(1234567890.5) + words.percent(0.5)}
        assert written - {0x0A} <= known
    files = "".join(file.read_text() for file in LOCALES.iterdir() if file.name.endswith(".po"))
    assert {ord(c) for c in f"{files}→−≤≥×·…°" if c.isprintable()} <= latin | arabic


def _translated(words: Words, message: Text) -> str:
    if isinstance(message, str):
        return words.gettext(message)
    values = dict.fromkeys(re.findall(r"%\((\w+)\)s", "".join(message)), "")
    return "".join(words.ngettext(*message, number, **values) for number in (0, 1, 2, 3, 11, 100))


@pytest.mark.parametrize("state", [EventState.SUSPECTED, EventState.CONFIRMED])
async def test_a_lead_is_not_called_a_block(tmp_path: Path, state: EventState) -> None:
    """What is only suspected must not be quotable as a block; what goes on has no end."""
    words = await _said(tmp_path, state)
    if state is EventState.SUSPECTED:
        assert "X may be blocked in Pakistan on 1 of 2 networks" in words
        assert "should not be reported as a block" in words
        assert "was blocked in Pakistan on" not in words
    else:
        assert "X is blocked in Pakistan on 1 of 2 networks" in words
        assert "Ended: not yet; blocked when last tested, at 12:40:00 UTC on 17 Feb 2024" in words
        assert "at least 20 minutes so far" in words


@pytest.mark.parametrize("state", [EventState.UNOBSERVED, EventState.RECOVERING])
async def test_what_was_never_confirmed_is_no_block_later_either(
    tmp_path: Path, state: EventState
) -> None:
    """Nobody measures any more, or it seems open again; a block that was confirmed before it is
    what the report is about."""
    store = MemoryStore()
    await store.open()
    await told(store)
    findings = await gather(store, WANTED, tmp_path, 300.0)
    (story,) = findings.stories
    lead = msgspec.structs.replace(story.event, state=state, confirmed_at=None)
    both = (story, msgspec.structs.replace(story, event=lead))
    assert msgspec.structs.replace(findings, stories=both).main_story == story
    alone = msgspec.structs.replace(findings, stories=both[1:])
    said = " ".join(_texts(msgspec.to_builtins(list(summary(words_in(), alone, "X")))))
    assert "should not be reported as a block" in said


async def test_without_an_event_it_says_so_and_claims_no_more(tmp_path: Path) -> None:
    """No block is said with the share of cycles that was decided and the networks tested from; no
    data is said to be none."""
    store = MemoryStore()
    await store.open()
    for number in range(3):
        await store.save(story_cycle(number, blocked=False, title="X"))
    words = await _said(tmp_path, store=store)
    assert "X in Pakistan: No block in 3 of 3 cycles on 1 network" in words
    assert "About 852 more were not measured." in words
    assert "nothing is known about other networks" in words
    assert "Tested in this time in Pakistan: " in words
    assert "Also tested" not in words
    nothing = MemoryStore()
    await nothing.open()
    (tmp_path / "second").mkdir()
    words = await _said(tmp_path / "second", store=nothing)
    assert "Nothing is known" in words
    assert "No data does not mean that it worked" in words


async def test_what_is_kept_by_the_hour_stands_in_for_verdicts_that_are_gone(
    tmp_path: Path,
) -> None:
    """After their age has deleted single verdicts and looks, networks and counts are still told."""
    store = MemoryStore()
    await store.open()
    await told(store)
    for what in RAW:
        async for _ in store.prune(what, at(30 * 86400)):
            pass
    words = await _said(tmp_path, store=store)
    assert "X was blocked in Pakistan on 1 of 2 networks" in words
    assert "12 verdicts counted by the hour, 2024-02-17 12:00:00 to 2024-02-17 13:00:00" in words
    assert "blocked in 5 of 12 verdicts" in words
    assert "None is stored for those times" in words
    assert "how long there was none at a time is no longer known" in words
    assert "their tests were deleted after the time that they are kept" in words
    assert "never more than weak evidence" not in words
    assert "rules version 3." in words
    assert "printed below" not in words


async def test_what_is_left_of_verdicts_is_not_taken_for_all(tmp_path: Path) -> None:
    """Of the hours whose verdicts were deleted no gap is known, nor whether the controls worked."""
    store = MemoryStore()
    await store.open()
    await told(store)
    for number in (20, 21):
        await store.save(story_cycle(number, blocked=False), [], [])
    for what in RAW:
        async for _ in store.prune(what, at(3600)):
            pass
    words = await _said(tmp_path, store=store)
    assert "14 verdicts (12 of them counted by the hour, the others from 1 vantage), " in words
    assert "the longest time without one was 5 minutes, as far as single results are kept" in words
    assert "This rests on 1 network." in words


@pytest.mark.parametrize(
    ("since", "interval", "expected"),
    [
        (1800, 300.0, [(at(3600), at(7200), 12)]),
        (0, 300.0, [(at(0), at(3600), 0), (at(3600), at(7200), 12)]),
        (0, 3600.0, [(at(0), at(7200), 12)]),
    ],
)
async def test_what_is_kept_by_the_hour_is_told_in_whole_hours(
    tmp_path: Path,
    since: float,
    interval: float,
    expected: Sequence[tuple[datetime, datetime, int]],
) -> None:
    """The report may begin within an hour, and cycles be far apart: no chart and no file shows the
    block before the hour in which it was found."""
    store = MemoryStore()
    await store.open()
    for number in range(24):
        await store.save(story_cycle(number, blocked=number >= 12))
    for what in RAW:
        async for _ in store.prune(what, at(30 * 86400)):
            pass
    wanted = msgspec.structs.replace(WANTED, since=at(since), until=at(7200))
    findings = await gather(store, wanted, tmp_path, interval)
    slots = findings.lanes[0].slots
    assert [(one.start, one.end, one.blocked) for one in slots] == expected


async def test_controls_worked_as_far_as_is_still_known(tmp_path: Path) -> None:
    """Where older results were deleted, nobody says that they worked throughout."""
    store = MemoryStore()
    await store.open()
    await told(store)
    findings = await gather(store, WANTED, tmp_path, 300.0)
    kept = msgspec.structs.replace(
        findings, controls=1, control_measurements=2, control_unwell=0, deleted_before=at(3600)
    )
    (said,) = [one for one in _limits(words_in(), kept, "X") if "everywhere else" in one]
    assert said.endswith(
        "The controls themselves worked from 2024-02-17 13:00:00 UTC on; results before that were "
        "deleted."
    )


async def test_nothing_rests_on_no_network(tmp_path: Path) -> None:
    """Where counts are deleted too, the event is what is left."""
    store = MemoryStore()
    await store.open()
    await told(store)
    for what in Prunable:
        async for _ in store.prune(what, at(30 * 86400)):
            pass
    words = await _said(tmp_path, store=store)
    assert "0 networks" not in words
    assert "This rests on the event as it was recorded" in words
    assert "their tests were deleted after the time that they are kept" in words
    assert "rules version 3." in words


async def test_titles_of_ten_megabytes_do_not_swell_the_document(tmp_path: Path) -> None:
    """However long a text is, the page and the PDF show its beginning."""
    store = MemoryStore()
    await store.open()
    await told(store)
    long = "<b>" + "A" * 10_000_000
    await store.save(story_cycle(12, blocked=True, title=long))
    found = await _files(tmp_path, store=store)
    assert len(found.data["report.html"]) < 1_000_000
    assert len(found.data["report.pdf"]) < 1_000_000
    assert found.report.findings.rows["data/measurements.csv"] > 10


async def test_nothing_is_left_behind_when_it_cannot_be_written(tmp_path: Path) -> None:
    """No half report, and no folder of its parts."""
    target = tmp_path / "taken"
    target.mkdir()
    with pytest.raises(OSError, match=r"."):
        await made(target)
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == [target]


def test_slots_are_bounded_and_lose_no_look() -> None:
    """A year of looks fits into as many slots as an hour, and every one is counted."""
    slots = Slots(at(0), timedelta(minutes=5), most=100)
    for number in range(5000):
        state = State.BLOCKED if number % 2 else State.OK
        slots.count((1, "A"), at(number * 300), {state: 1})
    found = slots.of((1, "A"))
    assert len(found) <= 100
    assert sum(slot.verdicts for slot in found) == 5000
    assert sum(slot.blocked for slot in found) == 2500
    assert all(before.end <= after.start for before, after in pairwise(found))
    slots.count((1, "A"), at(-600), {State.OK: 1})
    assert slots.of((1, "A"))[0].start <= at(-600)


def test_texts_are_cut_and_made_visible() -> None:
    """No direction character gets through, nor a mark that would pass for one of ours."""
    assert plain("a\u202eb") == "a\\u202eb"
    assert plain("\ue000x\ue001") == "x"
    assert len(plain("x" * 10_000_000)) == 161
    assert unmarked(isolated(HOSTILE, 1000)) == plain(HOSTILE, 1000)


# The key.


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """Mode 0600 from the first moment, and the same key ever after."""
    path = tmp_path / "signing.pem"
    first = load_or_make(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_text(load_or_make(path)) == public_text(first)
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    """Whoever can read it can sign in this installation's name."""
    path = tmp_path / "signing.pem"
    load_or_make(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_or_make(path)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAA\n"])
def test_a_file_that_is_no_key_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """It is named, and not overwritten: it may be somebody's."""
    path = tmp_path / "signing.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="holds no readable key"):
        load_or_make(path)
    assert path.read_bytes() == content


def test_where_the_key_lies() -> None:
    """As set, from the folder of the configuration; else beside the database."""
    assert key_path("my.pem", "/etc/s/shutwatch.toml", "sqlite:///x.db") == Path("/etc/s/my.pem")
    assert key_path("/k.pem", "/etc/s/shutwatch.toml", "") == Path("/k.pem")
    beside = key_path("", "", "sqlite:////var/lib/s/s.db")
    assert beside == Path("/var/lib/s/shutwatch-signing.pem")
    assert key_path("", "", "memory:") == Path("shutwatch-signing.pem")


def test_a_signature_is_good_for_nothing_else(tmp_path: Path) -> None:
    """Another text, another key, another spelling of it: no signature."""
    key, other = load_or_make(tmp_path / "a.pem"), load_or_make(tmp_path / "b.pem")
    signature = sign(key, PURPOSE, b"text")
    assert signed_by(public_text(key), signature, PURPOSE, b"text")
    assert not signed_by(public_text(key), signature, PURPOSE, b"text ")
    assert not signed_by(public_text(other), signature, PURPOSE, b"text")
    assert not signed_by(public_text(key), signature + "\n", PURPOSE, b"text")
    assert not signed_by(public_text(key), "é", PURPOSE, b"text")
    with pytest.raises(ValueError, match="64"):
        same_fingerprint("ab cd", "")


# The command.


async def _database(folder: Path) -> Path:
    url = f"sqlite:///{folder / 'shutwatch.db'}"
    store = open_store(url)
    await store.open()
    await told(store)
    await store.close()
    config = folder / "shutwatch.toml"
    config.write_text(
        f'database = "{url}"\nsigning_key = "keys.pem"\n[[vantage]]\nid = "a"\ncountry = "PK"\n'
    )
    return config


async def test_the_command_makes_a_report_that_verifies(tmp_path: Path) -> None:
    """From the store on disk to a file that `verify` accepts, the key beside the configuration."""
    config, out = await _database(tmp_path), tmp_path / "r.zip"
    run = CliRunner()
    options = ["--country", "pk", "--platform", "x", "--since", "2024-02-17"]
    arguments = ["report", *options, "--until", "2024-02-18", "-o", str(out), "-c", str(config)]
    done = await asyncio.to_thread(run.invoke, app, arguments)
    assert done.exit_code == 0, done.output
    assert "X was blocked in Pakistan on 1 of 2 networks" in done.output
    assert run.invoke(app, ["verify", str(out)]).exit_code == 0
    left = await asyncio.to_thread(lambda: {one.name for one in tmp_path.iterdir()})
    assert {one for one in left if "shutwatch.db" not in one} == {
        "keys.pem",
        "r.zip",
        "shutwatch.toml",
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"--country": "Pakistan"}, "is not a country code"),
        ({"--platform": "twiter"}, "is in no catalogue"),
        ({"--since": "yesterday"}, "is not a date"),
        ({"--since": "2024-02-19", "--until": "2024-02-18"}, "is not before"),
    ],
)
def test_bad_usage_is_named(tmp_path: Path, changed: dict[str, str], said: str) -> None:
    """Exit code 2, and nothing made: neither a report nor a key."""
    config = tmp_path / "shutwatch.toml"
    config.write_text('[[vantage]]\nid = "a"\ncountry = "PK"\n')
    options = {"--country": "PK", "--platform": "x", "--since": "2024-02-17", **changed}
    arguments = [part for option in options.items() for part in option]
    done = CliRunner().invoke(
        app, ["report", *arguments, "-c", str(config), "-o", str(tmp_path / "r.zip")]
    )
    assert done.exit_code == 2
    assert said in done.output
    assert list(tmp_path.iterdir()) == [config]


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_a_year_takes_hardly_more_memory_than_a_day(tmp_path: Path) -> None:
    """Every look of a year goes through, one batch in memory at a time."""
    peaks = {}
    for days in (1, 365):
        folder = tmp_path / str(days)
        folder.mkdir()
        done = subprocess.run(
            [
                sys.executable,
                str(ROOT / "tests" / "worlds" / "report_memory.py"),
                folder,
                str(days),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        told = json.loads(done.stdout)
        assert told["rows"] == days * 288
        peaks[days] = told["peak_mb"]
    assert peaks[365] < peaks[1] + 80
