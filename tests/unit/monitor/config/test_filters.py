"""A filter that is mistyped is an error on every surface, never an empty success."""

import asyncio
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from monitor.config.filters import FilterError, Filters, checked
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.wording.languages import LANGUAGES
from storage.open_store import open_store
from storage.values.names import Names
from storage.values.steady_clock import utc_now
from tests.contract.cycles import cycle, event, log_entry
from tests.prometheus import world
from tests.worlds.http_client import httpx

# Midnight may pass while the tests run.
AHEAD = f"{utc_now() + timedelta(days=30):%Y-%m-%d}"
COUNTRY = {
    "Pakistan": "Did you mean “PK” (Pakistan)?",
    "PAK": "is not a country code",
    "X": "is not a country code",
    "ZZ": "is not a country code",
}
PLATFORM = {
    "twitter": "Did you mean “x”?",
    "X": "Did you mean “x”?",
    "nosuch": "is in no catalogue",
}
TIMES = {
    "since=2024-13-01": "is not a date or time",
    "until=2024-13-01": "is not a date or time",
    "since=yesterday": "is not a date or time",
    "since=2024-02-18&until=2024-02-17": "is not before “2024-02-17”",
    "since=2024-02-17&until=2024-02-17": "is not before “2024-02-17”",
    f"since={AHEAD}": "is in the future",
}
NETWORK = {
    "asn=AS0": "no network “AS0” is configured",
    "asn=99999": "no network “99999” is configured",
    "asn=ptcl": "Did you mean “AS17557” (PTCL)?",
    "asn=nosuch": "no network “nosuch” is configured",
}
PLACE = {
    **{f"country={given}": said for given, said in COUNTRY.items()},
    **{f"platform={given}": said for given, said in PLATFORM.items()},
}
COMMANDS = (
    *(f"export csv {kind}" for kind in ("events", "stretches", "verdicts", "measurements")),
    *("export csv availability", "export csv reviews", "export parquet verdicts"),
    *("export xlsx events", "export package", "export ooni", "event list", "replay db"),
    "rejudge --dry-run",
)


