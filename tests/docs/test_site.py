"""The documents as a site: its navigation is whole, its picture is that of its source, and every
command on its pages is run, read by its own parser, or known with the reason why not."""

import html
import re
from pathlib import Path

import pytest

from tests.docs.command_blocks import command_lines

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONFIGURATION = (ROOT / "mkdocs.yml").read_text()
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
DECISIONS = [page for page in PAGES if re.fullmatch(r"adr/\d{4}-.*", page)]


def _listed() -> list[str]:
    """The pages of the navigation, in its order."""
    return re.findall(r"^ +- ([\w/-]+\.md)$", CONFIGURATION, re.MULTILINE)


def test_the_navigation_lists_every_page_once() -> None:
    """Decisions are listed by a page of their own."""
    assert sorted(_listed()) == [page for page in PAGES if page not in DECISIONS]


def test_the_page_of_decisions_lists_every_decision() -> None:
    """In their order."""
    listed = re.findall(r"\]\(([^)]*)\)", (DOCS / "adr/README.md").read_text())
    assert [f"adr/{name}" for name in listed] == DECISIONS


@pytest.mark.parametrize("page", PAGES)
def test_no_page_links_out_of_the_folder(page: str) -> None:
    """The site holds what is under docs/ alone; other files are named."""
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", (DOCS / page).read_text())
    inside = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [
        link for link in inside if not ((DOCS / page).parent / link).resolve().is_relative_to(DOCS)
    ] == []


def test_the_picture_of_the_architecture_is_that_of_its_source() -> None:
    """Every word of architecture.mmd that is shown is text of architecture.svg."""
    source = (DOCS / "architecture.mmd").read_text()
    drawn = html.unescape(re.sub(r"<[^>]+>", " ", (DOCS / "architecture.svg").read_text()))
    labels = re.findall(r'"([^"]+)"|subgraph (\w+)|-- ([\w ]+?) -->|-\. ([\w ]+) \.->', source)
    words = [word for found in labels for word in re.split(r"<br>| ", "".join(found))]
    assert len(words) > 30
    assert [word for word in words if word not in drawn] == []


# -- commands ------------------------------------------------------------------------------------

WHY_NOT_RUN = {
    "apt": "changes the machine",
    "amtool": "needs a running Alertmanager; tests/prometheus checks the configuration it names",
    "cat": "writes a file of the service on the router",
    "cd": "changes the folder of the shell",
    "chmod": "changes rights of files of the service",
    "cp": "copies an example before it is edited",
    "curl": "needs a server; tests/unit/monitor/server/api asks the same addresses",
    "docker": "needs a container engine; tests/programs builds the image where one is there",
    "git": "needs the address of the repository",
    "install": "needs root, and the service's user",
    "make": "tests/fresh runs `make run` and `make test` on new machines",
    "openssl": "makes a password of the reader's own",
    "opkg": "changes the machine",
    "pg_dump": "needs the reader's PostgreSQL; tests/e2e backs up one of its own",
    "pg_restore": "needs the reader's PostgreSQL",
    "pip": "installs on the reader's machine",
    "pkg": "changes the telephone",
    "promtool": "tests/prometheus runs both commands",
    "python": "a benchmark or a generator: hours, or held to its output by a test of the page",
    "python3": "installs on the reader's machine",
    "sha256sum": "tests/programs/test_release.py checks the sums of a release",
    "ssh-keygen": "tests/programs/test_release.py runs the command that SECURITY.md gives",
    "systemctl": "needs the installed service",
}
"""The program of a command line → why no test here runs the line."""


def test_every_command_is_run_or_parsed_or_has_a_reason() -> None:
    """`shutwatch` is parsed by test_guides.py, which also runs the commands with an answer."""
    programs = {program for _, program, _ in command_lines()}
    assert programs - {"shutwatch"} == set(WHY_NOT_RUN)
