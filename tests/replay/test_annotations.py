"""What others published, beside events: read in the shapes of the services, never evidence."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.cli.main import app
from monitor.config.catalog import shipped_catalog
from monitor.replay.annotations import IODA, OONI, RADAR, Annotation, annotations_in
from monitor.replay.imported_row import ReplayError
from monitor.replay.platform_of import PlatformLookup

NAMES = PlatformLookup(shipped_catalog())
BEGUN = datetime(2024, 2, 17, tzinfo=UTC)
STAMP = BEGUN.timestamp()


def _changepoint(domain: str = "twitter.com", **more: Any) -> dict[str, Any]:
    return {
        "probe_asn": 17557,
        "probe_cc": "PK",
        "domain": domain,
        "start_time": "2024-02-17T12:00:00Z",
        "count": 12,
        "tls_blocked": 0.7,
        "dns_isp_blocked": None,
        "change_dir": "up",
        "current_state": "ok",
        "block_type": "tls_blocked",
        **more,
    }


def _outage(location: str = "country/PK", **more: Any) -> dict[str, Any]:
    return {
        "location": location,
        "start": STAMP,
        "duration": 7200,
        "method": "median",
        "datasource": "bgp",
        "status": 0,
        "score": 2160.0,
        "overlaps_window": False,
        **more,
    }


_OF_COUNTRY = {"datasource": "bgp", "entity": {"type": "country", "code": "PK"}}


def _read(tmp_path: Path, content: object, name: str = "some.json") -> list[Annotation]:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return annotations_in(path, NAMES)


def test_changepoints_of_ooni(tmp_path: Path) -> None:
    """The platform by its site, the layer in either spelling; sites of nobody are left out."""
    answer = {
        "results": [
            _changepoint(),
            _changepoint("example.org"),
            _changepoint(
                start_time="2024-03-01T00:00:00Z", change_dir="down", block_type="tls_block"
            ),
        ]
    }
    first, last = _read(tmp_path, answer)
    assert (first.source, first.country, first.asn, first.platform) == (OONI, "PK", 17557, "x")
    assert (first.start, first.end) == (BEGUN + timedelta(hours=12), None)
    assert first.text == "blocking of twitter.com begins on AS17557 (tls)"
    assert last.text == "blocking of twitter.com ends on AS17557 (tls)"


@pytest.mark.parametrize("packed", ["json", "csv"])
def test_outages_of_ioda(tmp_path: Path, packed: str) -> None:
    """Countries and networks, in the format for other programs; one that was never closed is left
    out, one that goes on has no end."""
    outages = [
        _outage(),
        _outage("asn/17557", datasource="ping-slash24", overlaps_window=True),
        _outage("asn/64500", duration=1_209_600, overlaps_window=True),
        _outage("region/1234"),
    ]
    content: object = {"type": "outages.events", "error": None, "data": outages}
    if packed == "csv":
        lines = [",".join(outages[0]), *(",".join(map(str, one.values())) for one in outages)]
        content = "\n".join(lines)
    country, network = _read(tmp_path, content, f"ioda.{packed}")
    assert (country.source, country.country, country.asn) == (IODA, "PK", 0)
    assert (country.start, country.end) == (BEGUN, BEGUN + timedelta(hours=2))
    assert country.text == "BGP falls"
    assert (network.country, network.asn, network.end) == ("", 17557, None)


def test_alerts_of_ioda_are_joined(tmp_path: Path) -> None:
    """From the first alert to the one that all is normal; one without stays open."""
    entity = {"type": "country", "code": "PK", "name": "Pakistan", "attrs": {}}
    alerts = [
        {"entity": entity, "time": STAMP + 3600 * hour, "level": level, "datasource": source}
        for hour, level, source in (
            (0, "critical", "bgp"),
            (1, "warning", "bgp"),
            (3, "normal", "bgp"),
            (2, "critical", "ping-slash24"),
        )
    ]
    bgp, probing = _read(tmp_path, {"type": "outages.alerts", "data": alerts})
    assert (bgp.start, bgp.end) == (BEGUN, BEGUN + timedelta(hours=3))
    assert (probing.end, probing.text) == (None, "active probing falls")


@pytest.mark.parametrize("packed", ["json", "csv"])
def test_outages_of_cloudflare(tmp_path: Path, packed: str) -> None:
    """As the API answers them, and as a table with names for people."""
    content: object = {
        "success": True,
        "result": {
            "annotations": [
                {
                    "id": "1",
                    "asns": [17557],
                    "locations": ["PK"],
                    "startDate": "2024-02-17T03:00:00Z",
                    "endDate": None,
                    "outage": {"outageCause": "GOVERNMENT_DIRECTED", "outageType": "NETWORK"},
                }
            ]
        },
    }
    if packed == "csv":
        content = (
            "Start Date,End Date,Locations,ASNs,Outage Type,Outage Cause\n"
            "2024-02-17T03:00:00Z,,PK,AS17557,NETWORK,GOVERNMENT_DIRECTED\n"
        )
    (one,) = _read(tmp_path, content, f"radar.{packed}")
    assert (one.source, one.country, one.asn, one.end) == (RADAR, "PK", 17557, None)
    assert one.text == "network, government directed on AS17557"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": None, "error": "'from' timestamp must be set"}, "refused: 'from'"),
        ({"results": [{"some": "thing"}]}, "nothing to put beside events"),
        ({"results": [_changepoint(), _changepoint(probe_asn="none")]}, "entry 2: .*probe_asn"),
        ({"results": [_changepoint(change_dir="sideways")]}, "entry 1: .*change_dir"),
        *(
            ({"results": [_changepoint(start_time=text)]}, "entry 1: start_time: .*1970 to 2199")
            for text in ("9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00")
        ),
        *(
            ({"data": [_outage(), _outage() | {name: value}]}, f"entry 2: .*{name}")
            for name in ("start", "duration")
            for value in (99999999999999999, 1e300, -5)
        ),
        (
            {"data": [{**_OF_COUNTRY, "level": "critical", "time": 99999999999999999}]},
            "entry 1: .*time",
        ),
        ({"data": [{**_OF_COUNTRY, "from": STAMP, "until": 1e300}]}, "entry 1: .*until"),
        (
            {
                "result": {
                    "annotations": [{"locations": ["PK"], "startDate": "9999-12-31T23:59:59-05:00"}]
                }
            },
            "entry 1: startdate: ",
        ),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('"text"', "nothing to put|neither"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: object, message: str) -> None:
    """The file, the entry and the field."""
    with pytest.raises(ReplayError, match=rf"some.json: {message}"):
        _read(tmp_path, content)


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_what_is_wrong_in_a_table_is_named_by_its_line(tmp_path: Path, sign: str) -> None:
    """Whatever stands between its cells."""
    text = sign.join(("location", "start", "duration")) + "\n"
    text += "".join(sign.join(("country/PK", str(STAMP), lasts)) + "\n" for lasts in ("60", "long"))
    with pytest.raises(ReplayError, match=r"outages.csv:3: .*duration"):
        _read(tmp_path, text, "outages.csv")
    (one,) = _read(tmp_path, text.rpartition("country")[0], "outages.csv")
    assert one.country == "PK"


@pytest.mark.parametrize(
    ("whole", "cut"),
    [
        (
            "startDate,locations,asns,x,endDate\n2024-02-17T03:00:00Z,PK,,,2024-02-17T20:00:00Z\n",
            "2024-03-01T10:00:00Z,PK,,",
        ),
        (
            "location,start,duration,datasource,overlaps_window\ncountry/PK,1708160000,60,bgp,false\n",
            "country/PK,1708200000,36",
        ),
    ],
)
def test_a_last_line_that_is_cut_off_is_no_outage(tmp_path: Path, whole: str, cut: str) -> None:
    """It became one without an end, or one of a tenth of its time."""
    assert len(_read(tmp_path, whole, "some.csv")) == 1
    with pytest.raises(ReplayError, match=r"some.csv:3: \d columns where the header has 5"):
        _read(tmp_path, whole + cut, "some.csv")


def test_cells_may_have_lines_of_their_own(tmp_path: Path) -> None:
    """Within quotes, and what only some programs take for the end of a line."""
    text = (
        "Start Date,Locations,ASNs,Outage Cause,Description\r\n"
        '2024-02-17T03:00:00Z,PK,,CABLE_CUT,"One,\r\nand another"\r\n'
        "2024-02-18T03:00:00Z,PK,,POWER_OUTAGE,a\u2028b\r\n"
    )
    path = tmp_path / "radar.csv"
    path.write_bytes(text.encode())
    assert [one.text for one in annotations_in(path, NAMES)] == [
        "outage, cable cut",
        "outage, power outage",
    ]


@pytest.mark.parametrize("locations", [["AS", "PK"], "AS, PK"])
def test_american_samoa_is_a_country(tmp_path: Path, locations: object) -> None:
    """Its code is what stands before the number of a network."""
    entry = {"startDate": "2024-02-17T03:00:00Z", "locations": locations, "asns": ["AS9751", 17557]}
    found = _read(tmp_path, {"result": {"annotations": [entry]}})
    assert {(one.country, one.asn) for one in found} == {
        (country, asn) for country in ("AS", "PK") for asn in (9751, 17557)
    }


def test_they_stand_beside_the_events_of_their_place_and_time(tmp_path: Path) -> None:
    """On the page and in the JSON, with the credit they ask for; another month or country does
    not, and no annotation makes an event."""
    lines = ["measurement_start_day,probe_cc,domain,measurement_count,anomaly_count,failure_count"]
    lines += [
        f"{BEGUN + timedelta(days=day):%Y-%m-%d},PK,twitter.com,50,{45 if day >= 0 else 1},0"
        for day in range(-30, 20)
    ]
    rows, ioda = tmp_path / "rows.csv", tmp_path / "ioda.json"
    rows.write_text("\n".join(lines))
    outages = [_outage(), _outage("country/IN"), _outage(start=STAMP - 20 * 86400)]
    ioda.write_text(json.dumps({"data": outages}))
    done = CliRunner().invoke(app, ["replay", str(rows), "--annotate", str(ioda), "--json"])
    assert done.exit_code == 0, done.output
    (event,) = [json.loads(line) for line in done.stdout.splitlines()]
    (annotation,) = event["annotations"]
    assert (annotation["source"], annotation["text"]) == (IODA, "BGP falls")
    done = CliRunner().invoke(app, ["replay", str(rows), "--annotate", str(ioda)])
    assert "IODA: 2024-02-17 00:00 … 2024-02-17 02:00  BGP falls" in done.stdout
    assert "all rights reserved" in done.stdout
    done = CliRunner().invoke(app, ["replay", str(ioda)])
    assert (done.exit_code, "--annotate" in done.stderr) == (2, True)
