"""docs/architecture.md names what is there, and its ten steps follow each other in the code."""

import re
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text()
ROOTS = ("monitor", "probes", "storage")
STEPS = re.findall(r"^\d+\. \*\*`([^`]+)`\*\*", TEXT, re.MULTILINE)
WIRING = ("monitor.app.run_monitor", "storage.open_store")
"""Join what does not import each other."""


def test_every_file_named_is_there() -> None:
    """So is every folder."""
    named = re.findall(r"`((?:monitor|probes|storage|tests|dashboards)/[^`]*)`", TEXT)
    assert len(named) > 40
    assert [path for path in named if not (ROOT / path).exists()] == []


def _rooms() -> set[str]:
    """Every package of the product, by its path, without the folder of migrations."""
    return {
        str(file.parent.relative_to(ROOT))
        for root in ROOTS
        for file in (ROOT / root).rglob("__init__.py")
        if file.parent.name != "versions"
    }


def test_every_room_is_listed_and_no_other() -> None:
    """The tree names each package once, where it is."""
    tree = TEXT.split("## The rooms")[1].split("```")[1]
    listed, path = set(), list[str]()
    for indent, name in re.findall(r"^( *)([a-z]+)/", tree, re.MULTILINE):
        path[len(indent) // 2 :] = [name]
        listed.add("/".join(path))
    assert listed - {"dashboards", "tests", "benchmarks"} == _rooms()


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Which module imports which."""
    return grimp.build_graph(*ROOTS, cache_dir=None)


def _module(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def test_there_are_ten_steps() -> None:
    """From the schedule to the alert."""
    assert len(STEPS) == 10


@pytest.mark.parametrize("number", range(1, len(STEPS)))
def test_each_step_is_reached_from_the_ones_before(number: int, imports: grimp.ImportGraph) -> None:
    """A step before imports it, directly or not, or `shutwatch run` joins them. It imports none of
    the steps before."""
    step, before = _module(STEPS[number]), [_module(path) for path in STEPS[:number]]
    joined = any(step in imports.find_modules_directly_imported_by(one) for one in WIRING)
    assert joined or any(imports.chain_exists(importer=one, imported=step) for one in before)
    assert [one for one in before if imports.chain_exists(importer=step, imported=one)] == []
