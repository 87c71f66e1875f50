"""The runbooks: what to do about each alert, as the pages that the alerts link to.

They are in `docs/runbooks`, in Markdown; `runbooks/` here is a link to them, which packages hold as
a folder. Only runbooks are served, so other documents that they link to are named.
"""

import re
from functools import cache
from importlib.resources import files

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

FOLDER = files("monitor.server") / "runbooks"
_NAME = re.compile("[A-Za-z]{1,60}")
_OTHER = re.compile(r"([A-Za-z]+)\.md")
"""A link to another runbook."""


class Runbook(msgspec.Struct, frozen=True):
    """One runbook, in English."""

    title: str
    html: Markup


def names() -> list[str]:
    """The alerts that have a runbook."""
    return sorted(one.name.removesuffix(".md") for one in FOLDER.iterdir())


@cache
def runbook(name: str) -> Runbook | None:
    """The runbook of an alert; None when there is none."""
    if not _NAME.fullmatch(name) or name not in names():
        return None
    markdown = MarkdownIt("commonmark", {"html": False})
    tokens = markdown.parse((FOLDER / f"{name}.md").read_text("utf-8"))
    for token in tokens:
        token.children = token.children and _with_own_links(token.children)
    html = markdown.renderer.render(tokens, markdown.options, {})
    return Runbook(name, Markup(html))  # noqa: S704 - our own file, rendered without its HTML


def _with_own_links(tokens: list[Token]) -> list[Token]:
    """Links to runbooks and to other sites stay links."""
    kept: list[Token] = []
    aside = ""
    for token in tokens:
        if token.type == "link_open":
            address = str(token.attrs["href"])
            found = _OTHER.fullmatch(address)
            aside = "" if found or "://" in address else address.partition("#")[0].lstrip("./")
            if found:
                token.attrs["href"] = found[1]
        if aside and token.type == "link_close":
            kept.append(Token("text", "", 0, content=f" (docs/{aside})"))
        if not (aside and token.type in ("link_open", "link_close")):
            kept.append(token)
        if token.type == "link_close":
            aside = ""
    return kept
