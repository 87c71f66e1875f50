"""Responses of the API: rows, columns, files, ETags, and problems with a reason."""

import csv
import io
from datetime import datetime

import msgspec
import pytest

from monitor.analysis.events.event import EventState, Stretch
from monitor.export.csv import write_csv
from monitor.server.api.resources import RESOURCES, Resource
from storage.store import Store
from storage.values.rollup import DEFINITION
from storage.values.selection import Selection
from tests.contract.cycles import at, cycle, event
from tests.worlds.build import START
from tests.worlds.http_client import httpx

LISTED = [resource for resource in RESOURCES if resource.name != "vantages"]


async def rows(client: httpx.AsyncClient, path: str, **params: str) -> list[dict[str, object]]:
    """The rows of one page."""
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["data"]
    return found


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
async def test_a_page_has_the_columns_of_the_file(
    operator: httpx.AsyncClient, resource: Resource
) -> None:
    """Every row of JSON has exactly the columns of the CSV file, with equal values."""
    found = await rows(operator, resource.name, limit="1000")
    answer = await operator.get(f"{resource.name}.csv")
    assert answer.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert f'filename="shutwatch-{resource.name}.csv"' in answer.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert found
    assert len(lines) == len(found)
    for row, line in zip(found, lines, strict=True):
        assert list(row) == list(line) == [column.name for column in resource.columns]
        for column in resource.columns:
            value, text = row[column.name], line[column.name]
            match value:
                case None:
                    written = ""
                case bool():
                    written = "true" if value else "false"
                case list():
                    written = (" | " if column.unit == "names" else " ").join(value)
                case float():
                    written = repr(value)
                case _:
                    written = str(value)
            # Only files have the apostrophe that keeps a cell from running.
            assert written.replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize("resource", LISTED, ids=lambda resource: resource.name)
async def test_a_file_is_the_one_of_the_command_line(
    operator: httpx.AsyncClient, store: Store, resource: Resource
) -> None:
    """Byte for byte."""
    out = io.StringIO(newline="")
    await write_csv(resource.name, store, Selection(country="PK"), out)
    answer = await operator.get(f"{resource.name}.csv", params={"country": "pk"})
    assert answer.content == out.getvalue().encode()


async def test_filters_select(operator: httpx.AsyncClient) -> None:
    """Each filter keeps exactly the matching rows."""
    verdicts = await rows(operator, "verdicts", limit="1000")
    for name, value in (
        ("country", "BR"),
        ("platform", "x"),
        ("vantage", "odd"),
        ("state", "blocked"),
    ):
        found = await rows(operator, "verdicts", limit="1000", **{name: value})
        assert found == [row for row in verdicts if row[name] == value]
        assert 0 < len(found) < len(verdicts)
    for written in ("45669", "AS45669"):
        assert {row["asn"] for row in await rows(operator, "measurements", asn=written)} == {45669}
    since, until = "2024-02-17T12:05:00Z", "2024-02-17T17:10:00+05:00"
    within = await rows(operator, "measurements", since=since, until=until)
    assert {str(row["started_at"])[:16] for row in within} == {"2024-02-17T12:05"}


async def test_a_plus_sign_that_was_not_escaped_is_understood(operator: httpx.AsyncClient) -> None:
    """`+05:00` typed into a browser arrives with a space."""
    right = await operator.get("measurements?until=2024-02-17T17:10:00%2B05:00")
    typed = await operator.get("measurements?until=2024-02-17T17:10:00+05:00")
    assert right.json()["data"] == typed.json()["data"] != []


async def test_an_event_selects_its_evidence(operator: httpx.AsyncClient) -> None:
    """`event` selects its country, its platform, and its time until it ended."""
    (one,) = await rows(operator, "events", event="event-2")
    assert one["platform"] == "facebook"
    assert one["end_latest"] == "2024-02-17T12:11:40.000000Z"
    for name, time in (("verdicts", "judged_at"), ("measurements", "started_at")):
        found = await rows(operator, name, event="event-2")
        assert {(row["country"], row["platform"]) for row in found} == {("PK", "facebook")}
        assert all("12:00" <= str(row[time])[11:16] <= "12:11" for row in found)
        assert found


