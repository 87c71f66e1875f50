"""The languages that people can read shutwatch in, without loading any of them."""

from importlib.resources import files

import msgspec


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """One language."""

    code: str
    """As in `lang` attributes, `?lang=`, `--language` and `language = "…"`."""
    name: str
    """Its own name for itself."""
    locale: str
    """Whose forms of dates and numbers it uses."""
    direction: str = "ltr"
    day: str = "medium"
    """How it writes a date: one of the CLDR's lengths, or a pattern of the CLDR's letters."""
    solar_hijri: bool = False
    """Whether a date comes with that of the Solar Hijri calendar."""
    fraction_as: int = 2
    """Number whose plural form a fraction takes: two and a half seconds."""


LOCALES = files(__package__) / "locale"
_SPELLED = "d MMMM y"
"""A date whose month is a word, where the CLDR's medium length has digits alone."""
LANGUAGES = (
    Language(code="en", name="English", locale="en_GB"),
    Language(
        code="ar", name="العربية", locale="ar", direction="rtl", day=_SPELLED, fraction_as=100
    ),
    Language(code="es", name="Español", locale="es"),
    Language(code="fa", name="فارسی", locale="fa", direction="rtl", day=_SPELLED, solar_hijri=True),
    Language(code="fr", name="Français", locale="fr"),
    Language(code="pt", name="Português", locale="pt_BR"),
    Language(code="ru", name="Русский", locale="ru"),
    Language(code="ur", name="اردو", locale="ur_PK", direction="rtl"),
)
"""Messages are written in the first, which is also the default."""
ENGLISH = LANGUAGES[0]
BY_CODE = {language.code: language for language in LANGUAGES}

_LONGEST_HEADER = 500


def language_of(asked: str, accept_language: str) -> Language:
    """The language asked for by its code, else the first that a browser accepts, else English."""
    if asked in BY_CODE:
        return BY_CODE[asked]
    for tag in _accepted(accept_language[:_LONGEST_HEADER]):
        found = BY_CODE.get(tag.partition("-")[0])
        if found is not None:
            return found
    return ENGLISH


def _accepted(header: str) -> list[str]:
    """Language tags, the preferred one first."""
    preferred: list[tuple[float, str]] = []
    for part in header.split(","):
        tag, _, quality = part.partition(";")
        try:
            q = float(quality.partition("=")[2]) if quality else 1.0
        except ValueError:
            continue
        if 0 < q <= 1:
            preferred.append((-q, tag.strip().lower()))
    return [tag for _, tag in sorted(preferred, key=lambda one: one[0])]


def N_(message: str) -> str:  # noqa: N802 # gettext's own name for it, which extraction looks for
    """Mark a message that is translated where it is shown."""
    return message
