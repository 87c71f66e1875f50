"""Files of rows: the formats that are known, and what is said of those that are wrong."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.analysis.events.event import EventState
from monitor.analysis.events.settings import EventSettings
from monitor.config.catalog import shipped_catalog
from monitor.replay.formats import RowCounts, RowFilter
from monitor.replay.imported_row import ReplayError, Row
from monitor.replay.platform_of import PlatformLookup
from monitor.replay.replay import replay_rows
from monitor.replay.row_files import rows_in

NAMES = PlatformLookup(shipped_catalog())
LIST = "measurement_uid,t,test,asn,anomaly,blocking\n"
ANALYSIS = (
    "domain,probe_cc,probe_asn,measurement_start_time,top_tls_failure,dns_blocked,dns_down,dns_ok,"
    "tcp_blocked,tcp_down,tcp_ok,tls_blocked,tls_down,tls_ok\n"
)
COUNTS = (
    "measurement_start_day,probe_cc,test_name,measurement_count,ok_count,anomaly_count,"
    "confirmed_count,failure_count\n"
)


def _rows(
    tmp_path: Path,
    text: str,
    *,
    name: str = "some.csv",
    tally: RowCounts | None = None,
    platform: str = "",
) -> list[Row]:
    path = tmp_path / name
    path.write_text(text)
    return rows_in(path, NAMES, RowFilter(platform=platform), tally or RowCounts())


def test_a_list_of_measurements(tmp_path: Path) -> None:
    """Country and time from where they stand, the method from OONI's word for it."""
    (row,) = _rows(
        tmp_path,
        LIST + "20231108083552.1_KE_telegram_a,2023-11-08 08:35:52+00:00,telegram,12455,1,web\n",
    )
    assert row == Row(
        at=datetime(2023, 11, 8, 8, 35, 52, tzinfo=UTC),
        until=datetime(2023, 11, 8, 8, 35, 52, tzinfo=UTC),
        country="KE",
        asn=12455,
        platform="telegram",
        test="telegram",
        failed=1.0,
        methods=("http.failure",),
        uid="20231108083552.1_KE_telegram_a",
    )


@pytest.mark.parametrize("backwards", [False, True])
def test_a_row_is_of_when_it_was_measured_and_not_of_when_its_run_began(
    tmp_path: Path, backwards: bool
) -> None:
    """OONI's answers have both, and programs sort columns as they like."""
    line = {
        "measurement_start_time": "2020-10-29T04:59:31Z",
        "probe_asn": "AS17557",
        "probe_cc": "PK",
        "test_name": "telegram",
        "anomaly": True,
        "test_start_time": "2020-10-29T04:12:41Z",
    }
    line = dict(reversed(line.items())) if backwards else line
    (row,) = _rows(tmp_path, json.dumps({"results": [line]}), name="some.json")
    assert row.at == datetime(2020, 10, 29, 4, 59, 31, tzinfo=UTC)


def test_web_rows_that_do_not_say_of_what_are_of_the_platform_around_them(tmp_path: Path) -> None:
    """Of the only application tested in the file, or named by the file, or by the caller."""
    web = "20231108083552.1_KE_webconnectivity_a,2023-11-08,web_connectivity,1,0,\n"
    app = "20231108083552.1_KE_whatsapp_a,2023-11-08,whatsapp,1,0,\n"
    tally = RowCounts()
    assert {row.platform for row in _rows(tmp_path, LIST + web + app, tally=tally)} == {"whatsapp"}
    assert (tally.site, tally.rows) == ("whatsapp", 2)
    (row,) = _rows(tmp_path, LIST + web, name="ooni_ke_telegram_2023.csv")
    assert row.platform == "telegram"
    (row,) = _rows(tmp_path, LIST + web, platform="x")
    assert row.platform == "x"
    with pytest.raises(ReplayError, match=r"some.csv:2: .*--platform"):
        _rows(tmp_path, LIST + web)
    assert tally.site == "whatsapp"
    semicolons = (LIST + web + app).replace(",", ";")
    assert {row.platform for row in _rows(tmp_path, semicolons)} == {"whatsapp"}
    columns = LIST.strip().split(",")
    listed = [dict(zip(columns, line.strip().split(","), strict=True)) for line in (web, app)]
    found = _rows(tmp_path, json.dumps(listed), name="some.json")
    assert {row.platform for row in found} == {"whatsapp"}


