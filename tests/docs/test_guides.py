"""The guides say what is so: links lead somewhere, commands parse, and messages exist."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from monitor.cli.main import app
from tests.docs.command_blocks import shutwatch_lines

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    page
    for page in (*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "tests").rglob("*.md"))
    if ".venv" not in page.parts
)
GUIDES = [
    DOCS / name
    for name in (
        *("first-week.md", "vantage-points.md", "what-an-alert-means.md", "backup.md"),
        "troubleshooting.md",
    )
]
GROUP: Any = typer.main.get_command(app)
UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""What the parser raises for what it cannot take."""


def _named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _prose(text: str) -> str:
    """Without code, in which brackets are no links and signs no headings."""
    return re.sub(r"^( *)```.*?^\1```", "", text, flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """What `#…` can name in a page, as GitHub makes it of headings."""
    anchors: list[str] = []
    for heading in re.findall(r"^#+ (.+?)$", _prose(page.read_text()), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        same = sum(known == anchor or known.startswith(f"{anchor}-") for known in anchors)
        anchors.append(anchor if anchor not in anchors else f"{anchor}-{same}")
    return set(anchors)


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Every relative link names a file or folder that is there, and a heading of it."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        named = (page.parent / path).resolve() if path else page
        known = not anchor or (named.is_file() and anchor in _anchors(named))
        if not named.exists() or not named.is_relative_to(ROOT) or not known:
            broken.append(target)
    assert broken == []


def test_every_guide_can_be_found() -> None:
    """The index names every page of the folder that stands by itself, and the README the index."""
    index = (DOCS / "README.md").read_text()
    assert "(docs/README.md)" in (ROOT / "README.md").read_text()
    for guide in GUIDES:
        assert f"({guide.name})" in index


# -- commands ------------------------------------------------------------------------------------


def _typed() -> Iterator[tuple[str, str, bool]]:
    """Page, line and whether it is whole, of each command of `shutwatch`: whole in a block of code
    of any page, maybe only named in a sentence of a guide."""
    for page, line in shutwatch_lines():
        yield _named(page), line, not line.endswith("…")
    for page in GUIDES:
        for line in re.findall(r"`(shutwatch [^`]*)`", _prose(page.read_text())):
            yield _named(page), line, False


def _parse(line: str, *, whole: bool) -> None:
    """Have the command line's own parser read it; raises click's errors."""
    plain = re.sub(r"\$\([^)]*\)", "x", line)  # what a shell puts in
    words = shlex.split(re.split(r" (?:[|<>&;]|>>|&&) |\s#\s", plain)[0])[1:]
    words = [word for word in words if word != "…"]
    context = GROUP.make_context("shutwatch", ["check"])
    command = GROUP
    while hasattr(command, "commands"):
        if not words:
            assert not whole, f"{line}: no command"
            return
        if words[0].startswith("--"):
            command.make_context("shutwatch", words, resilient_parsing=True)
            return
        name = words.pop(0)
        command = command.get_command(context, name)
        assert command is not None, f"{line}: no command {name}"
    try:
        command.make_context(line, words, parent=context)
    except typer.BadParameter as error:
        if whole or type(error).__name__ != "MissingParameter":
            raise


COMMAND_LINES = sorted(set(_typed()))


@pytest.mark.parametrize(("page", "line", "whole"), COMMAND_LINES)
def test_every_command_parses(page: str, line: str, whole: bool) -> None:
    """The command line's own parser takes it: the command, its options and their values exist."""
    try:
        _parse(line, whole=whole)
    except UsageError as error:
        pytest.fail(f"{page}: {line}: {error}")


def test_a_wrong_command_would_be_noticed() -> None:
    """The test above can fail: by an unknown command, option or value, and by too little."""
    for line in ("shutwatch observe", "shutwatch run --fast", "shutwatch export csv everything"):
        with pytest.raises((AssertionError, UsageError)):
            _parse(line, whole=True)
    with pytest.raises(UsageError):
        _parse("shutwatch event show", whole=True)
    assert len(COMMAND_LINES) > 30


# -- messages ------------------------------------------------------------------------------------


def _said() -> list[str]:
    """All text of the product's code, with … where something is put in."""
    texts: list[str] = []
    for folder in ("monitor", "probes", "storage"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    parts = (p.value if isinstance(p, ast.Constant) else "…" for p in node.values)
                    texts.append("".join(map(str, parts)))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
    return texts


def test_messages_in_troubleshooting_are_said_somewhere() -> None:
    """What the page tells people to look for is in the code, word by word."""
    said = "\n".join(_said())
    page = (DOCS / "troubleshooting.md").read_text()
    section = page.split("## It does not start")[1].split("##")[0]
    starts = "\n".join(re.findall(r"^\| (.*?) \|", section, re.MULTILINE)[2:])
    turns = page.split("misses cycles")[1].split("##")[0]
    quoted = [
        *re.findall(r"`([^`]+ [^`]+)`", starts),
        *re.findall(r"^- `([^`]+)`", turns, re.MULTILINE),
    ]
    assert len(quoted) > 6
    for message in quoted:
        for part in message.split("…"):
            assert part.strip() in said, message


def test_the_image_gets_every_secret_that_its_configuration_names() -> None:
    """Typed as the page said, the container ended at once: it had no file of users."""
    example = (ROOT / "compose/shutwatch.example.toml").read_text()
    named = re.findall(r'"(/run/secrets/\w+)"', example)
    typed = (DOCS / "docker.md").read_text().split("docker run -d ")[1].split("```")[0]
    assert len(named) == 2
    for file in named:
        assert f":{file}:ro" in typed, file
