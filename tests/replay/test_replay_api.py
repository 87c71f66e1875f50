"""`replay ooni` against a server that answers as OONI's API does, well or badly."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from monitor.replay.imported_row import ReplayError
from monitor.replay.ooni_api import USER_AGENT, OoniApi, RequestPace
from monitor.sources.neighbours import neighbours
from probes.catalog.countries import COUNTRIES
from tests.replay.api import BEGUN, FakeApi, Reply, blocked_since, served

QUERY = {
    "probe_cc": "PK",
    "test_name": "web_connectivity",
    "domain": "twitter.com",
    "since": "2024-02-01T00:00:00",
    "until": "2024-03-01T00:00:00",
    "limit": "1000",
}
LATER = datetime(2024, 6, 1, tzinfo=UTC)
END = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A server with X blocked on two networks of Pakistan."""
    with served(FakeApi(blocked_since(BEGUN))) as serving:
        yield serving


class Client:
    """A client whose waits are noted instead of waited."""

    def __init__(self, api: FakeApi, cache: Path, now: datetime = LATER) -> None:
        self.waits: list[float] = []
        self.said: list[str] = []
        self.client = OoniApi(
            api.url,
            cache,
            pace=RequestPace(between=0.0, timeout=5.0),
            sleep=self.waits.append,
            now=lambda: now,
            on_delay=self.said.append,
        )

    def fetch(self, until: datetime = END) -> list[str]:
        """Ids of everything that a question gives."""
        try:
            return [
                one["measurement_uid"] for page in self.client.pages(QUERY, until) for one in page
            ]
        finally:
            self.client.close()


def _ids(api: FakeApi) -> list[str]:
    return [one["measurement_uid"] for one in api.measurements]


def test_every_page_is_read_and_we_say_who_we_are(api: FakeApi, tmp_path: Path) -> None:
    """Pages follow `next_url`, at the address asked for even where it names another."""
    assert Client(api, tmp_path).fetch() == _ids(api)
    assert len(api.asked) == 5
    assert api.agents == {USER_AGENT}


def test_what_was_fetched_is_not_fetched_again(api: FakeApi, tmp_path: Path) -> None:
    """The second time nothing is asked."""
    first = Client(api, tmp_path).fetch()
    asked = len(api.asked)
    assert Client(api, tmp_path).fetch() == first
    assert len(api.asked) == asked


@pytest.mark.parametrize("damage", [b'{"asked": "\xff"}', b"[" * 100_000, b"", b"{}"])
def test_a_stored_answer_that_is_damaged_is_fetched_again(
    api: FakeApi, tmp_path: Path, damage: bytes
) -> None:
    """Whatever a full disk or another program left of it."""
    first = Client(api, tmp_path).fetch()
    for file in tmp_path.glob("*.json"):
        file.write_bytes(damage)
    assert Client(api, tmp_path).fetch() == first


def test_a_time_that_is_not_over_is_asked_about_again(api: FakeApi, tmp_path: Path) -> None:
    """Probes report late: an answer about the last days is good for an hour."""
    Client(api, tmp_path, END + timedelta(hours=1)).fetch()
    asked = len(api.asked)
    Client(api, tmp_path, END + timedelta(hours=1, minutes=30)).fetch()
    assert len(api.asked) == asked
    Client(api, tmp_path, END + timedelta(hours=3)).fetch()
    assert len(api.asked) == 2 * asked


def test_an_interrupted_fetch_goes_on_where_it_stopped(api: FakeApi, tmp_path: Path) -> None:
    """Pages that were read before a failure are not asked for again after it."""
    ok = [api.answer("/api/v1/measurements?" + "&".join(f"{k}={v}" for k, v in QUERY.items()))]
    api.asked.clear()
    api.failures = [*ok, *[(500, {}, b"")] * 6]
    with pytest.raises(ReplayError, match="goes on from there"):
        Client(api, tmp_path).fetch()
    assert len(api.asked) == 1 + 6
    api.asked.clear()
    assert Client(api, tmp_path).fetch() == _ids(api)
    assert len(api.asked) == 4


@pytest.mark.parametrize(
    "failure",
    [
        (500, {}, b"oops"),
        (502, {}, b"<html>bad gateway</html>"),
        (200, {}, b'{"metadata": {"next_url": null}, "results": [{"measurement_uid": "1"'),
        (200, {}, b"<html>a page</html>"),
        (200, {}, b'{"error": "no such thing"}'),
        (200, {"Content-Length": "1000"}, b'{"results": []'),
    ],
    ids=["500", "502", "truncated", "html", "other JSON", "cut off"],
)
def test_a_failure_is_tried_again_after_longer_and_longer(
    api: FakeApi, tmp_path: Path, failure: Reply
) -> None:
    """Three times in a row; nothing broken is kept or passed on."""
    if "Content-Length" in failure[1]:
        # The server holds the connection open; the client must not wait for ever.
        failure = (failure[0], {**failure[1], "Connection": "close"}, failure[2])
    api.failures = [failure] * 3
    client = Client(api, tmp_path)
    assert client.fetch() == _ids(api)
    assert client.waits == [2.0, 4.0, 8.0]
    assert len(client.said) == 3


