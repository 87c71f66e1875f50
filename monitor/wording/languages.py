"""The languages of the page: our own words from message catalogues, and forms of dates and numbers.

Messages are written in English in the code and translated in `locale/*.po`, which are read at run
time. What is filled into a message is escaped; a message itself is ours and is not.
"""

import io
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from functools import cache
from importlib.resources import files

import msgspec
from babel import Locale
from babel.dates import format_date, format_datetime, get_timezone_location
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.support import NullTranslations, Translations
from markupsafe import Markup

LOCALES = files(__package__) / "locale"


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """One language of the page."""

    code: str
    """As in `lang` attributes and `?lang=`."""
    name: str
    """Its own name for itself."""
    locale: str
    """Whose forms of dates and numbers it takes."""
    direction: str = "ltr"


LANGUAGES = (
    Language(code="en", name="English", locale="en_GB"),
    Language(code="ur", name="اردو", locale="ur_PK", direction="rtl"),
    Language(code="pt", name="Português", locale="pt_BR"),
)
"""The first is what the messages are written in, and what nobody asked otherwise gets."""
BY_CODE = {language.code: language for language in LANGUAGES}

_INVENTED = {"XD": "Demoland (invented)", "XE": "Elsewhere (invented)"}
_LONGEST_HEADER = 500
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))
"""The longest first, with their seconds."""


def language_of(asked: str, accept_language: str) -> Language:
    """The language asked for by name, else the first a browser accepts, else English."""
    if asked in BY_CODE:
        return BY_CODE[asked]
    for tag in _accepted(accept_language[:_LONGEST_HEADER]):
        found = BY_CODE.get(tag.partition("-")[0])
        if found is not None:
            return found
    return LANGUAGES[0]


def _accepted(header: str) -> list[str]:
    """Language tags, the one liked best first."""
    liked: list[tuple[float, str]] = []
    for part in header.split(","):
        tag, _, quality = part.partition(";")
        try:
            q = float(quality.partition("=")[2]) if quality else 1.0
        except ValueError:
            continue
        if 0 < q <= 1:
            liked.append((-q, tag.strip().lower()))
    return [tag for _, tag in sorted(liked, key=lambda one: one[0])]


def N_(message: str) -> str:  # noqa: N802 # what gettext calls it, and what extraction looks for
    """A message that is translated where it is shown."""
    return message


class Words:
    """All that is said in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._locale = Locale.parse(language.locale)
        self._translations = _translations(language.code)

    def gettext(self, message: str, **values: object) -> Markup:
        """`message` in this language, with values filled in as text."""
        said = Markup(self._translations.gettext(message))  # noqa: S704 - a message of our own
        return said % values if values else said

    def ngettext(self, one: str, many: str, number: int, **values: object) -> Markup:
        """The form that fits the number, which also fills `%(n)s` unless that is given."""
        said = Markup(self._translations.ngettext(one, many, number))  # noqa: S704 - as above
        return said % {"n": self.number(number), **values}

    def has(self, message: str) -> bool:
        """Whether there is a translation, or none is needed."""
        return self.language is LANGUAGES[0] or (self._translations.gettext(message) != message)

    def number(self, value: float) -> str:
        """A number as people write it here."""
        return str(format_decimal(value, locale=self._locale))

    def percent(self, share: float) -> str:
        """A part from 0 to 1 as per cent."""
        return str(format_percent(share, locale=self._locale))

    def listed(self, items: Sequence[str]) -> Markup:
        """Several things with the commas of this language."""
        return Markup(self.comma).join(items)  # noqa: S704 - a comma

    @property
    def pause(self) -> str:
        """What stands between two halves of a sentence."""
        return "؛ " if self.language.direction == "rtl" else "; "

    @property
    def comma(self) -> str:
        """What stands between two of several things."""
        return "، " if self.language.direction == "rtl" else ", "

    def country(self, code: str) -> str:
        """A country's name."""
        return str(self._locale.territories.get(code) or _INVENTED.get(code, code))

    def city(self, zone: str) -> str:
        """The place a time zone is named after."""
        place = get_timezone_location(zone, locale=self._locale, return_city=True)
        return str(place)

    def day(self, moment: datetime, zone: tzinfo = UTC) -> str:
        """`17 Feb 2024`."""
        return str(format_date(moment.astimezone(zone).date(), "medium", locale=self._locale))

    def short_day(self, moment: datetime) -> str:
        """`17 Feb`, for an axis."""
        return str(format_date(moment.astimezone(UTC).date(), "d MMM", locale=self._locale))

    def clock(self, moment: datetime, zone: tzinfo = UTC) -> str:
        """`14:02`."""
        return str(format_datetime(moment.astimezone(zone), "HH:mm", locale=self._locale))

    def length(self, seconds: float) -> str:
        """A length of time in the unit that suits it: `5 minutes`, `90 seconds`."""
        for unit, length in _UNITS:
            if seconds >= length and seconds % length == 0:
                return self._unit(int(seconds // length), unit)
        return self._unit(round(seconds, 3), "second")

    def ago(self, then: datetime, at: datetime) -> Markup:
        """How long before `at`, in one unit; nothing is ever in the future."""
        seconds = (at - then).total_seconds()
        for unit, length in _UNITS:
            # Two of a unit say more than one of the next: 90 minutes, not 1 hour.
            if seconds >= (length if unit == "minute" else 2 * length):
                return self.gettext("%(time)s ago", time=self._unit(int(seconds // length), unit))
        return self.gettext("just now")

    def _unit(self, number: float, unit: str) -> str:
        # In words of our own: the library has no forms of some units in some languages.
        n, shown = int(number) if number == int(number) else 2, self.number(number)
        match unit:
            case "day":
                return self.ngettext("%(n)s day", "%(n)s days", n, n=shown)
            case "hour":
                return self.ngettext("%(n)s hour", "%(n)s hours", n, n=shown)
            case "minute":
                return self.ngettext("%(n)s minute", "%(n)s minutes", n, n=shown)
        return self.ngettext("%(n)s second", "%(n)s seconds", n, n=shown)


@cache
def words_in(language: Language) -> Words:
    """The words of a language, read once."""
    return Words(language)


def _translations(code: str) -> NullTranslations:
    if code == LANGUAGES[0].code:
        return NullTranslations()
    compiled = io.BytesIO()
    with (LOCALES / f"{code}.po").open("rb") as source:
        write_mo(compiled, read_po(source, locale=BY_CODE[code].locale))
    compiled.seek(0)
    return Translations(compiled)