@pytest.mark.parametrize(
    ("domain", "platform", "part"),
    [
        ("twitter.com", "x", ""),
        ("mobile.twitter.com", "x", ""),
        ("pbs.twimg.com", "x", "pictures"),
        ("www.whatsapp.com", "whatsapp", ""),
        ("telegram.org", "telegram", ""),
        ("t.me", "telegram", "links"),
        ("www.signal.org", "signal", ""),
        ("googleapis.com", "", ""),
        ("example.org", "", ""),
    ],
)
def test_domains_belong_to_platforms(domain: str, platform: str, part: str) -> None:
    """A site and its subdomains, but not whoever shares a parent with it."""
    found = NAMES.of_domain(domain)
    assert (found.platform, found.part) == (platform, part) if found else not platform


SCORES = {
    "reset": ("connection_reset", "0,0,0.9,0,0,1,0.8,0.2,0", 0.8, ("tls.reset",)),
    "lying DNS": ("", "0.95,0.05,0,0,0,0,0,0,0", 0.95, ("dns.failure",)),
    "site down": ("", "0,0,0.9,0.25,0.75,0,0,0,0", None, ()),
    "all well": ("", "0,0,0.9,0,0,1,0,0,1", 0.0, ()),
    "answers differ, the certificate fits": ("", "0.75,0,0.25,0,0,1,0,0,1", 0.0, ()),
    "answers differ, nothing reached": ("", "0.75,0,0.25,0,0,0,0,0,0", 0.75, ("dns.failure",)),
    "no data": ("", "0,0,0,0,0,0,0,0,0", None, ()),
    "name alone": ("", "0,0,0.9,0,0,0,0,0,0", None, ()),
}


@pytest.mark.parametrize("case", SCORES)
def test_analysis_rows_are_read_layer_by_layer(tmp_path: Path, case: str) -> None:
    """What is blocked beyond doubt accuses; what is down, or not reached, says nothing."""
    failure, scores, failed, methods = SCORES[case]
    line = f"twitter.com,PK,17557,2024-02-17 18:00:00.000,{failure},{scores}\n"
    rows = _rows(tmp_path, ANALYSIS + line)
    if failed is None:
        assert rows == []
    else:
        assert [(row.platform, row.asn, row.methods) for row in rows] == [("x", 17557, methods)]
        assert rows[0].failed == pytest.approx(failed)


@pytest.mark.parametrize("number", ["AS0", "0"])
def test_rows_without_a_network_are_not_of_the_whole_country(tmp_path: Path, number: str) -> None:
    """OONI writes AS0 where it does not know the network; counts of all of them name none."""
    listed = LIST + f"20231108083552.1_KE_telegram_a,2023-11-08,telegram,{number},1,\n"
    header = COUNTS.replace("test_name", "test_name,probe_asn")
    counted = header + f"2024-01-01,MY,whatsapp,{number},10,10,0,0,0\n"
    for text in (listed, counted):
        (row,) = _rows(tmp_path, text)
        assert (row.asn, row.nationwide) == (0, False)
        assert row.network_without_number == "unknown network"
    together = COUNTS + "2024-01-01,MY,whatsapp,10,10,0,0,0\n"
    for text in (together, counted.replace(f",{number},", ",,")):
        (row,) = _rows(tmp_path, text)
        assert row.nationwide
        assert row.network_without_number == "all networks"


