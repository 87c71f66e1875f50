"""Every message, found in the code and the templates: what translators work from.

`python -m monitor.wording.catalogs` updates `locale/*.po`: it adds new messages without a
translation, removes messages that are no longer used, and keeps translations with what people and
Weblate noted beside them and in the header.
"""

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from monitor.analysis.judge.rules.table import RULES
from monitor.analysis.throttling.rules_table import THROTTLING_RULES
from monitor.analysis.vantage.health import HEALTH_RULES
from monitor.wording.languages import LANGUAGES, LOCALES, Language
from monitor.wording.reviewed import FIELD, header_fields

SPEAKING = ("monitor.wording", "monitor.server", "monitor.report", "monitor.notify")
"""Packages that have messages."""

Text = str | tuple[str, str]
"""A message, or its singular and plural."""
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_PLURALS: Mapping[str, str] = {
    "ar": "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : "
    "n%100>=11 ? 4 : 5);",
    "fa": "nplurals=2; plural=(n > 1);",
}
"""Forms as Weblate has them, where Babel has others."""


class TranslatedCatalog(Catalog):
    """A catalogue with more fields in its header than Babel knows."""

    fields: Mapping[str, str] = {}

    def __iter__(self) -> Iterator[Message]:
        """The header, then the messages."""
        header, *messages = super().__iter__()
        more = (f"{name}: {value}\n" for name, value in self.fields.items())
        header.string = "".join((str(header.string).rstrip("\n"), "\n", *more))
        yield from (header, *messages)


@cache
def needed() -> tuple[Text, ...]:
    """Messages that every language must have, in the order of the files."""
    return tuple(dict.fromkeys(_extracted()))


def optional() -> list[str]:
    """Sentences of the table of rules: shown in English where there is no translation."""
    rules = (
        text for rule in (*RULES, *THROTTLING_RULES) for text in (rule.meaning, rule.wrong_when)
    )
    health = (rule.meaning.rstrip(".") for rule in HEALTH_RULES)
    have = set(needed())
    return [text for text in dict.fromkeys([*rules, *health]) if text not in have]


def _extracted() -> Iterator[Text]:
    for package in SPEAKING:
        folder = Path(str(files(package)))
        sources = [("python", path) for path in sorted(folder.glob("*.py"))]
        pages = sorted((folder / "templates").glob("*.html"))
        for form, path in (*sources, *(("jinja2.ext:babel_extract", page) for page in pages)):
            for _, message, _, _ in extract_from_file(form, path):
                yield message if isinstance(message, str) else (message[0], message[1])


def empty(
    language: Language, kept: Catalog | None = None, fields: Mapping[str, str] | None = None
) -> Catalog:
    """A catalogue without messages, with a header that is the same every time.

    Of a `kept` one it has the header with all its `fields`.
    """
    given = fields or {}
    new = TranslatedCatalog(
        locale=language.locale,
        project="shutwatch",
        version="1",
        header_comment=kept.header_comment if kept else f"# All messages in {language.name}.",
        creation_date=_BEGAN,
        revision_date=kept.revision_date if kept else _BEGAN,
        last_translator=(kept.last_translator if kept else None) or "shutwatch",
        language_team=(kept.language_team if kept else None) or "shutwatch",
        msgid_bugs_address="shutwatch",
        charset="utf-8",
        fuzzy=False,
    )
    plurals = given.get("Plural-Forms", _PLURALS.get(language.code, ""))
    if plurals:
        new.mime_headers = [("Plural-Forms", plurals)]
    new.fields = {FIELD: "", **{name: given[name] for name in given if name.startswith("X-")}}
    return new


def updated(language: Language, text: str) -> bytes:
    """The catalogue of one language, from what its file says now."""
    old = read_po(io.StringIO(text), locale=language.locale)
    fields = header_fields(text.splitlines())
    new = empty(language, old, fields) if text else empty(language)
    must = needed()
    for message in (*must, *optional()):
        known = old.get(message if isinstance(message, str) else message[0])
        if known is not None and known.id == message and known.string:
            new.add(
                message,
                known.string,
                flags=known.flags & {"fuzzy"},
                user_comments=known.user_comments,
            )
        elif message in must:
            new.add(message, "" if isinstance(message, str) else ("",) * new.num_plurals)
    written = io.BytesIO()
    write_po(written, new, width=100, omit_header=False)
    return written.getvalue()


def update(language: Language) -> None:
    """Rewrite the catalogue of one language, or begin it."""
    path = Path(str(LOCALES / f"{language.code}.po"))
    path.write_bytes(updated(language, path.read_text("utf-8") if path.exists() else ""))


if __name__ == "__main__":
    for language in LANGUAGES[1:]:
        update(language)
