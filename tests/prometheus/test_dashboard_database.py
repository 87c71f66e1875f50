"""The SQL panels of the evidence dashboard, asked of a real PostgreSQL as Grafana would ask."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
import yaml
from psycopg.rows import dict_row

from monitor.analysis.verdict import State
from probes.measurement import Purpose, TlsObservation
from storage.open_store import sql_store
from tests.contract.cycles import at, cycle, event, log_entry, measurement
from tests.prometheus.boards import DOCUMENTS, FOLDER, FURTHER, NAMES
from tests.worlds.postgresql import Cluster

pytestmark = pytest.mark.postgres

BOARD = DOCUMENTS["shutwatch-evidence"]
ROWS = [panel for panel in BOARD["panels"] if panel["type"] == "row"]
CLOSED = [row for row in ROWS if row["collapsed"]]
PANELS: dict[str, dict[str, Any]] = {
    panel["title"]: panel for row in CLOSED for panel in row["panels"]
}
RESET = TlsObservation(
    start=0.1,
    duration=0.1,
    failure="connection_reset",
    address="192.0.2.1",
    port=443,
    server_name="x.com",
)
Row = dict[str, Any]


def filled(sql: str, **chosen: tuple[str, ...]) -> str:
    """The query as Grafana sends it: its bounds of time, and variables as patterns or all."""

    def variable(found: re.Match[str]) -> str:
        name, format_ = found.groups()
        assert (name in NAMES, format_) == (True, "regex")
        values = [re.sub(r"[\\^$*+?.()|[\]{}/]", r"\\\g<0>", one) for one in chosen.get(name, ())]
        if not values:
            return ".*"
        return values[0] if len(values) == 1 else f"({'|'.join(values)})"

    sql = re.sub(r"\$\{(\w+):(\w+)\}", variable, sql)
    sql = sql.replace("$__timeFrom()", f"'{at(0):%Y-%m-%dT%H:%M:%SZ}'")
    return sql.replace("$__timeTo()", f"'{at(7200):%Y-%m-%dT%H:%M:%SZ}'")


@pytest.fixture
async def reader(cluster: Cluster, database: str) -> AsyncIterator[psycopg.Connection[Row]]:
    """A user who can only read, on a database with an hour of a block seen on one network."""
    store = sql_store(cluster.url(database))
    await store.open()
    failed = measurement("failed", 300, endpoint="https://x.com/", observations=(RESET,))
    failed = msgspec.structs.replace(failed, reached=False, network="Côte d'Or (Nord)")
    seen = measurement("seen", 302, endpoint="https://x.com/", vantage="control")
    seen = msgspec.structs.replace(seen, look=Purpose.CONTROL, vantage_role="control")
    early = msgspec.structs.replace(seen, id="early", started_at=at(200))
    found = event("one")
    await store.save(
        cycle(1, state=State.BLOCKED, measurements=(failed, seen, early)),
        [found],
        [log_entry(1, found)],
    )
    await store.close()
    function = f"reader_{database}"
    with psycopg.connect(cluster.url(database), autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {function} LOGIN")
        owner.execute(f"GRANT USAGE ON SCHEMA public TO {function}")
        owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {function}")
    url = cluster.url(database).replace("shutwatch@", f"{function}@", 1)
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("SET TIME ZONE 'Asia/Karachi'")
        yield connection
    with psycopg.connect(cluster.url(database), autocommit=True) as owner:
        owner.execute(f"DROP OWNED BY {function}")
        owner.execute(f"DROP ROLE {function}")


def ask(reader: psycopg.Connection[Row], title: str, **chosen: tuple[str, ...]) -> list[Row]:
    """The rows of one panel."""
    (target,) = PANELS[title]["targets"]
    return reader.execute(filled(target["rawSql"], **chosen)).fetchall()


async def test_every_panel_has_data(reader: psycopg.Connection[Row]) -> None:
    """Each query runs as a user who can only read, and finds something."""
    assert len(PANELS) == 4
    assert [title for title in PANELS if not ask(reader, title)] == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("DELETE FROM measurement")


async def test_a_failure_stands_beside_the_control_that_followed(
    reader: psycopg.Connection[Row],
) -> None:
    """A failed look shows its layer, its failure, and a control's look that began after it."""
    (row,) = ask(reader, "Failed measurements, each next to its control")
    assert (row["Layer"], row["Failure"]) == ("tls", "connection_reset")
    assert (row["Control"], row["Control vantage"]) == ("reached", "control")
    assert row["Time"] == at(300)


@pytest.mark.parametrize("title", PANELS)
async def test_variables_narrow(reader: psycopg.Connection[Row], title: str) -> None:
    """What is chosen is held to: another country or platform finds nothing, several find theirs."""
    assert not ask(reader, title, country=("BR",))
    assert not ask(reader, title, platform=("whatsapp",))
    assert ask(reader, title, country=("BR", "PK"), platform=("x", "tiktok"))


async def test_names_cannot_break_a_query(reader: psycopg.Connection[Row]) -> None:
    """A network whose name holds quotes and brackets is found by its name, and does no harm."""
    panel = "Failed measurements, each next to its control"
    assert ask(reader, panel, network=("Côte d'Or (Nord)",))
    assert not ask(reader, panel, network=("'; DROP TABLE measurement; --",))


def test_the_row_is_closed_and_complete() -> None:
    """Who has no PostgreSQL sees no errors: the row is the last and closed; its panels have the
    provisioned source, a description and a text for no data."""
    assert ROWS[-1:] == CLOSED
    sources = yaml.safe_load(
        Path(FOLDER, "provisioning/datasources/shutwatch-postgresql.yaml").read_text()
    )
    (source,) = sources["datasources"]
    assert source["editable"] is False
    wanted = {"type": source["type"], "uid": "${database}"}
    (variable,) = FURTHER["shutwatch-evidence"]
    assert (variable["name"], variable["query"]) == ("database", source["type"])
    tops = [panel["gridPos"]["y"] for panel in PANELS.values()]
    assert tops == sorted(set(tops))
    for panel in PANELS.values():
        assert panel["datasource"] == wanted == panel["targets"][0]["datasource"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["noValue"] == "no data"
