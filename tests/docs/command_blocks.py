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
_HERE_DOCUMENT = re.compile(r"(<<'?(\w+)'?[^\n]*\n).*?^\2$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:[\w./~-]*/)?([a-z_0-9-]+)(?: |$)")


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Language and content of each fenced block, and of each indented one that holds commands."""
    text = page.read_text()
    for indent, language, body in _FENCED.findall(text):
        yield language, re.sub(f"^{indent}", "", body, flags=re.MULTILINE)
    for body in _INDENTED.findall(_FENCED.sub("", text)):
        if re.match(r"( {4,})(make|shutwatch|promtool|cd|\.venv/bin/\S+) ", body):
            yield "sh", re.sub("^ +", "", body, flags=re.MULTILINE)


def command_lines() -> list[tuple[Path, str, str]]:
    """Page, program and line of every command; the program without its folder."""
    found = []
    for page in PAGES:
        for language, body in blocks(page):
            if language not in ("sh", "console"):
                continue
            joined = _HERE_DOCUMENT.sub(r"\1", body.replace("\\\n", " "))
            for written in joined.splitlines():
                if language == "console" and not written.startswith("$ "):
                    continue
                line = written.removeprefix("$ ").strip()
                if program := _COMMAND.match(line):
                    found.append((page, program[1], line))
    return found