def test_retry_after_is_obeyed(api: FakeApi, tmp_path: Path) -> None:
    """As seconds and as a date."""
    date = format_datetime(LATER + timedelta(seconds=90), usegmt=True)
    api.failures = [(429, {"Retry-After": "37"}, b""), (429, {"Retry-After": date}, b"")]
    client = Client(api, tmp_path)
    assert client.fetch() == _ids(api)
    assert client.waits == [37.0, 90.0]


def test_a_refusal_is_not_argued_with(api: FakeApi, tmp_path: Path) -> None:
    """One request, and the server's words."""
    api.failures = [(400, {}, b'{"error": "bad date"}')]
    with pytest.raises(ReplayError, match=r"400.*bad date"):
        Client(api, tmp_path).fetch()
    assert len(api.asked) == 1


def test_requests_are_spaced(api: FakeApi, tmp_path: Path) -> None:
    """Between the starts of two requests lies at least the pause asked for."""
    waits: list[float] = []
    client = OoniApi(api.url, tmp_path, pace=RequestPace(between=60.0), sleep=waits.append)
    list(client.pages(QUERY, END))
    client.close()
    assert len(waits) == 4
    assert all(50 < wait <= 60 for wait in waits)


def _command(api: FakeApi, cache: Path, *more: str) -> Result:
    return CliRunner().invoke(
        app,
        [
            *("replay", "ooni", "--country", "PK", "--platform", "x"),
            *("--since", "2024-02-01", "--until", "2024-03-15", "--json"),
            *("--api", api.url, "--cache", str(cache), *more),
        ],
    )


def test_the_command_finds_the_block(api: FakeApi, tmp_path: Path) -> None:
    """One event of both networks, onset within two hours, nothing else on standard output."""
    done = _command(api, tmp_path)
    assert done.exit_code == 0, done.output
    (event,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (event["country"], event["platform"]) == ("PK", "x")
    assert event["networks"] == [9541, 17557]
    assert event["state"] == "confirmed"
    early, late = (datetime.fromisoformat(event[f"onset_{b}"]) for b in ("earliest", "latest"))
    assert BEGUN - timedelta(hours=2) <= early < BEGUN <= late < BEGUN + timedelta(hours=2)
    assert "480 of 480 rows" in done.stderr


def test_what_fails_in_the_neighbours_too_is_no_block(tmp_path: Path) -> None:
    """X stops answering in Pakistan, India and Afghanistan at once. The command asks for rows of
    the neighbours and of the other platforms by itself, and accuses nobody."""
    everywhere = [
        {**one, "probe_cc": country, "measurement_uid": one["measurement_uid"] + country}
        for country in ("PK", "IN", "AF")
        for one in blocked_since(BEGUN, days=15, asns=(17557,))
    ]
    with served(FakeApi(everywhere)) as api:
        done = _command(api, tmp_path, "--since", "2024-02-10", "--until", "2024-03-01")
        assert done.exit_code == 0, done.output
        assert done.stdout == ""
        asked = "".join(api.asked)
    assert "probe_cc=IN%2CAE%2CAF%2CIR" in asked
    assert "telegram%2Cwhatsapp" in asked
    assert "www.instagram.com" in asked


def test_every_country_has_others_to_read_beside_it() -> None:
    """Two at least, itself never, and all of them countries."""
    for code in COUNTRIES:
        beside = neighbours(code)
        assert len(beside) >= 2
        assert code not in beside
        assert set(beside) <= set(COUNTRIES)


def test_the_command_says_what_it_needs(api: FakeApi, tmp_path: Path) -> None:
    """A bad address, a country missing: exit 2 and why."""
    bad = CliRunner().invoke(app, ["replay", "ooni", "--platform", "x", "--since", "2024-02-01"])
    assert bad.exit_code == 2
    assert "--country" in bad.stderr
    bad = _command(api, tmp_path, "--api", "ftp://example.org")
    assert (bad.exit_code, "--api" in bad.stderr) == (2, True)
    bad = _command(api, tmp_path, "--until", "2024-01-01")
    assert (bad.exit_code, "is not before “2024-01-01”" in bad.stderr) == (2, True)
