"""`shutwatch rejudge` and `export csv --rejudging`, as people and scripts use them."""

import asyncio
import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from monitor.analysis.verdict import Evidence, PlatformVerdict, State, Verdict
from monitor.cli.main import app
from probes.testing import VirtualClockLoop
from storage.open_store import sql_store
from storage.values.compression import pack, unpack
from storage.values.cycle import Cycle
from tests.contract.cycles import rejudging
from tests.lab.certificates import authority
from tests.worlds.rejudge_world import cycles_of, recorded, settings, store_all

TABLES = ("cycle", "measurement", "verdict", "platform_verdict", "event", "event_log")


@pytest.fixture(scope="module")
def cycles(tmp_path_factory: pytest.TempPathFactory) -> list[Cycle]:
    """The story, as it was judged."""
    anchor = tmp_path_factory.mktemp("trust") / "anchor.pem"
    anchor.write_bytes(authority().cert_pem.bytes())

    async def live() -> list[Cycle]:
        return await cycles_of(await recorded(settings(str(anchor))))

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(live())


class Installation:
    """A configuration and its database."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "shutwatch.db"
        self.config = folder / "shutwatch.toml"
        self.config.write_text(
            f'database = "sqlite:///{self.file}"\n'
            '[catalog]\nplatforms = ["x", "facebook", "youtube", "telegram"]\n'
            '[[vantage]]\nid = "khi-ptcl"\ncountry = "PK"\n'
        )

    def fill(self, cycles: list[Cycle], *, blind: bool = False) -> None:
        """Store the cycles; `blind`, as if older rules had made nothing of any block."""

        async def fill() -> None:
            store = sql_store(f"sqlite:///{self.file}")
            await store.open()
            how = (_unclear, _unclear_platform) if blind else ()
            await store_all(cycles, store, settings(""), *how)
            await store.close()

        asyncio.run(fill())

    def run(self, *arguments: str) -> Result:
        """One command."""
        return CliRunner().invoke(app, [*arguments, "--config", str(self.config)])

    def exported(self, *arguments: str) -> list[list[str]]:
        """Header and rows of `export csv`."""
        file = self.file.with_name("exported.csv")
        done = self.run("export", "csv", *arguments, "-o", str(file))
        assert done.exit_code == 0, done.output
        return list(csv.reader(io.StringIO(file.read_text(encoding="utf-8"))))

    def rows(self, *tables: str) -> dict[str, list[Any]]:
        """Everything in these tables."""
        with closing(sqlite3.connect(self.file)) as database:
            return {
                table: database.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
                for table in tables
            }


def _unclear(verdict: Verdict) -> Verdict:
    if verdict.state is not State.BLOCKED:
        return verdict
    return replace(
        verdict, state=State.INSUFFICIENT, method="", rule_id="old.unclear", evidence=Evidence.NONE
    )


def _unclear_platform(verdict: PlatformVerdict) -> PlatformVerdict:
    if verdict.state not in (State.BLOCKED, State.DEGRADED):
        return verdict
    return replace(
        verdict, state=State.INSUFFICIENT, method="", rule_id="old.unclear", evidence=Evidence.NONE
    )


@pytest.fixture
def here(tmp_path: Path) -> Installation:
    """Nothing stored yet."""
    return Installation(tmp_path)


@pytest.fixture
def improved(here: Installation, cycles: list[Cycle]) -> Installation:
    """A database that older rules judged."""
    here.fill(cycles, blind=True)
    return here


def test_the_table_says_what_would_be_said_differently(improved: Installation) -> None:
    """From which rule to which and how often, which platforms, and which events; the old rows stay
    as they are, and the new ones can be exported with the same columns."""
    before = improved.rows(*TABLES)
    done = improved.run("rejudge")
    assert done.exit_code == 0, done.output
    assert improved.rows(*TABLES) == before
    text = " ".join(done.stdout.split())
    assert "insufficient old.unclear blocked dns.nxdomain" in text
    assert "PK x insufficient blocked" in text
    assert "added PK x block" in text
    (kept,) = improved.rows("rejudging")["rejudging"]
    assert f"Stored as {kept[0]}" in text
    for kind in ("verdicts", "events"):
        old, new = improved.exported(kind), improved.exported(kind, "--rejudging", kept[0])
        assert new[0] == old[0]
        assert new != old
    rules = improved.exported("verdicts", "--rejudging", kept[0], "--platform", "x")
    column = rules[0].index("rule_id")
    assert "dns.nxdomain" in {row[column] for row in rules}
    assert "old.unclear" not in {row[column] for row in rules}
    assert {row[rules[0].index("platform")] for row in rules[1:]} == {"x"}


def test_json_has_an_object_per_change_and_a_summary(improved: Installation) -> None:
    """Each line stands for itself; the last counts them."""
    done = improved.run("rejudge", "--json", "--platform", "x")
    assert done.exit_code == 0, done.output
    *changes, summary = map(json.loads, done.stdout.splitlines())
    verdicts = [line for line in changes if line["kind"] == "verdict"]
    assert summary["kind"] == "summary"
    assert summary["differing"] == len(verdicts) > 0
    assert {line["old"]["rule_id"] for line in verdicts} == {"old.unclear"}
    assert {line["platform"] for line in changes} == {"x"}
    assert {"cycle", "judged_at", "vantage", "asn", "function", "endpoint"} <= verdicts[0].keys()
    (event,) = [line for line in changes if line["kind"] == "event"]
    assert (event["change"], event["event_kind"], event["old"]) == ("added", "block", None)
    assert (summary["events_added"], summary["platform"]) == (1, "x")
    assert [summary["id"]] == [row[0] for row in improved.rows("rejudging")["rejudging"]]


def test_a_dry_run_says_the_same_and_keeps_nothing(improved: Installation) -> None:
    """Not one row."""
    done = improved.run("rejudge", "--json", "--dry-run")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["id"], summary["differing"] > 0) == (None, True)
    rows = improved.rows("rejudging", "rejudged_verdict", "rejudged_platform", "rejudged_event")
    assert not any(rows.values())
    assert "Nothing was stored" in improved.run("rejudge", "--dry-run").stdout


def test_a_database_judged_with_another_catalogue(here: Installation, cycles: list[Cycle]) -> None:
    """The story's platforms have other endpoints than the shipped ones of the same names, and its
    references are unknown here; no verdict on an endpoint changes for that."""
    here.fill(cycles)
    done = here.run("rejudge", "--json", "--dry-run")
    assert done.exit_code == 0, done.output
    *changes, summary = map(json.loads, done.stdout.splitlines())
    assert [line for line in changes if line["kind"] == "verdict"] == []
    assert summary["verdicts"] == sum(len(one.verdicts) for one in cycles)


# -- bad input ---------------------------------------------------------------------------------


def test_an_empty_database_is_no_error(here: Installation) -> None:
    """There is nothing to say, and it is said."""
    here.fill([])
    done = here.run("rejudge")
    assert done.exit_code == 0, done.output
    assert "0 cycles judged again" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["rejudge"], 2, "does not exist"),
        (["rejudge", "--since", "yesterday"], 2, "not a date"),
        (["rejudge", "--since", "2024-02-18", "--until", "2024-02-17"], 2, "is not before"),
        (["rejudge", "--platform", "myspace"], 2, "not measured"),
        (["rejudge", "--quickly"], 2, "No such option"),
    ],
)
def test_bad_usage(arguments: list[str], code: int, said: str, here: Installation) -> None:
    """The exit code tells whose fault it is, the message what to do; no database is made."""
    done = here.run(*arguments)
    assert (done.exit_code, said in done.stderr) == (code, True), done.stderr
    assert not here.file.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["verdicts", "--rejudging", "nobody"],
            "no such recomputation; the newest are rejudging-1",
        ),
        (["events", "--rejudging", "rejudging-1"], "interrupted"),
        (["measurements", "--rejudging", "rejudging-2"], "never recomputed"),
    ],
)
def test_only_whole_recomputations_are_exported(
    arguments: list[str], said: str, here: Installation
) -> None:
    """Neither an unknown one, nor half of one, and looks are never recomputed."""

    async def fill() -> None:
        store = sql_store(f"sqlite:///{here.file}")
        await store.open()
        await store.save_rejudged(rejudging())
        await store.save_rejudged(rejudging("rejudging-2", 9999.0, finished=True))
        await store.close()

    asyncio.run(fill())
    output = here.file.with_name("out.csv")
    done = here.run("export", "csv", *arguments, "-o", str(output))
    assert done.exit_code == 2
    assert said in done.stderr
    assert not output.exists()
    whole = here.run("export", "csv", "events", "--rejudging", "rejudging-2", "-o", str(output))
    assert whole.exit_code == 0


def _observations(file: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT id, observations FROM measurement").fetchall()
    for id_, packed in rows:
        yield id_, json.loads(unpack(packed))


def _rewrite(file: Path, observations: dict[str, list[dict[str, Any]]]) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.executemany(
            "UPDATE measurement SET observations = ? WHERE id = ?",
            [(pack(json.dumps(seen).encode()), id_) for id_, seen in observations.items()],
        )


def test_looks_of_an_older_version_are_judged(here: Installation, cycles: list[Cycle]) -> None:
    """Fields that came later are missing there, and one that is gone may still be there."""
    here.fill(cycles)
    later = ("chain_bytes", "chain_sha256", "retransmits", "cipher", "version")
    older = {
        id_: [{**{k: v for k, v in one.items() if k not in later}, "long_gone": 1} for one in seen]
        for id_, seen in _observations(here.file)
    }
    _rewrite(here.file, older)
    done = here.run("rejudge", "--json", "--dry-run")
    assert done.exit_code == 0, done.output
    *changes, summary = map(json.loads, done.stdout.splitlines())
    assert [line for line in changes if line["kind"] == "verdict"] == []
    assert summary["cycles"] == len(cycles)


def test_a_look_that_cannot_be_read_is_named(here: Installation, cycles: list[Cycle]) -> None:
    """One that a newer version wrote: nothing is guessed, and no half result passes for a whole."""
    here.fill(cycles)
    id_, seen = next(iter(_observations(here.file)))
    _rewrite(here.file, {id_: [{**seen[0], "layer": "telepathy"}]})
    done = here.run("rejudge")
    assert (done.exit_code, id_ in done.stderr) == (1, True), done.stderr
    assert "cannot read" in done.stderr
    assert all(row[2] is None for row in here.rows("rejudging")["rejudging"])
