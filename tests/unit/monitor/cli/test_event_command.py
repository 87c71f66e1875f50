"""`shutwatch event`: seeing what was detected, and saying what one makes of it."""

from pathlib import Path

import pytest

from monitor.cli.output import listing_console, table
from tests.contract.cycles import AWKWARD
from tests.worlds.review_world import BR_EVENT, PK_EVENT, Installation


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """Two events."""
    made = Installation(tmp_path)
    made.fill()
    return made


def test_the_list_shows_every_event_and_the_review_that_holds(here: Installation) -> None:
    """In order of detection, selected by country, with the last decision and how many there are."""
    assert here.run("event", "review", PK_EVENT, "--confirm").exit_code == 0
    assert here.run("event", "review", PK_EVENT, "--reject", "--by", "Asma").exit_code == 0
    assert here.run("event", "review", PK_EVENT, "--note", "asked PTCL").exit_code == 0
    both = here.lines("event", "list")
    assert [one["id"] for one in both] == [PK_EVENT, BR_EVENT]
    assert (both[0]["review"]["mark"], both[0]["review"]["reviewer"]) == ("rejected", "Asma")
    assert (both[0]["reviews"], both[1]["reviews"], both[1]["review"]) == (3, 0, None)
    assert [one["id"] for one in here.lines("event", "list", "--country", "br")] == [BR_EVENT]
    assert here.lines("event", "list", "--platform", "tiktok") == []
    table = here.run("event", "list").stdout
    assert PK_EVENT in table  # whole, where no terminal is
    assert "rejected" in table


def test_one_event_with_all_that_is_told_of_it(here: Installation) -> None:
    """When it began, how it was seen, what was known when, and what people said, in words."""
    here.run("event", "review", PK_EVENT, "--confirm", "--note", "PTCL says so", "--by", "Asma")
    shown = here.run("event", "show", PK_EVENT[:8])
    assert shown.exit_code == 0, shown.output
    for expected in (
        f"Event {PK_EVENT}: block x in Pakistan, suspected according to the detector",
        "began     between 2024-02-17 12:00Z and 2024-02-17 12:05Z",
        "methods   connections are reset when the platform's name appears (tls.reset)",
        "PTCL (AS17557): seems blocked",
        "First signs: suspected: AS17557 PTCL",
        "A person confirms it (Asma): PTCL says so",
    ):
        assert expected in shown.stdout
    (document,) = here.lines("event", "show", PK_EVENT)
    assert [entry["change"] for entry in document["log"]] == ["opened"]
    assert document["reviews"] == [document["review"]]
    assert document["networks_affected"] == [9541, 17557]
    (stretch,) = document["stretches"]
    assert (stretch["onset_latest"], stretch["end_latest"]) == ("2024-02-17T12:05:00Z", None)
    assert document["networks"][0]["stretches"][0]["onset_latest"] == "2024-02-17T12:05:00Z"


def test_what_was_said_of_an_event_that_goes_on_as_another_is_shown_with_that(
    here: Installation,
) -> None:
    """As said of the first, and holds for the other as on the page and in feeds."""
    here.run("event", "review", PK_EVENT, "--confirm", "--note", "PTCL says so")
    other = here.goes_on(PK_EVENT)
    shown = here.run("event", "show", PK_EVENT).stdout
    assert f"Withdrawn: goes on as {other}" in shown
    shown = here.run("event", "show", other).stdout
    assert f"goes on from {PK_EVENT}" in shown
    assert (
        f"A person confirms it: PTCL says so (of {PK_EVENT}, which continues as this one)" in shown
    )
    (document,) = here.lines("event", "show", other)
    assert [one["event"] for one in document["reviews"]] == [PK_EVENT]
    assert document["review"] == document["reviews"][0]
    listed = {one["id"]: one for one in here.lines("event", "list")}
    first, second = listed[PK_EVENT], listed[other]
    assert first["review"] == second["review"] == document["review"]
    assert (first["reviews"], second["reviews"]) == (1, 1)


def test_reviewing_leaves_the_detected_record_as_it_is(here: Installation) -> None:
    """Events and their log are the very same cells; a row is added to the reviews alone."""
    before = here.rows("event", "event_log")
    for said in (["--confirm"], ["--reject", "--note", "no"], ["--note", "hm"]):
        done = here.run("event", "review", PK_EVENT, *said)
        assert done.exit_code == 0, done.output
        assert "suspected according to the detector" in done.stdout
    assert here.rows("event", "event_log") == before
    assert len(here.rows("review")["review"]) == 3


def test_a_review_names_who_and_why_as_given(here: Installation) -> None:
    """Text of any script is kept to the letter, and shown without what could deceive."""
    note = AWKWARD.replace("\x00", "").strip()
    assert here.run("event", "review", BR_EVENT, "--note", note, "--by", "آصمہ").exit_code == 0
    (document,) = here.lines("event", "show", BR_EVENT)
    assert (document["reviews"][0]["note"], document["reviews"][0]["reviewer"]) == (note, "آصمہ")
    shown = here.run("event", "show", BR_EVENT).stdout
    assert "\u202e" not in shown
    assert "\\u202e" in shown


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], "give --confirm"),
        (["--note", "  "], "give --confirm"),
        (["--confirm", "--reject"], "either --confirm or --reject"),
        (["--note", "x" * 4001], "--note: 4001 characters, at most 4000"),
        (["--confirm", "--by", "x" * 201], "--by: 201 characters, at most 200"),
    ],
)
def test_a_review_must_say_one_thing(here: Installation, said: list[str], told: str) -> None:
    """What is missing or too much is named, exit code 2, and nothing is stored."""
    done = here.run("event", "review", PK_EVENT, *said)
    assert (done.exit_code, told in done.stderr) == (2, True)
    assert here.rows("review")["review"] == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("aaaa", f"more than one event's id: {PK_EVENT}, {BR_EVENT}"),
        ("ffff0000", "there is no event 'ffff0000'"),
        ("aa", "at least 4 characters"),
        ("' OR 1=1 --", "there is no event"),
    ],
)
def test_an_event_that_is_not_meant_for_sure_is_not_guessed(
    here: Installation, given: str, told: str
) -> None:
    """An id that fits none or several is refused, exit code 2, saying which there are."""
    for command in (["event", "show", given], ["event", "review", given, "--confirm"]):
        done = here.run(*command)
        assert (done.exit_code, told in done.stderr) == (2, True)
    assert here.rows("review")["review"] == []


def test_without_a_database_it_says_what_makes_one(tmp_path: Path) -> None:
    """No file is made by looking."""
    empty = Installation(tmp_path)
    done = empty.run("event", "list")
    assert done.exit_code == 2
    assert "does not exist yet" in done.stderr
    assert not empty.file.exists()


def test_a_long_word_in_a_pipe_is_neither_cut_nor_folded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However narrow the terminal says it is; `grep` finds it."""
    monkeypatch.setenv("COLUMNS", "40")
    shown = table("id", "reason")
    shown.add_row("a" * 70, "b" * 200)
    listing_console().print(shown)
    assert f"{'a' * 70}  {'b' * 200}" in capsys.readouterr().out
