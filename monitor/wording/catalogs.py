"""Every message, found in the code and the templates: what translators work from.

`python -m monitor.wording.catalogs` updates `locale/*.po`: it adds new messages without a
translation, removes messages that are no longer used, and keeps translations.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from monitor.analysis.judge.rules import RULES
from monitor.analysis.throttling.rules_table import THROTTLING_RULES
from monitor.analysis.vantage.health import HEALTH_RULES
from monitor.wording.languages import BY_CODE, LANGUAGES
from monitor.wording.words import LOCALES

SPEAKING = ("monitor.wording", "monitor.server", "monitor.report", "monitor.notify")
"""Packages that have messages."""

Message = str | tuple[str, str]
"""A message, or its singular and plural."""


def needed() -> list[Message]:
    """Messages that every language must have, in the order of the files."""
    return list(dict.fromkeys(_extracted()))


def optional() -> list[str]:
    """Sentences of the table of rules: shown in English where there is no translation."""
    rules = (
        text for rule in (*RULES, *THROTTLING_RULES) for text in (rule.meaning, rule.wrong_when)
    )
    health = (rule.meaning.rstrip(".") for rule in HEALTH_RULES)
    have = set(needed())
    return [text for text in dict.fromkeys([*rules, *health]) if text not in have]


def _extracted() -> Iterator[Message]:
    for package in SPEAKING:
        folder = Path(str(files(package)))
        sources = [("python", path) for path in sorted(folder.glob("*.py"))]
        pages = sorted((folder / "templates").glob("*.html"))
        for form, path in (*sources, *(("jinja2.ext:babel_extract", page) for page in pages)):
            for _, message, _, _ in extract_from_file(form, path):
                yield message if isinstance(message, str) else (message[0], message[1])


def empty(code: str) -> Catalog:
    """A catalogue without messages, whose header is the same every time."""
    return Catalog(
        locale=BY_CODE[code].locale,
        project="shutwatch",
        version="1",
        header_comment=f"# All messages in {BY_CODE[code].name}.",
        creation_date=datetime(2026, 1, 1, tzinfo=UTC),
        revision_date=datetime(2026, 1, 1, tzinfo=UTC),
        last_translator="shutwatch",
        language_team="shutwatch",
        msgid_bugs_address="shutwatch",
        charset="utf-8",
        fuzzy=False,
    )


def update(code: str) -> None:
    """Rewrite the catalogue of one language."""
    path = Path(str(LOCALES / f"{code}.po"))
    with path.open("rb") as source:
        old = read_po(source, locale=BY_CODE[code].locale)
    new = empty(code)
    for message in needed():
        known = old.get(message if isinstance(message, str) else message[0])
        nothing: Message = "" if isinstance(message, str) else ("", "")
        new.add(message, known.string if known is not None and known.id == message else nothing)
    for message in optional():
        known = old.get(message)
        if known is not None and known.string:
            new.add(message, known.string)
    with path.open("wb") as target:
        write_po(target, new, width=100, omit_header=False)


if __name__ == "__main__":
    for language in LANGUAGES[1:]:
        update(language.code)
