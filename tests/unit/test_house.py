"""The shape of the house: imports run downwards and never in a circle, and rooms hold modules."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import grimp
import pytest

ROOT = Path(__file__).parents[2]
ROOTS = ("monitor", "probes", "storage")
LOOSE = {"monitor": 4, "probes": 6, "storage": 4}
"""How many modules may lie directly in each root package, `__init__` aside."""


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Which module imports which; imports inside functions count."""
    return grimp.build_graph(*ROOTS, cache_dir=None)


def room_of(module: str) -> str:
    """The package of a module: two levels of names, three inside `monitor.analysis`.

    A loose module is a room of its own.
    """
    levels = 3 if module.startswith("monitor.analysis.") else 2
    return ".".join(module.split(".")[:levels])


def _cycle(imports: grimp.ImportGraph, name_of: Callable[[str], str]) -> str:
    """One import cycle, for people; empty if there is none."""
    graph: dict[str, set[str]] = {}
    for module in imports.modules:
        imported = map(name_of, imports.find_modules_directly_imported_by(module))
        graph.setdefault(name_of(module), set()).update(imported)
    for name, imported_names in graph.items():
        imported_names.discard(name)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        names: list[str] = error.args[1]
        return " → ".join(names[::-1])
    return ""


def test_no_module_imports_itself_by_others(imports: grimp.ImportGraph) -> None:
    """Modules can be read one after the other."""
    assert _cycle(imports, str) == ""


def test_no_package_imports_itself_by_others(imports: grimp.ImportGraph) -> None:
    """Packages can be read one after the other, too."""
    assert _cycle(imports, room_of) == ""


def test_a_cycle_would_be_found() -> None:
    """The tests above can fail: between modules, and between packages alone."""
    graph = grimp.ImportGraph()
    for module in ("a.x.one", "a.x.two", "a.y.one", "a.y.two"):
        graph.add_module(module)
    graph.add_import(importer="a.x.one", imported="a.y.one")
    graph.add_import(importer="a.y.two", imported="a.x.two")
    assert _cycle(graph, str) == ""
    assert set(_cycle(graph, room_of).split(" → ")) == {"a.x", "a.y"}
    graph.add_import(importer="a.y.one", imported="a.x.one")
    assert set(_cycle(graph, str).split(" → ")) == {"a.x.one", "a.y.one"}


def _layers() -> list[list[str]]:
    settings: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    found = (one["layers"] for one in contracts if one["type"] == "layers")
    (layers,) = (layers for layers in found if "monitor.cli" in layers)
    return [[name.strip(" ()") for name in layer.split("|")] for layer in layers]