async def test_an_event_selects_the_attempts_that_found_it_first(
    operator: httpx.AsyncClient, store: Store
) -> None:
    """A block that was there from the first measurement is dated by the end of that: it began
    before, and belongs to the event."""
    known = await rows(operator, "measurements", country="BR", platform="x")
    first = min(datetime.fromisoformat(str(row["started_at"])) for row in known)
    after = (first - START).total_seconds() + 30
    begun = event("event-4", country="BR", onset_earliest=None, onset_latest=after)
    await store.save(cycle(20), [begun])
    found = await rows(operator, "measurements", event="event-4")
    assert min(datetime.fromisoformat(str(row["started_at"])) for row in found) == first


async def test_an_event_selects_the_verdicts_that_show_its_end(
    store: Store, operator: httpx.AsyncClient, anybody: httpx.AsyncClient
) -> None:
    """They are judged after the measurement by which the end is dated. What was judged after the
    event closed is left out."""
    over = event("event-5", state=EventState.ENDED, end_latest=901, updated=960)
    await store.save(cycle(5), [over])
    found = await rows(operator, "verdicts", event="event-5", vantage="khi-ptcl")
    assert str(found[-1]["judged_at"])[11:19] == "12:16:00"
    assert "m-khi-ptcl-000003-x-0" in {row["measurement_id"] for row in found}
    public = await rows(anybody, "verdicts", event="event-5")
    assert {str(row["judged_at"])[11:19] for row in public} >= {"12:15:00"}
    measured = await rows(operator, "measurements", event="event-5", vantage="khi-ptcl")
    assert str(measured[-1]["started_at"])[11:19] == "12:15:01"
    late = await operator.get("verdicts?event=event-5&since=2024-02-17T12:17Z")
    assert (late.status_code, late.json()["parameter"]) == (400, "since")


async def test_only_stretches_in_the_time_asked_for_are_listed(
    store: Store, operator: httpx.AsyncClient
) -> None:
    """Of an event that was over in between; each keeps its number. Page and file agree."""
    at_first, again = (
        Stretch(
            onset_earliest=at(start),
            onset_latest=at(start + 60),
            end_earliest=at(start + 120),
            end_latest=at(start + 180),
        )
        for start in (0, 7200)
    )
    twice = event("event-5", platform="x", country="LK", end_latest=7380, state=EventState.ENDED)
    network, *_ = twice.networks
    network = msgspec.structs.replace(network, asn=1, stretches=(at_first, again))
    twice = msgspec.structs.replace(twice, networks=(network,))
    await store.save(cycle(5, country="LK"), [twice])
    for since, until, numbers in (
        ("12:00", "15:00", [1, 2]),
        ("12:00", "12:30", [1]),
        ("13:30", "15:00", [2]),
        ("12:30", "13:30", []),
    ):
        asked = {
            "country": "LK",
            "since": f"2024-02-17T{since}Z",
            "until": f"2024-02-17T{until}Z",
        }
        found = await rows(operator, "stretches", **asked)
        assert [(row["asn"], row["stretch"]) for row in found] == [
            (asn, number) for asn in (None, 1) for number in numbers
        ]
        assert {row["stretches"] for row in found} <= {2}
        assert len(await rows(operator, "events", **asked)) == 1
        file = await operator.get("stretches.csv", params=asked)
        lines = list(csv.DictReader(io.StringIO(file.text, newline="")))
        assert [line["onset_latest"] for line in lines] == [row["onset_latest"] for row in found]
        page = (await operator.get("stretches", params={**asked, "limit": "1"})).json()
        listed = page["data"]
        for _ in found[1:]:
            page = (await operator.get(f"http://monitor{page['next']}")).json()
            listed += page["data"]
        assert (listed, page["next"]) == (found, None)


