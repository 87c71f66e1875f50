"""No surface words a state, failure, method, grade or change itself: it asks monitor.wording."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.analysis.events.event import EventKind, EventState
from monitor.analysis.verdict import Evidence, State, VantageState
from monitor.wording.catalogs import needed
from monitor.wording.changes import CHANGES, NOTICE_TITLES
from monitor.wording.failures_and_methods import METHODS
from probes.catalog.countries import COUNTRIES
from probes.failure_strings import Failure
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Layer
from storage.values.reviews import AnnotationKind, Mark

ROOT = Path(__file__).parents[4]
SURFACES = ("server", "report", "notify", "cli", "demo", "metrics", "export", "config", "app")
FOLDERS = [*(ROOT / "monitor" / name for name in SURFACES), ROOT / "dashboards"]
MODULES = sorted(path for folder in FOLDERS for path in folder.rglob("*.py"))
TEMPLATES = sorted((ROOT / "monitor/server/templates").glob("*.html"))

ENUMS = (
    *(State, EventState, EventKind, Evidence, VantageState),
    *(Failure, Reason, Layer, Mark, AnnotationKind),
)
IDENTIFIERS = (
    {str(member) for enum in ENUMS for member in enum}
    | {f"{enum.__name__}.{member.name}" for enum in ENUMS for member in enum}
    | set(CHANGES)
    | set(NOTICE_TITLES)
    | set(METHODS)
)
NO_PHRASE = re.compile(
    r"#[0-9a-f]{6}"  # a colour
    r"|(bold )?(red|green|yellow|magenta|dim|cyan|blue)"  # a style of the terminal
    r"|[a-z]+([_-][a-z]+)*",  # an identifier of ours, such as a column or a class
)
"""What an identifier may stand for outside the wording."""


def names_of(key: ast.expr | None) -> str:
    """A key of a dict as text: `State.OK`, or a string."""
    if isinstance(key, ast.Attribute) and isinstance(key.value, ast.Name):
        return f"{key.value.id}.{key.attr}"
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


def texts_in(value: ast.expr) -> Iterator[str]:
    """The texts that a value of a dict holds, also inside N_(…)."""
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def phrases_by_identifier(source: str) -> list[str]:
    """Entries of dict literals that give an identifier a phrase."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            entries = [(names_of(key), list(texts_in(value))) for key, value in pairs]
            known = [(name, texts) for name, texts in entries if name in IDENTIFIERS]
            if len(known) < 2:
                continue
            found += [
                f"{name}: {text}"
                for name, texts in known
                for text in texts
                if not NO_PHRASE.fullmatch(text)
            ]
    return found


def test_the_check_sees_a_twin() -> None:
    """A table of phrases by state is found, however its keys are written; one of colours is not."""
    assert phrases_by_identifier('A = {State.OK: "all is well", State.DOWN: "out of order"}')
    assert phrases_by_identifier('A = {"timed_out": N_("no answer"), "eof_error": N_("it ended")}')
    assert phrases_by_identifier('A = {"tls.reset": "is cut", "dns.nxdomain": "does not exist"}')
    assert not phrases_by_identifier('A = {State.OK: "green", State.BLOCKED: "bold red"}')


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_surface_has_phrases_of_its_own(path: Path) -> None:
    """No dict outside monitor/wording gives identifiers of the project phrases."""
    assert phrases_by_identifier(path.read_text("utf-8")) == []


def wording_phrases() -> set[str]:
    """Phrases of the wording alone, long enough that nothing else reads so by chance."""
    tree = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "monitor/wording").glob("*.py")]
    marked = {
        argument.value
        for module in tree
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "N_"
        for argument in node.args
        if isinstance(argument, ast.Constant)
    }
    return {str(text) for text in marked if len(str(text).split()) > 2}


PHRASES = wording_phrases()


def test_the_phrases_are_messages() -> None:
    """What the next check looks for is what translators translate."""
    assert len(PHRASES) > 100
    assert set(needed()) >= PHRASES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_surface_repeats_a_phrase(path: Path) -> None:
    """A phrase of the wording is no text of a surface: it would change in one place alone."""
    tree = ast.parse(path.read_text("utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert PHRASES & texts == set()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_repeats_a_phrase(path: Path) -> None:
    """Nor is it a message of a template."""
    messages = set(re.findall(r'_\("([^"]+)"', path.read_text("utf-8")))
    assert PHRASES & messages == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_surface_names_countries(path: Path) -> None:
    """No dict of a surface maps country codes to names."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Dict):
            assert len([key for key in map(names_of, node.keys) if key in COUNTRIES]) < 2