def test_every_room_has_its_floor() -> None:
    """The layers contract, which import-linter holds, leaves nothing of `monitor` out."""
    floors = {name for layer in _layers() for name in layer}
    rooms = {
        f"monitor.{path.stem}"
        for path in (ROOT / "monitor").iterdir()
        if path.name != "__init__.py" and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert rooms - floors == set()
    assert floors - rooms <= {"storage", "probes"}


def test_the_architecture_has_the_same_floors() -> None:
    """docs/architecture.md draws them for people."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    drawn = text.split("holds this order:")[1].split("```")[1].strip().splitlines()
    floors = [[name.removeprefix("monitor.") for name in layer] for layer in _layers()]
    assert [line.split(", ") for line in drawn] == floors[1:]  # the first is `python -m monitor`


def test_no_import_runs_upwards(imports: grimp.ImportGraph) -> None:
    """Every import goes to a lower floor, or stays in its room."""
    floor = {name: number for number, layer in enumerate(_layers()) for name in layer}

    def floor_of(module: str) -> int:
        return next(floor[name] for name in (room_of(module), *_parents(module)) if name in floor)

    upwards = [
        f"{module} imports {imported}"
        for module in sorted(imports.modules - {"monitor"})
        for imported in sorted(imports.find_modules_directly_imported_by(module) - {"monitor"})
        if floor_of(imported) < floor_of(module)
    ]
    assert not upwards, "\n".join(upwards)


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]


@pytest.mark.parametrize("root", ROOTS)
def test_few_modules_lie_loose(root: str) -> None:
    """A module belongs into a room; few belong to all of them."""
    loose = {path.name for path in (ROOT / root).glob("*.py")} - {"__init__.py"}
    assert len(loose) <= LOOSE[root], sorted(loose)


_LISTED = re.compile(r"[ │├└─]{4,}([a-z][a-z0-9_./]*(?:, [a-z][a-z0-9_./]*)*)(?: {2,}| ──)")
"""A line of a list, or of a tree, that begins with names of modules."""
_ROOMS = re.compile(r"^Rooms: .*?(?=\n\n|\Z)", re.DOTALL | re.MULTILINE)


def _named(doc: str) -> Iterator[str]:
    """The modules that a package's docstring names as its own."""
    for line in doc.splitlines():
        if found := _LISTED.match(line):
            yield from found[1].split(", ")
    for rooms in _ROOMS.findall(doc):
        yield from re.findall(r"`([a-z][a-z0-9_]*)`", rooms)


MODULES = {
    name
    for root in ROOTS
    for one in (ROOT / root).rglob("*.py")
    for name in (one.stem, one.parent.name)
}
PACKAGES = [one.parent for root in ROOTS for one in sorted((ROOT / root).rglob("__init__.py"))]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda one: str(one.relative_to(ROOT)))
def test_a_package_names_only_modules_that_it_has(package: Path) -> None:
    """Who follows its docstring finds them; three had other names by then."""
    doc = ast.get_docstring(ast.parse((package / "__init__.py").read_text()), clean=False) or ""
    named = {re.split(r"[./]", name)[0] for name in _named(doc)}
    assert named <= {one.stem for one in package.iterdir()}
    mentioned = set(re.findall(r"`([a-z][a-z0-9_]*)`", doc))
    assert mentioned <= MODULES


def _said_importers(doc: str) -> set[str] | None:
    """The rooms that a docstring says import the package; None where it names none or all."""
    for sentence in re.split(r"[.;]\s+|\n\n+", doc):
        who, imports, _ = re.split(r"\s(imports? it)\b|$", sentence, maxsplit=1)
        if imports and not re.search(r"\b(?:Every\w*|others|who)\b", sentence):
            rooms = re.findall(r"(?:monitor\.)?(\w+)[\w.]*", who)
            return set(rooms) - {"and", "only", "Only"}
    return None


@pytest.mark.parametrize("package", PACKAGES, ids=lambda one: str(one.relative_to(ROOT)))
def test_a_package_says_who_imports_it(package: Path, imports: grimp.ImportGraph) -> None:
    """Those and nobody else: twelve docstrings named others by then."""
    doc = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    said = _said_importers(doc)
    if said is None:
        return
    name = ".".join(package.relative_to(ROOT).parts)
    users = {
        user.removeprefix(f"{package.parent.name}.").removeprefix("monitor.").split(".")[0]
        for module in imports.modules
        if f"{module}.".startswith(f"{name}.")
        for user in imports.find_modules_that_directly_import(module)
        if not f"{user}.".startswith(f"{name}.")
    }
    assert said == users


def test_who_imports_a_package_is_read() -> None:
    """From one room, from several, and not where everybody may."""
    assert _said_importers("What.\n\n`monitor.cli` and `app` import it; it imports a.b.") == {
        *("cli", "app")
    }
    assert _said_importers("Everything may import it.") is None


def test_stale_names_are_found() -> None:
    """In each of the ways in which docstrings list modules."""
    doc = """Purpose.

    gone, here   what it does
     ├─ away ── the same

Rooms: what is (`lost`, in words
of `monitor.wording`) and was.
"""
    assert {*_named(doc)} == {"gone", "here", "away", "lost"}
