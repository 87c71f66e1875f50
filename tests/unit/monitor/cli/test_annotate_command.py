"""`shutwatch annotate`: what happened around events, from files that people write."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.config.annotations_csv import AnnotationsError, read_annotations
from storage.values.reviews import AnnotationKind
from tests.worlds.review_world import PK_EVENT, Installation

NOW = datetime(2024, 3, 1, tzinfo=UTC)
GOOD = """\
since,until,country,platform,kind,text,source
2024-02-08,,PK,,election,General election,https://news.example/election
2024-02-17T14:30+05:00,,PK,x,official_denial,"""
GOOD += """"The regulator, asked, denies ""any"" block",https://news.example/denial
2024-02-10,2024-02-12,PK,X,Court Order,The court asks why,https://news.example/court
"""


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """Two events."""
    made = Installation(tmp_path)
    made.fill()
    return made


def _imported(here: Installation, content: str | bytes, code: int = 0) -> str:
    file = here.config.with_name("notes.csv")
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    done = here.run("annotate", "import", str(file))
    assert done.exit_code == code, done.output
    return done.stderr


def test_a_file_is_taken_once(here: Installation) -> None:
    """Days, moments and ranges come out as UTC; a second import adds nothing and says so."""
    assert "3 added, 0 there already" in _imported(here, GOOD)
    assert "0 added, 3 there already" in _imported(here, GOOD)
    listed = here.lines("annotate", "list")
    assert [(a["since"], a["until"], a["platform"], a["kind"]) for a in listed] == [
        ("2024-02-08T00:00:00Z", "2024-02-09T00:00:00Z", "", "election"),
        ("2024-02-10T00:00:00Z", "2024-02-13T00:00:00Z", "x", "court_order"),
        ("2024-02-17T09:30:00Z", None, "x", "official_denial"),
    ]
    assert listed[2]["text"] == 'The regulator, asked, denies "any" block'
    assert {one["country"] for one in listed} == {"PK"}
    assert "General election" in here.run("annotate", "list").stdout


def test_what_was_exported_can_be_imported_elsewhere(here: Installation, tmp_path: Path) -> None:
    """Annotations move from one installation to another by their CSV file, and stay the same."""
    _imported(here, GOOD)
    file = tmp_path / "out.csv"
    assert here.run("export", "csv", "annotations", "-o", str(file)).exit_code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = Installation(elsewhere)
    other.fill()
    for said in ("3 added, 0 there already", "0 added, 3 there already"):
        assert said in other.run("annotate", "import", str(file)).stderr
    ids = [one["id"] for one in here.lines("annotate", "list")]
    assert [one["id"] for one in other.lines("annotate", "list")] == ids


def test_a_longer_file_adds_only_what_is_new(here: Installation) -> None:
    """Whoever keeps one file and adds to it may import it every time."""
    _imported(here, GOOD)
    more = GOOD + "2024-02-18,,PK,,protest,Protests,https://news.example/protest\n"
    assert "1 added, 3 there already" in _imported(here, more)


def test_importing_leaves_the_detected_record_as_it_is(here: Installation) -> None:
    """Events and their log are the very same cells before and after."""
    before = here.rows("event", "event_log")
    _imported(here, GOOD)
    assert here.rows("event", "event_log") == before


def test_an_event_shows_what_happened_around_it(here: Installation) -> None:
    """In its country, within a week, about its platform or about none; with the source."""
    _imported(here, GOOD + "2024-02-17,,BR,,protest,Elsewhere,https://news.example/br\n")
    shown = here.run("event", "show", PK_EVENT).stdout
    assert "2024-02-17 09:30Z  Official denial (x): The regulator, asked" in shown
    assert "https://news.example/denial" in shown
    assert "General election" not in shown  # nine days before
    assert "Elsewhere" not in shown


def test_what_is_removed_is_gone_and_the_rest_stays(here: Installation) -> None:
    """By id; an unknown id removes nothing at all."""
    _imported(here, GOOD)
    first, second, third = (one["id"] for one in here.lines("annotate", "list"))
    done = here.run("annotate", "remove", first, "nobody")
    assert (done.exit_code, "no annotation 'nobody'" in done.stderr) == (2, True)
    assert len(here.lines("annotate", "list")) == 3
    assert here.run("annotate", "remove", first, third).exit_code == 0
    assert [one["id"] for one in here.lines("annotate", "list")] == [second]


def test_every_bad_line_is_named_with_what_and_where(here: Installation) -> None:
    """All problems at once, by line and column with a remedy; nothing of the file is taken."""
    bad = (
        "since,until,country,platform,kind,text,source\n"
        "2024-02-08,,PK,,election,Fine,https://news.example/1\n"
        '2024-02-30,,PK,,election,"Two\nlines",https://news.example/2\n'
        "2024-02-08,2024-02-07,Pakistan,twiter,elektion,,javascript:alert(1)\n"
        "2024-02-08,,PK,,election,a, b,https://news.example/3\n"
        ",,PK,,election,No date,\n"
    )
    told = _imported(here, bad, 2)
    for expected in (
        "notes.csv: line 3: since '2024-02-30': write 2024-02-08",
        "notes.csv: line 5: until '2024-02-07': must be later than since",
        "line 5: country 'Pakistan': for Pakistan write \"PK\"",
        "line 5: platform 'twiter': no platform of the catalogue",
        "line 5: kind 'elektion': did you mean \"election\"?",
        "line 5: text is empty: say what happened",
        "line 5: source 'javascript:alert(1)': the URL where this can be read",
        "line 6: 8 cells for 7 columns",
        "line 7: since is empty",
        "line 7: source is empty",
        "nothing was added",
    ):
        assert expected in told
    assert "line 2" not in told
    assert here.lines("annotate", "list") == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b"since;until;country;platform;kind;text;source\n", "not apart by commas"),
        (b"since,country,kind,text\n", "line 1: no column source"),
        (b"since,country,kind,text,source,sauce\n", "line 1: unknown column 'sauce'; did you mean"),
        (b"since,since,country,kind,text,source\n", "line 1: column since is there twice"),
        ("since,country,kind,text,source\na,b,c,é,d\n".encode("latin-1"), "line 2: not UTF-8"),
        (b'since,country,kind,text,source\n2024-02-08,PK,exam,"a', "line 2: not CSV"),
        (b"x" * 10_000_001, "larger than 10,000,000 bytes"),
    ],
)
def test_a_file_of_another_shape_is_refused(content: bytes, told: str) -> None:
    """What is wrong with it as a whole is said, with the line."""
    with pytest.raises(AnnotationsError) as caught:
        read_annotations(content, {"x"}, NOW)
    assert told in str(caught.value)


def test_files_as_spreadsheets_write_them_are_read() -> None:
    """A byte order mark, CRLF, blank lines, other column order and capitals, missing columns."""
    content = (
        "\ufeffKind,Text,Source,Since,Country\r\n\r\n"
        "exam,Exams,http://a.example/,2024-02-08 08:00,PK\r\n,,,,\r\n"
    )
    (one,) = read_annotations(content.encode(), {"x"}, NOW)
    assert (one.kind, one.since, one.until) == (
        AnnotationKind.EXAM,
        datetime(2024, 2, 8, 8, tzinfo=UTC),
        None,
    )
    assert one.added_at == NOW


def test_a_file_that_is_not_there_is_named(here: Installation) -> None:
    """Exit code 2, with the name."""
    done = here.run("annotate", "import", str(here.config.with_name("absent.csv")))
    assert (done.exit_code, "absent.csv" in done.stderr) == (2, True)