class Installation:
    """A configuration, and a database with a platform and a country that are no longer watched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.url = f"sqlite:///{folder / 'shutwatch.db'}"
        self.config = folder / "shutwatch.toml"
        self.config.write_text(
            f'database = "{self.url}"\n[[vantage]]\nid = "khi-ptcl"\ncountry = "PK"\n'
            'asn = 17557\nnetwork = "PTCL"\n'
        )
        asyncio.run(self._fill())

    async def _fill(self) -> None:
        store = open_store(self.url, create=True)
        await store.open()
        gone = event("e-gone", platform="orkut", country="BR")
        await store.save(cycle(1), [event(), gone], [log_entry(1, event()), log_entry(1, gone)])
        await store.close()

    def run(self, command: str, query: str) -> Result:
        """A command with the options of a query string."""
        options = [part for one in query.split("&") for part in one.split("=", 1)]
        named = [f"--{part}" if n % 2 == 0 else part for n, part in enumerate(options)]
        if command.startswith("export"):
            named += [str(self.out)] if command.endswith("package") else ["-o", str(self.out)]
        return CliRunner().invoke(app, [*command.split(), *named, "-c", str(self.config)])

    def get(self, path: str) -> httpx.Response:
        """An answer of the program that serves this database."""

        async def ask() -> httpx.Response:
            store = open_store(self.url)
            await store.open()
            publisher = world.x_blocked_on_two_of_three()
            served = create_app(publisher, create_registry(publisher), store=store)
            try:
                async with httpx.AsyncClient(
                    transport=httpx.ASGITransport(app=served), base_url="http://monitor"
                ) as client:
                    return await client.get(path)
            finally:
                await store.close()

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """One installation for all: nothing here writes to it."""
    return Installation(tmp_path_factory.mktemp("filters"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_a_mistyped_filter(here: Installation, command: str) -> None:
    """Exit code 2, no file, nothing on standard output, and the option with what is wrong."""
    for query, said in {**PLACE, **TIMES}.items():
        done = here.run(command, query)
        found = (query, done.exit_code, done.stdout, here.out.exists())
        assert found == (query, 2, "", False), done.output
        if not (command.startswith("rejudge") and "platform" in query):
            assert f"--{query.split('=')[0]}: “" in done.stderr
            assert said in done.stderr, query


def test_a_mistyped_time_zone_is_refused(here: Installation) -> None:
    """With the zone that is meant; and one for rows whose times are in UTC is refused as well."""
    for given, said in (
        ("Karachi", "Did you mean “Asia/Karachi”?"),
        ("asia/karachi", "Did you mean “Asia/Karachi”?"),
        ("nosuch", "is not the name of a time zone"),
    ):
        done = here.run("export csv availability", f"timezone={given}")
        assert (done.exit_code, done.stdout) == (2, "")
        assert said in done.stderr
    done = here.run("export csv events", "timezone=Asia/Karachi")
    assert (done.exit_code, "for availability alone" in done.stderr) == (2, True)


def test_times_without_an_offset_are_of_the_zone() -> None:
    """Midnight in Karachi is 19:00 UTC of the day before; a time with an offset stays itself."""
    now = utc_now()
    asked = Filters(timezone="Asia/Karachi", since="2024-02-17", until="2024-02-18T00:00Z")
    selection = checked(asked, Names(), now)
    assert f"{selection.since:%Y-%m-%dT%H:%M}" == "2024-02-16T19:00"
    assert f"{selection.until:%Y-%m-%dT%H:%M}" == "2024-02-18T00:00"
    assert (selection.timezone, checked(Filters(), Names(), now).timezone) == (
        "Asia/Karachi",
        "UTC",
    )


@pytest.mark.parametrize("command", ["annotate list", "export csv annotations"])
def test_annotations_may_be_dated_in_advance(here: Installation, command: str) -> None:
    """An election is known before it is held; every other mistake is refused as elsewhere."""
    for query, said in {**PLACE, **TIMES}.items():
        done = here.run(command, query)
        if AHEAD in query:
            assert done.exit_code == 0
            here.out.unlink(missing_ok=True)
        else:
            assert (done.exit_code, done.stdout, said in done.stderr) == (2, "", True), query


def test_a_report_refuses_a_mistyped_filter(here: Installation) -> None:
    """As every other command; it needs a country, a platform and a start."""
    whole = {"country": "PK", "platform": "x", "since": "2024-02-17"}
    for query, said in {**PLACE, **TIMES}.items():
        wrong = dict(part.split("=") for part in query.split("&"))
        asked = "&".join("=".join(part) for part in {**whole, **wrong}.items())
        done = here.run(f"report -o {here.folder / 'r.zip'}", asked)
        assert (done.exit_code, said in done.stderr) == (2, True), query
    assert not (here.folder / "r.zip").exists()


@pytest.mark.parametrize(
    "path", ["events", "stretches", "verdicts", "measurements", "availability"]
)
@pytest.mark.parametrize("end", ["", ".csv"])
def test_the_api_refuses_a_mistyped_filter(here: Installation, path: str, end: str) -> None:
    """Status 400 and a problem that names the parameter, and the value that may be meant."""
    for query, said in {**PLACE, **TIMES, **NETWORK}.items():
        answer = here.get(f"/api/v1/{path}{end}?{query}")
        assert answer.status_code == 400, query
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert said in problem["detail"], query
        assert problem["parameter"] == query.split("=")[0]
    suggested = here.get(f"/api/v1/{path}{end}?country=Pakistan").json()["suggestion"]
    assert suggested == "PK"
    assert here.get(f"/api/v1/{path}{end}?asn=ptcl").json()["suggestion"] == "AS17557"


def test_the_api_refuses_an_unknown_state_vantage_or_event(here: Installation) -> None:
    """Neither selects nothing with success."""
    state = here.get("/api/v1/events?state=Confirmd").json()
    assert (state["status"], state["suggestion"]) == (400, "confirmed")
    vantage = here.get("/api/v1/verdicts?vantage=khi-pctl").json()
    assert (vantage["status"], vantage["suggestion"]) == (400, "khi-ptcl")
    assert here.get("/api/v1/vantages?vantage=nosuch").status_code == 400
    for path in ("events", "events.csv", "verdicts", "measurements.csv"):
        answer = here.get(f"/api/v1/{path}?event=nosuch")
        assert (answer.status_code, answer.json()["parameter"]) == (404, "event")


PAGE = {
    **PLACE,
    "state=blocked": "“blocked” is not a possible value",
    "state=Confirmd": "Did you mean “confirmed”?",
    "days=8": "“8” is not a possible value",
    "since=2024-02-17": "There is no filter “since” here",
    "until=2024-13-01": "There is no filter “until” here",
    "asn=17557": "There is no filter “asn” here",
}


def test_the_page_says_which_filter_is_wrong(here: Installation) -> None:
    """An alert in place of a list that would read as no events, and a link to what may be meant."""
    for query, said in PAGE.items():
        answer = here.get(f"/events?{query}")
        text = unescape(answer.text).replace('<bdi dir="auto">', "").replace("</bdi>", "")
        text = text.replace('<bdi dir="ltr">', "")
        assert answer.status_code == 400, query
        assert 'role="alert"' in text
        assert said in text, query
        assert "No events in this time" not in text
    assert 'href="events?country=PK&amp;days=7"' in here.get("/events?country=Pakistan&days=7").text
    for language in LANGUAGES:
        assert here.get(f"/events?platform=nosuch&lang={language.code}").status_code == 400


def test_the_page_of_a_country_by_another_name_leads_to_it(here: Installation) -> None:
    """Its own address has the code in capitals."""
    for name in ("pk", "Pakistan"):
        answer = here.get(f"/countries/{name}")
        assert (answer.status_code, 'href="../countries/PK"' in answer.text) == (404, True)
    assert "Did you mean" not in here.get("/countries/nowhere").text


RIGHT = ("country=pk", "country=PK&platform=x", "country=BR", "platform=orkut", "since=2024-02-17")


@pytest.mark.parametrize("query", RIGHT)
def test_what_is_known_or_stored_is_found(here: Installation, query: str) -> None:
    """Small letters make the same country, and what is stored stays known when it is no longer
    watched."""
    done = here.run("event list --json", query)
    assert (done.exit_code, done.stdout != "") == (0, True), done.output
    found = here.get(f"/api/v1/events?{query}")
    assert (found.status_code, found.json()["data"] != []) == (200, True)
    if "since" not in query:
        assert here.get(f"/events?{query}&days=365").status_code == 200


def test_references_are_known_among_measurements_alone(here: Installation) -> None:
    """Measurements of a vantage's own health have no platform."""
    assert here.get("/api/v1/measurements?platform=reference").status_code == 200
    assert here.get("/api/v1/events?platform=reference").status_code == 400
    assert here.run("export csv measurements", "platform=reference").exit_code == 0
    here.out.unlink()
    assert here.run("event list", "platform=reference").exit_code == 2


def test_a_network_is_found_by_its_number_in_any_form(here: Installation) -> None:
    """Also one that only an event names."""
    for asn in ("17557", "AS17557", "as17557", "9541"):
        assert here.get(f"/api/v1/events?asn={asn}").status_code == 200


def test_what_a_reader_wrote_moves_nothing(here: Installation) -> None:
    """Control characters are written out, and a long text is cut."""
    awkward = quote("\u202e<script>" + "y" * 100)
    problem = here.get(f"/api/v1/events?platform={awkward}").json()["detail"]
    assert "\\u202e<script>" in problem
    assert "y" * 60 not in problem
    shown = here.get(f"/events?platform={awkward}").text
    assert shown.count("<script>") == 1, "ours"


def test_as0_is_known_where_a_network_has_no_number() -> None:
    """A vantage whose AS number is not configured is in AS0."""
    known = Names(networks=frozenset({(0, "home")}))
    assert checked(Filters(asn="AS0"), known, utc_now()).asn == 0
    with pytest.raises(FilterError) as error:
        checked(Filters(asn="AS1"), known, utc_now())
    assert msgspec.to_builtins(error.value.wrong)["known"] == ("AS0",)
