"""The runbooks: what to do about each alert, as the pages that the alerts link to.

They are in `docs/runbooks`, in Markdown; `runbooks/` here is a link to them, which packages hold as
a folder. Unlike the site at `/docs`, they need no build and no script.
"""

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import msgspec
from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it.token import Token

FOLDER = files("monitor.server") / "runbooks"
_NAME = re.compile("[A-Za-z]{1,60}")
_OTHER = re.compile(r"([A-Za-z]+)\.md")
"""A link to another runbook."""
_DOCUMENT = re.compile(r"\.\./([\w-]+)\.md(#[\w-]+)?")
"""A link to another document, with its heading."""


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
    from markdown_it import MarkdownIt  # a runbook is seldom asked for

    markdown = MarkdownIt("commonmark", {"html": False})
    tokens = markdown.parse((FOLDER / f"{name}.md").read_text("utf-8"))
    for token in tokens:
        token.children = token.children and _with_served_links(token.children)
    html = markdown.renderer.render(tokens, markdown.options, {})
    return Runbook(name, Markup(html))  # noqa: S704 - our own file, rendered without its HTML


def _with_served_links(tokens: list["Token"]) -> list["Token"]:
    """Links to runbooks lead to pages like this one, those to other documents to the site."""
    for token in tokens:
        if token.type == "link_open":
            token.attrs["href"] = _served(str(token.attrs["href"]))
    return tokens


def _served(address: str) -> str:
    if found := _OTHER.fullmatch(address):
        return found[1]
    if found := _DOCUMENT.fullmatch(address):
        return f"../docs/{found[1]}.html{found[2] or ''}"
    return address