def test_rows_over_a_vpn_or_refused_by_ooni_show_nothing(tmp_path: Path) -> None:
    """As in what a source follows live."""
    header = "measurement_start_time,test_name,probe_cc,probe_asn,anomaly,network_type,"
    line = "2024-02-17T00:00:00Z,telegram,PK,AS17557,true,"
    says = ("wifi,unverified", "vpn,unverified", "mobile,failed", ",verified")
    text = f"{header}verification_status\n" + "".join(f"{line}{one}\n" for one in says)
    tally = RowCounts()
    assert len(_rows(tmp_path, text, tally=tally)) == 2
    assert tally.silent == 2


def test_rows_that_nobody_judged_yet_show_nothing(tmp_path: Path) -> None:
    """`anomaly` is null until OONI has read a measurement: it ends no block. A known block page
    needs no other word."""
    line = {
        "measurement_start_time": "2024-02-17T00:00:00Z",
        "test_name": "telegram",
        "probe_cc": "PK",
        "probe_asn": "AS17557",
    }
    says = ((None, False), (None, True), (False, False), (True, None))
    lines = [{**line, "anomaly": anomaly, "confirmed": sure} for anomaly, sure in says]
    tally = RowCounts()
    rows = _rows(tmp_path, json.dumps({"results": lines}), name="some.json", tally=tally)
    assert [row.failed for row in rows] == [1.0, 0.0, 1.0]
    assert tally.silent == 1
    table = LIST + "".join(f",2023-11-08,telegram,12455,{word},\n" for word in ("", "\\N", "f"))
    path = tmp_path / "table.csv"
    path.write_text(table)
    assert len(rows_in(path, NAMES, RowFilter(country="KE"), RowCounts())) == 1


def test_rows_of_no_country_hide_no_block(tmp_path: Path) -> None:
    """OONI writes ZZ where it cannot locate a phone, as often in the country that blocks: the block
    of one country is no fault that began in two."""
    text = "measurement_start_time,test_name,probe_cc,probe_asn,anomaly\n"
    start = datetime(2025, 3, 3, tzinfo=UTC)
    for asn in (64512, 64513, 64514, 0):
        country = "PK" if asn else "ZZ"
        for number in range(160):
            at = start + timedelta(hours=3 * number, minutes=asn % 7)
            text += f"{at:%Y-%m-%dT%H:%M:%SZ},telegram,{country},{asn},{80 <= at.day * 8 < 120}\n"
    tally = RowCounts()
    rows = _rows(tmp_path, text, tally=tally)
    assert tally.silent == 160
    (event,) = replay_rows(rows, NAMES, EventSettings()).events
    assert (event.country, event.state) == ("PK", EventState.ENDED)
    assert event.networks_affected == (64512, 64513, 64514)


def test_rows_told_three_times_are_no_block(tmp_path: Path) -> None:
    """Downloads that overlap, one after the other in a file without ids: one failure by chance on
    each of three networks stays one."""
    start = datetime(2025, 3, 3, tzinfo=UTC)
    lines = []
    for asn in (64512, 64513, 64514):
        for number in range(160):
            at = start + timedelta(hours=3 * number, seconds=asn % 97)
            lines.append(f"{at:%Y-%m-%dT%H:%M:%SZ},telegram,PK,{asn},{number == 80}\n")
    text = "measurement_start_time,test_name,probe_cc,probe_asn,anomaly\n"
    rows = _rows(tmp_path, text + "".join(lines * 3))
    once = _rows(tmp_path, text + "".join(lines))
    told = replay_rows(rows, NAMES, EventSettings())
    assert told.events == replay_rows(once, NAMES, EventSettings()).events == ()


def test_a_list_that_names_no_site_is_of_the_platform_that_is_given(tmp_path: Path) -> None:
    """Whoever asked for one site alone has no column for it."""
    text = "measurement_start_time,probe_cc,probe_asn,anomaly\n2024-02-17,PK,AS17557,true\n"
    (row,) = _rows(tmp_path, text, platform="x")
    assert (row.platform, row.failed) == ("x", 1.0)
    with pytest.raises(ReplayError, match=r"some.csv:2: .*--platform"):
        _rows(tmp_path, text)


