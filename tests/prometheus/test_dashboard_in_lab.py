"""The Grafana dashboards during a real block: packets, monitor, Prometheus, every query."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.e2e.running import wait_for
from tests.prometheus import lab_block
from tests.prometheus.boards import ANNOTATIONS, QUERIES, VARIABLES, asked_of, filled
from tests.prometheus.lab_block import Stage

NOTES = f"""\
since,country,kind,text,source
{datetime.now(UTC):%Y-%m-%d},PK,election,General election,https://news.example/election
"""

pytestmark = [pytest.mark.lab, pytest.mark.prometheus, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """X blocked on two of three networks in two ways, while TikTok is down for everybody."""
    with lab_block.staged() as stage:
        notes = stage.lab.directory / "notes.csv"
        notes.write_text(NOTES)
        config = str(stage.lab.directory / "shutwatch.toml")
        imported = ["shutwatch", "annotate", "import", str(notes), "--config", config]
        stage.lab.run(imported, check=True, timeout=120)
        stage.lab.network("ptcl").block(sni=lab_block.X, how="reset")
        stage.lab.network("zong").block(dns=lab_block.X, how="nxdomain")
        stage.lab.internet.down(*lab_block.TIKTOK)
        blocked = {"ptcl": "blocked", "jazz": "ok", "zong": "blocked"}
        wait_for(
            lambda: (
                stage.states("x") == blocked
                and stage.event() == "confirmed"
                and "outage" in stage.circumstances()
                and stage.prometheus.value('shutwatch_circumstance_state{kind="outage"}')
                and stage.prometheus.query("shutwatch_platform_transfer_ratio")
                # Its size is asked once a minute.
                and stage.prometheus.query("deriv(shutwatch_database_size_bytes[1d]) > 0")
                and stage.prometheus.query("shutwatch_annotation_since_timestamp_seconds")
            ),
            "the block and the outage",
            240,
        )
        yield stage


def test_every_query_has_data(stage: Stage) -> None:
    """Panels, variables and annotations: each of their queries finds something."""
    asked = {str(query): query.target["expr"] for query in QUERIES}
    # Nothing is only suspected by now.
    marks = [one for one in ANNOTATIONS if one["name"] != "Suspected blocks"]
    asked |= {f"annotation {one['name']}": one["expr"] for one in marks}
    questions: list[dict[str, object]] = [{"query": filled(one)} for one in asked.values()]
    answers = stage.ask("query", questions)
    empty = [
        name
        for name, found in zip(asked, answers, strict=True)
        if not found or any(sample["value"][1] == "NaN" for sample in found)
    ]
    assert empty == []
    for variable in VARIABLES[1:]:
        query, label = asked_of(variable)
        if "query_result" in variable["query"]["query"]:
            assert stage.prometheus.query(filled(query))
        elif label != "cluster":  # the example has none
            assert stage.prometheus.label_values(label, filled(query))


def test_the_block_is_on_the_boards(stage: Stage) -> None:
    """The methods, the alert and the annotation are those of this block, and of nothing else."""
    by = {str(query): filled(query.target["expr"]) for query in QUERIES}
    methods = {
        (one.labels["asn"], one.labels["method"], one.labels["sub_method"])
        for one in stage.prometheus.query(by["timeline-Methods by network-A"])
        if one.labels["platform"] == "x"
    }
    assert methods == {("17557", "tls", "reset"), ("59257", "dns", "nxdomain")}
    alerts = {
        (one.labels["alertname"], one.labels.get("platform"))
        for one in stage.prometheus.query(by["overview-Firing alerts-A"])
    }
    assert ("ShutwatchPlatformBlockConfirmed", "x") in alerts
    assert not any(
        name.startswith("ShutwatchPlatformBlock") and platform != "x" for name, platform in alerts
    )
    (marked,) = stage.prometheus.query(filled(ANNOTATIONS[0]["expr"]))
    assert marked.labels == {"country": "PK", "country_name": "Pakistan", "platform": "x"}
