"""CONTRIBUTING.md: the worked examples name files that are there, and what is in them."""

import re
from pathlib import Path

import pytest

from monitor.config.catalog import parse_catalog, shipped_catalog
from probes.catalog.catalog import Need

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
PATH = re.compile(
    r"`((?:(?:monitor|probes|storage|tests|dashboards|docs|requirements)/|[A-Z]+\.md)[^`]*)`"
)


def _section(title: str) -> str:
    return TEXT.split(f"## {title}\n")[1].split("\n## ")[0]


def test_every_file_named_is_there() -> None:
    """So is every folder."""
    named = PATH.findall(TEXT)
    assert len(named) > 50
    assert [path for path in named if not (ROOT / path).exists()] == []
    programs = set(re.findall(r"python -m\s+([a-z_.]+)", TEXT)) - {"pytest"}
    files = {f"{program.replace('.', '/')}.py" for program in programs}
    assert {file for file in files if "__main__" in (ROOT / file).read_text()} == files


@pytest.mark.parametrize(
    ("title", "word", "fewest", "aside"),
    [
        ("Add a rule", "alert", 2, set()),
        ("Add a protocol", "stun", 2, {"probes/sockets/network.py", "probes/layers/scrub.py"}),
        ("Add a platform", "telegram", 1, {"CHANGELOG.md", "monitor/wording/functions.py"}),
    ],
)
def test_the_files_of_an_example_know_it(
    title: str, word: str, fewest: int, aside: set[str]
) -> None:
    """Each file that an example names has the example in it, or one like it."""
    named = {path for path in PATH.findall(_section(title)) if (ROOT / path).is_file()} - aside
    assert len(named) >= fewest
    assert [path for path in named if word not in (ROOT / path).read_text().lower()] == []


def test_the_example_of_a_platform_can_be_used() -> None:
    """The catalogue takes it beside those that are shipped, by the rules that hold for them: each
    function is dated, and no host stands for another."""
    (block,) = re.findall(r"^ *```toml\n(.*?)^ *```", TEXT, re.MULTILINE | re.DOTALL)
    made = parse_catalog(
        re.sub(r"^ +", "", block, flags=re.MULTILINE), "the example", shipped_catalog()
    )
    (bluesky,) = (one for one in made.platforms if one.name == "bluesky")
    assert {function.name for function in bluesky.functions} == {"web", "app", "pictures"}
    assert len(re.findall(r"# .*20[0-9]{2}-[0-9]{2}.*\n *\[platform\.bluesky\.f", block)) == 3
    several = [function for function in bluesky.functions if len(function.endpoints) > 1]
    assert [one for one in several if one.need is Need.ANY and not one.canonical] == []
