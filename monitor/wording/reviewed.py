"""Who reviewed a translation: the field `X-Reviewed-By` in the header of its catalogue.

It is empty until a person who reads the language has read the whole translation and writes their
name and the date. Weblate and other editors keep a header's fields that are not theirs.
"""

from collections.abc import Iterable
from functools import cache

from monitor.wording.languages import LOCALES, N_, Language

FIELD = "X-Reviewed-By"
DRAFT = N_("This translation is a draft that nobody has reviewed yet.")
IN_DOUBT = N_("In doubt, read the English.")


@cache
def reviewer(language: Language) -> str:
    """Who reviewed its translation, and when; empty for a draft."""
    with (LOCALES / f"{language.code}.po").open(encoding="utf-8") as lines:
        return header_fields(lines).get(FIELD, "")


def header_fields(lines: Iterable[str]) -> dict[str, str]:
    """The fields of a catalogue's header, which is its first message: an editor may wrap them."""
    from babel.messages.pofile import denormalize  # loads Babel, which English does without

    quoted: list[str] = []
    for line in lines:
        if line.startswith(("msgstr", '"')):
            quoted.append(line.removeprefix("msgstr").strip())
        elif quoted:
            break
    fields = (line.partition(":") for line in denormalize("\n".join(quoted)).splitlines())
    return {name.strip(): value.strip() for name, _, value in fields}