async def test_availability_says_how_it_is_computed(operator: httpx.AsyncClient) -> None:
    """By hour or day, by network or country; every row has the definition, in JSON and CSV."""
    apart = await rows(operator, "availability", country="BR", platform="x")
    assert [(row["asn"], row["blocked"], row["availability"]) for row in apart] == [(17557, 4, 0.0)]
    together = await rows(
        operator, "availability", country="PK", platform="x", period="day", by="country"
    )
    assert len(together) == 1
    assert together[0] | {"definition": ""} == {
        "country": "PK",
        "platform": "x",
        "asn": None,
        "network": None,
        "period": "day",
        "starts_at": "2024-02-17T00:00:00.000000Z",
        "availability": 1.0,
        "coverage": round(2 / 48, 6),
        "judged": 5,
        "reachable": 5,
        "ok": 5,
        "degraded": 0,
        "throttled": 0,
        "blocked": 0,
        "down": 0,
        "insufficient": 0,
        "hours_seen": 2,
        "networks_count": 2,
        "definition": "",
        "timezone": "UTC",
        "local_start": "2024-02-17T00:00+00:00",
        "partial": [],
        "counted_from": None,
        "counted_until": None,
    }
    file = await operator.get("availability.csv?period=day")
    lines = list(csv.DictReader(io.StringIO(file.text, newline="")))
    assert {row["definition"] for row in (*apart, *lines)} == {DEFINITION}


async def test_availability_is_counted_by_local_time_and_cut_where_asked(
    operator: httpx.AsyncClient,
) -> None:
    """17:10 in Karachi is 12:10 UTC: of that hour the rest is counted, and the row says so."""
    asked = {"country": "PK", "platform": "x", "timezone": "Asia/Karachi"}
    day, *more = await rows(operator, "availability", **asked, period="day", by="country")
    assert more == []
    assert (day["starts_at"], day["local_start"]) == (
        "2024-02-16T19:00:00.000000Z",
        "2024-02-17T00:00+05:00",
    )
    since = "2024-02-17T17:10"
    first, *_ = await rows(operator, "availability", **asked, since=since, asn="17557")
    assert (first["ok"], first["partial"]) == (2, ["selected"])
    assert first["counted_from"] == "2024-02-17T12:10:00.000000Z"
    month, *_ = await rows(operator, "availability", **asked, period="month", by="country")
    assert (month["judged"], month["timezone"]) == (day["judged"], "Asia/Karachi")
    file = await operator.get("availability.csv", params={**asked, "period": "month"})
    lines = list(csv.DictReader(io.StringIO(file.text, newline="")))
    assert {line["local_start"] for line in lines} == {"2024-02-01T00:00+05:00"}


@pytest.mark.parametrize("zone", ["Karachi", "asia", "UTC+5", "../../etc/passwd", "\0", "x" * 300])
async def test_a_time_zone_that_is_none_is_refused(operator: httpx.AsyncClient, zone: str) -> None:
    """With what it takes, and what may have been meant."""
    answer = await operator.get("availability", params={"timezone": zone})
    assert answer.status_code == 400
    problem = answer.json()
    assert (problem["parameter"], "time zone" in problem["detail"]) == ("timezone", True)
    if zone == "Karachi":
        assert problem["suggestion"] == "Asia/Karachi"


async def test_vantages_come_with_their_health(operator: httpx.AsyncClient) -> None:
    """Every vantage that reported comes once; the usual filters select."""
    found = await rows(operator, "vantages")
    assert [row["vantage"] for row in found] == ["gru-claro", "khi-ptcl", "odd"]
    assert {row["state"] for row in found} == {"ok"}
    assert len(await rows(operator, "vantages", country="BR")) == 1
    assert await rows(operator, "vantages", state="offline") == []


async def test_nothing_finer_than_a_network_is_public(anybody: httpx.AsyncClient) -> None:
    """For the public no row, file, cursor or problem names a vantage."""
    seen = ""
    for name in ("events", "verdicts", "measurements"):
        for path in (name, f"{name}.csv"):
            params = {"limit": "1"} if path == name else {}
            answer = await anybody.get(path, params=params)
            assert answer.status_code == 200
            seen += answer.text
    assert "AS17557" in seen
    for secret in ("khi-ptcl", "gru-claro", "192.0.2.53"):
        # Ids of cycles and measurements hold the vantage in these made-up cycles alone.
        assert secret not in seen.replace("m-khi-ptcl", "").replace("m-gru-claro", "")
    for path in ("vantages", "vantages.csv", "verdicts?vantage=khi-ptcl"):
        refused = await anybody.get(path)
        assert refused.status_code == 403
        assert refused.headers["content-type"] == "application/problem+json"