def test_cells_between_semicolons_are_read_too(tmp_path: Path) -> None:
    """As a spreadsheet saves CSV where the comma is in numbers."""
    text = COUNTS + "2024-01-01,MY,whatsapp,100,90,5,1,4\n"
    assert _rows(tmp_path, text.replace(",", ";")) == _rows(tmp_path, text)


def test_counts_of_one_site_as_they_are_downloaded(tmp_path: Path) -> None:
    """One site in one country, by day: neither stands in the file, so both are said. The same in
    CSV and in JSON."""
    days = [
        {
            "anomaly_count": 3,
            "confirmed_count": 1,
            "failure_count": 2,
            "measurement_count": 50,
            "measurement_start_day": f"2024-02-1{day}",
            "ok_count": 44,
        }
        for day in range(5, 9)
    ]
    lines = [",".join(days[0]), *(",".join(map(str, day.values())) for day in days)]
    (tmp_path / "ooni-aggregate.csv").write_text("\n".join(lines))
    answer = {"v": 0, "dimension_count": 1, "db_stats": {}, "result": days}
    (tmp_path / "ooni-aggregate.json").write_text(json.dumps(answer))
    wanted = RowFilter(country="PK", platform="x")
    for name in ("ooni-aggregate.csv", "ooni-aggregate.json"):
        rows = rows_in(tmp_path / name, NAMES, wanted, RowCounts())
        assert [(row.country, row.platform, row.total, row.failed) for row in rows] == [
            ("PK", "x", 48, 4.0)
        ] * 4
        assert rows[0].until - rows[0].at == timedelta(days=1)
        with pytest.raises(ReplayError, match="--country"):
            rows_in(tmp_path / name, NAMES, RowFilter(platform="x"), RowCounts())
        with pytest.raises(ReplayError, match="--platform"):
            rows_in(tmp_path / name, NAMES, RowFilter(country="PK"), RowCounts())


def test_what_ooni_thinks_of_an_interval(tmp_path: Path) -> None:
    """Scores in an object of their own: one row for each network and day, however many
    measurements stand behind it, and with its end."""
    scores = {
        "dns_blocked": 0.0, "dns_down": 0.1, "dns_ok": 0.9,
        "tcp_blocked": 0.0, "tcp_down": 0.0, "tcp_ok": 1.0,
        "tls_blocked": 0.8, "tls_down": 0.1, "tls_ok": 0.1,
        "tls_blocked_outcome": "connection_reset", "blocked_max": 0.8,
    }  # fmt: skip
    results = [
        {
            "count": 40.0,
            "measurement_start_day": f"2026-01-0{day}T00:00:00",
            "loni": scores,
            "domain": "twitter.com",
            "probe_cc": "PK",
            "probe_asn": 17557,
            "test_name": "web_connectivity",
            "input": None,
        }
        for day in (2, 3)
    ]
    text = json.dumps({"db_stats": {}, "dimension_count": 1, "results": results})
    first, _ = _rows(tmp_path, text, name="analysis.json")
    assert (first.platform, first.asn, first.total, first.methods) == (
        "x", 17557, 1, ("tls.reset",)
    )  # fmt: skip
    assert first.failed == pytest.approx(0.8)
    assert first.until - first.at == timedelta(days=1)


OBSERVED = (
    "measurement_uid,measurement_start_time,probe_cc,probe_asn,test_name,hostname,network_type,"
    "dns_engine,dns_failure,tcp_failure,tls_failure,tls_cipher_suite,http_failure,"
    "http_response_status_code,software_version\n"
)


