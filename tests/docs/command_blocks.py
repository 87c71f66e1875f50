"""The command lines in the code blocks of all pages."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)((?: {4}.+\n)+)")
_HERE_DOCUMENT = re.compile(r"<<'?(\w+)")
_SHUTWATCH = re.compile(r"(?:.*[ /])?shutwatch (?=[a-z-])(.+)")
_COMMAND = re.compile(r"(?:[\w./~-]*/)?([a-z_0-9-]+)(?: |$)")


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Language and content of each fenced block, and of each indented one that holds commands."""
    text = page.read_text()
    for indent, language, body in _FENCED.findall(text):
        yield language, re.sub(f"^{indent}", "", body, flags=re.MULTILINE)
    for body in _INDENTED.findall(_FENCED.sub("", text)):
        if re.match(r"( {4,})(make|shutwatch|promtool|cd|\.venv/bin/\S+) ", body):
            yield "sh", re.sub("^ +", "", body, flags=re.MULTILINE)


def commands(language: str, body: str) -> Iterator[str]:
    """Each command of a block, with its here document, without a prompt or the times of cron.
    Neither comments nor answers."""
    lines = iter(body.replace("\\\n", " ").splitlines())
    for line in lines:
        if language == "console":
            if line.startswith(("$ ", "# ")):
                yield line[2:].strip()
        elif language == "cron":
            yield line.split(maxsplit=5)[5].replace(r"\%", "%")
        elif language == "sh" and line.strip() and not line.lstrip().startswith("#"):
            end = _HERE_DOCUMENT.search(line)
            more = [*iter(lines.__next__, end[1]), end[1]] if end else []
            yield "\n".join([line.strip(), *more])


def command_lines() -> list[tuple[Path, str, str]]:
    """Page, program and line of every command; the program without its folder."""
    return [
        (page, program[1], command.partition("\n")[0])
        for page in PAGES
        for language, body in blocks(page)
        for command in commands(language, body)
        if (program := _COMMAND.match(command))
    ]


def shutwatch_lines() -> list[tuple[Path, str]]:
    """Page and command of shutwatch, wherever it stands in a line of a block: also after `docker
    compose exec`, and in a here document."""
    return [
        (page, f"shutwatch {found[1]}")
        for page in PAGES
        for language, body in blocks(page)
        for command in commands(language, body)
        for line in command.splitlines()
        if (found := _SHUTWATCH.match(line))
    ]