async def test_a_public_cursor_reveals_nothing(
    anybody: httpx.AsyncClient, operator: httpx.AsyncClient
) -> None:
    """It works and cannot be read. A plain one is refused."""
    first = (await anybody.get("verdicts", params={"limit": "1"})).json()
    second = (await anybody.get(f"http://monitor{first['next']}")).json()
    assert second["data"] != first["data"]
    plain = (await operator.get("verdicts", params={"limit": "1"})).json()["next"]
    assert plain.split("cursor=")[1] not in first["next"]
    assert (await anybody.get(f"http://monitor{plain}")).status_code == 400


@pytest.mark.parametrize("path", ["events", "verdicts", "measurements", "vantages", "openapi.json"])
async def test_an_unchanged_body_is_not_sent_again(operator: httpx.AsyncClient, path: str) -> None:
    """The ETag, in any of its forms, gives 304 and no body; another one gives the page."""
    first = await operator.get(path)
    etag = first.headers["etag"]
    for tag in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        again = await operator.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    other = await operator.get(path, headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


PATHS = ["openapi.json", *(f"{one.name}{end}" for one in RESOURCES for end in ("", ".csv"))]


@pytest.mark.parametrize("path", PATHS)
async def test_methods_are_those_of_reading(operator: httpx.AsyncClient, path: str) -> None:
    """HEAD has the headers of GET, OPTIONS lists the methods, and others are refused."""
    get, head = await operator.get(path), await operator.head(path)
    assert head.status_code == 200
    assert head.content == b""
    for name in ("content-type", "content-disposition", "etag"):
        assert head.headers.get(name) == get.headers.get(name)
    options = await operator.options(path)
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
        refused = await operator.request(method, path)
        assert (refused.status_code, refused.json()["status"]) == (405, 405)
        assert refused.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("since=yesterday", "since"),
        ("since=0001-01-01T00:00%2B14:00", "since"),
        ("until=2024-13-01", "until"),
        ("country=PAK", "country"),
        ("country=", "country"),
        ("asn=4294967296", "asn"),
        ("asn=-1", "asn"),
        ("asn=%D9%A3", "asn"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("state=sad", "state"),
        ("platform=x%00", "platform"),
        ("cursor=", "cursor"),
        ("cursor=WyJldmVudHMiXQ", "cursor"),
        ("country=PK&country=BR", "country"),
        ("plattform=x", "plattform"),
    ],
)
async def test_a_refusal_names_the_parameter(
    operator: httpx.AsyncClient, query: str, parameter: str
) -> None:
    """As problem+json, with what it accepts."""
    answer = await operator.get(f"verdicts?{query}")
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["parameter"]) == (400, 400, parameter)
    assert len(problem["detail"]) > 10


async def test_a_similar_name_is_suggested(operator: httpx.AsyncClient) -> None:
    """A mistyped parameter gets a suggestion."""
    problem = (await operator.get("verdicts?plattform=x")).json()
    assert "did you mean platform?" in problem["detail"]


@pytest.mark.parametrize("path", ["nothing", "events/", "events/event-1", ""])
async def test_an_unknown_path_is_a_problem_too(operator: httpx.AsyncClient, path: str) -> None:
    """It lists the resources, and redirects nowhere."""
    answer = await operator.get(f"http://monitor/api/v1/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unknown_event_is_a_problem(operator: httpx.AsyncClient) -> None:
    """It returns neither all rows nor none."""
    answer = await operator.get("verdicts?event=none")
    assert (answer.status_code, answer.json()["parameter"]) == (404, "event")
    for name, moment in (("since", "2024-02-18"), ("until", "2024-02-01")):
        beside = await operator.get(f"verdicts?event=event-2&{name}={moment}")
        assert (beside.status_code, beside.json()["parameter"]) == (400, name)
    other = await operator.get("verdicts?event=event-1&country=BR")
    assert (other.status_code, other.json()["parameter"]) == (400, "country")


@pytest.mark.parametrize("path", ["events", "events.csv", "verdicts.csv", "vantages"])
async def test_a_failing_store_gives_503_without_its_file_name(
    operator: httpx.AsyncClient, store: Store, path: str
) -> None:
    """Before a single byte of a file is sent."""
    await store.close()
    answer = await operator.get(path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "store.db" not in answer.text