def test_observations_of_one_measurement_are_one_row(tmp_path: Path) -> None:
    """A row for each address: it failed where none was reached, or where the name failed. Lines
    over a VPN, and lookups by a resolver of OONI's choice, say nothing of the network."""
    begin = "2024-02-17 18:00:00,PK,17557,web_connectivity,twitter.com"
    lines = [
        f"a,{begin},wifi,,,generic_timeout_error,,,,,3.19",
        f"a,{begin},wifi,,,,,TLS_AES_128_GCM_SHA256,,200,3.19",
        f"b,{begin},wifi,,,,connection_reset,,,,3.19",
        f"b,{begin},wifi,udp,dns_nxdomain_error,,,,,,3.19",
        f"c,{begin},mobile,system,dns_nxdomain_error,,,,,,3.19",
        f"c,{begin},mobile,,,,,TLS_AES_128_GCM_SHA256,,200,3.19",
        f"d,{begin},vpn,,,,connection_reset,,,,3.19",
    ]
    tally = RowCounts()
    rows = _rows(tmp_path, OBSERVED + "\n".join(lines), tally=tally)
    assert {row.uid: (row.failed, row.methods) for row in rows} == {
        "a": (0.0, ()),
        "b": (1.0, ("tls.reset",)),
        "c": (1.0, ("dns.nxdomain",)),
    }
    assert {row.version for row in rows} == {"3.19"}
    assert tally.silent == 2


def test_observations_without_an_id_are_each_their_own(tmp_path: Path) -> None:
    """An export that left the ids out: blocked on three networks for three days, and open on one
    since. One row that says open would be no block at all."""
    blocked = [
        f",2024-02-1{day} 10:00:00,PK,{asn},web_connectivity,x.com,wifi,,,,connection_reset,,,,3.19"
        for day in (5, 6, 7)
        for asn in (17557, 9541, 45669)
    ]
    passed = ",2024-02-18 10:00:00,PK,17557,web_connectivity,x.com,wifi,,,,,TLS_AES_128,,200,3.19"
    rows = _rows(tmp_path, OBSERVED + "\n".join([*blocked, passed]))
    assert len(rows) == 10
    assert sum(row.failed for row in rows) == 9
    assert {row.asn for row in rows if row.failed} == {17557, 9541, 45669}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"msg": "Axis X and Y cannot be the same", "v": 0}, "OONI refused: Axis X"),
        ({"error": "quota exceeded"}, "OONI refused: quota exceeded"),
        ({"detail": [{"msg": "Field required"}]}, "OONI refused: .*Field required"),
        ({"v": 0, "result": {"anomaly_count": 1, "measurement_count": 9}}, "axis_x="),
    ],
)
def test_answers_without_rows_say_why(
    tmp_path: Path, answer: dict[str, object], message: str
) -> None:
    """A refusal with status 200, and counts without a day."""
    with pytest.raises(ReplayError, match=message):
        _rows(tmp_path, json.dumps(answer), name="answer.json")


def test_gzip_and_json_are_read_too(tmp_path: Path) -> None:
    """The same rows packed, as an answer of the API, and one object a line."""
    row = {
        "measurement_uid": "20240217000000.1_PK_webconnectivity_a",
        "measurement_start_time": "2024-02-17T00:00:00Z",
        "test_name": "web_connectivity",
        "probe_asn": "AS17557",
        "probe_cc": "PK",
        "input": "https://twitter.com/",
        "anomaly": True,
        "confirmed": False,
        "failure": False,
    }
    answer = _rows(tmp_path, json.dumps({"results": [row], "metadata": {}}), name="a.json")
    lines = _rows(tmp_path, json.dumps(row) + "\n" + json.dumps(row) + "\n", name="a.jsonl")
    assert lines == answer * 2
    strange = {**row, "title": "a\u2028b"}
    for end in ("\n", "\r\n"):
        text = "".join(json.dumps(one, ensure_ascii=False) + end for one in (strange, row))
        assert _rows(tmp_path, text, name="b.jsonl") == answer * 2
    assert (answer[0].platform, answer[0].asn, answer[0].failed) == ("x", 17557, 1.0)
    packed = tmp_path / "a.csv.gz"
    text = LIST + "20231108083552.1_KE_telegram_a,2023-11-08,telegram,12455,1,web\n"
    packed.write_bytes(gzip.compress(text.encode()))
    assert len(rows_in(packed, NAMES, RowFilter(), RowCounts())) == 1


