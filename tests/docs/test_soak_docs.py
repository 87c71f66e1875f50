"""docs/soak-*.md hold whole sets, of everything there is, that came out as they must."""

import re
from pathlib import Path

from tests.e2e.test_fast_lane import CONFIRMED, HOWS, RECOVERING, SUSPECTED
from tests.scenarios import soak_negatives as negatives
from tests.scenarios import soak_positives as positives
from tests.scenarios import soak_throttling as throttling
from tests.scenarios import test_fault_pairs as pairs
from tests.worlds.timed_blocks import HOWS as HOWS_IN_TIME

ROOT = Path(__file__).parents[2]
DOCS = Path(__file__).parents[2] / "docs"


def rows(what: str) -> list[list[str]]:
    """The cells of every line of a document's tables, heads left out."""
    text = (DOCS / f"soak-{what}.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)
    cells = [line.split(" | ") for line in lines]
    return [row for row in cells if not set(row[0]) <= {"-"}]


def test_every_technique_was_told() -> None:
    """Each technique was tried a hundred times or more, and told in 95 of a hundred."""
    found = {row[0]: row[2] for row in rows("positives") if row[0] != "technique"}
    assert set(found) == set(positives.ALL)
    for name, words in found.items():
        good, runs = map(int, words.split(" of "))
        assert runs >= 100, name
        assert good >= positives.WANTED / 100 * runs, name


def test_what_is_slowed_down_was_told_from_what_is_slow() -> None:
    """Twenty runs of every way on each line, of which at most one has another answer."""
    table = [row for row in rows("throttling") if row[0] != "way"]
    assert {(row[0], row[1]) for row in table} == {
        (way.name, way.noise) for way in throttling.WAYS.values()
    }
    for way, line, _, words, _ in table:
        good, runs = map(int, words.split(" of "))
        assert (runs >= 20, good >= runs - 1) == (True, True), (way, line)


def test_nobody_innocent_was_accused() -> None:
    """Two hundred runs, over every kind of line and host, and not one accusation above weak."""
    table = [row for row in rows("negatives") if row[0] not in ("line", "host")]
    runs = {row[0]: int(row[1]) for row in table if row[0] in negatives.KINDS}
    assert set(runs) == set(negatives.KINDS)
    assert sum(runs.values()) >= 200
    assert {host.name for host in negatives.HOSTS} <= {row[0] for row in table}
    assert {row[0] for row in table if row[-1] != "0"} == set()


def met(what: str) -> dict[frozenset[str], str]:
    """The two things that met in each cell of a document's table that is not empty, and what is
    said there."""
    head, *table = rows(what)
    columns = [name.strip("` ") for name in head[1:]]
    return {
        frozenset((row[0].strip("`"), column)): cell
        for row in table
        for column, cell in zip(columns, row[1:], strict=True)
        if cell.strip()
    }


def test_all_pairs_of_ordinary_faults_were_tried() -> None:
    """What was said above weak, by luck of lost packets, the document names beside the pair."""
    assert set(met("pairs")) == set(map(frozenset, pairs.pairs()))
    text = (DOCS / "soak-pairs.md").read_text(encoding="utf-8")
    said = text.split("Beyond that was said: ", 1)[1].split("\n\n", 1)[0].removesuffix(".")
    accused = set() if said == "nothing" else {one.split(": ")[0] for one in said.split("; ")}
    assert accused <= {"path-mtu-ipv6 and lossy-line-10"}


def test_no_fault_made_a_block_ok() -> None:
    """Each was tried."""
    said = met("blocks-beside-faults")
    assert set(said) == set(map(frozenset, pairs.beside()))
    assert not {"ok", "down"} & set(said.values())


def test_the_truth_was_within_all_bounds() -> None:
    """Two hundred blocks of every way, with repeated attempts and slow answers, none outside."""
    table = [row for row in rows("bounds") if row[0] != "how"]
    assert [row[0].strip("`") for row in table] == list(HOWS_IN_TIME)
    assert sum(int(row[1]) for row in table) >= 200
    assert all(int(repeated) > 0 and int(slow) > 0 for _, _, _, repeated, slow, *_ in table)
    assert {row[6] for row in table} == {"0"}


def test_twenty_of_twenty_blocks_were_found_in_time() -> None:
    """Twenty runs, of every way to cut off, none slower than it may be."""
    table = [row for row in rows("fast-lane") if row[0] != "seed"]
    assert len(table) >= 20
    assert {row[1].strip("`") for row in table} == set(HOWS)
    for _, _, *seconds in table:
        suspected, confirmed, recovering = map(int, seconds)
        assert (suspected <= SUSPECTED, confirmed <= CONFIRMED) == (True, True)
        assert recovering <= RECOVERING


def test_no_property_has_a_known_counterexample() -> None:
    """Each line of the soak of property tests is about a test that there is, and none failed."""
    found = rows("properties")[1:]
    assert found
    for test, _, _, failures in found:
        path, _, name = test.strip("`").partition("::")
        made = rf"^(async def|def)? ?{name.partition('[')[0]}( =|\()"
        assert re.search(made, (ROOT / path).read_text("utf-8"), re.MULTILINE), test
        assert failures == "none", test