def test_what_is_not_wanted_is_left_out(tmp_path: Path) -> None:
    """By country, platform and time; what belongs to no platform is counted."""
    text = COUNTS + "".join(
        f"2024-01-0{day},{country},{test},10,10,0,0,0\n"
        for day in (1, 2, 3)
        for country in ("MY", "TH")
        for test in ("whatsapp", "telegram", "tor")
    )
    tally = RowCounts()
    path = tmp_path / "some.csv"
    path.write_text(text)
    wanted = RowFilter(
        country="TH",
        platform="telegram",
        since=datetime(2024, 1, 2, tzinfo=UTC),
        until=datetime(2024, 1, 3, tzinfo=UTC),
    )
    (row,) = rows_in(path, NAMES, wanted, tally)
    assert (row.country, row.platform, row.at.day) == ("TH", "telegram", 2)
    assert (tally.rows, tally.kept, tally.unknown) == (18, 1, 6)


UID = "20231108083552.1_KE_telegram_a"
WRONG = {
    "no time": (LIST + f"{UID},yesterday,telegram,1,0,\n", ":2: column t: 'yesterday'"),
    "beyond all calendars": (
        LIST + f"{UID},0001-01-01T00:00:00+05:00,telegram,1,0,\n",
        ":2: column t: '0001-01-01T00:00:00.05:00' is no time from 1970 to 2199",
    ),
    "the last day": (
        COUNTS + "9999-12-31,MY,whatsapp,5,0,1,0,0\n",
        ":2: column measurement_start_day: '9999-12-31'",
    ),
    "no flag": (LIST + f"{UID},2023-11-08,telegram,1,maybe,\n", ":2: column anomaly: 'maybe'"),
    "no network": (LIST + f"{UID},2023-11-08,telegram,one,0,\n", ":2: column asn: 'one'"),
    "a column short": (LIST + f"{UID},2023-11-08,telegram,1\n", ":2: 4 columns where .* has 6"),
    "after blank lines": (f"\n\n{LIST}{UID},x,telegram,1,0,\n", ":4: column t"),
    "an object cut off, after a blank line": ('\n{"a": 1}\n{"a": 2', ":3: not JSON"),
    "second line": (
        LIST + f"{UID},2023-11-08,telegram,1,0,\n{UID},x,telegram,1,0,\n",
        ":3: column t",
    ),
    "no country": (LIST + "a,2023-11-08,telegram,1,0,\n", ":2: column country.*--country"),
    "other columns": ("a,b\n1,2\n", ":1: no rows that can be replayed"),
    "half the columns": ("anomaly,test\n1,telegram\n", ":1: .*without a column time.*asn"),
    "no score": (
        ANALYSIS + "x.com,PK,1,2024-02-17,,2,0,0,0,0,0,0,0,0\n",
        ":2: column dns_blocked: '2'",
    ),
    "more than all": (
        COUNTS + "2024-01-01,MY,whatsapp,5,0,6,0,0\n",
        ":2: column anomaly_count: '6'",
    ),
    "half a row": (COUNTS + "2024-01-01,MY,whatsapp,5.5,0,0,0,0\n", "measurement_count: '5.5'"),
    "an open quote": (LIST + f'"{UID}\n', ":2: not CSV"),
    "nothing": ("", "no rows that can be replayed"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    """File, line and column, and the value that stands there."""
    text, message = WRONG[case]
    with pytest.raises(ReplayError, match=f"some.csv.*{message}"):
        _rows(tmp_path, text)
