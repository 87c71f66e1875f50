"""Messages of one language as plain text, with its forms of dates and numbers.

Messages are written in English in the code and translated in `locale/*.po`, which are read at run
time. A message without a translation is shown in English as a whole. A surface with markup of its
own derives from `Words`.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import TYPE_CHECKING

from monitor.wording.countries import country_name
from monitor.wording.languages import ENGLISH, Language
from monitor.wording.reviewed import DRAFT, IN_DOUBT, reviewer
from monitor.wording.solar_hijri import MONTHS, solar_hijri
from monitor.wording.visible_text import visible

if TYPE_CHECKING:
    from monitor.wording.cldr import NullTranslations

LONGEST = 300
"""Characters shown of a text that others wrote."""
_DIGITS: Mapping[str, dict[int, int]] = {
    "arabext": str.maketrans("0123456789%", "۰۱۲۳۴۵۶۷۸۹٪"),
}
"""The CLDR's system of numbers → its signs for those of Latin, which Babel writes."""


class Words:
    """One language as plain text."""

    def __init__(self, language: Language, translations: "NullTranslations | None" = None) -> None:
        """Translations are read from the language's file unless they are given."""
        from monitor.wording import cldr  # loads Babel

        self._cldr = cldr
        self.language = language
        self.locale = cldr.Locale.parse(language.locale)
        self._translations = translations or cldr.translations(language)
        self._digits = _DIGITS.get(self.locale.default_numbering_system, {})

    def gettext(self, message: str, **values: object) -> str:
        """`message` in this language with the values filled in."""
        text = self._translations.gettext(message)
        return self._own(self._filled(text, values) if values else text)

    def ngettext(self, one: str, many: str, number: int, **values: object) -> str:
        """The form that fits the number, which also fills `%(n)s` unless that is given."""
        text = self._translations.ngettext(one, many, number)
        return self._own(self._filled(text, {"n": self.number(number), **values}))

    def has(self, message: str) -> bool:
        """Whether there is a translation, or none is needed."""
        return self.language is ENGLISH or self._translations.gettext(message) != message

    @property
    def short_draft(self) -> str:
        """That nobody has reviewed this translation yet, in its own words; else empty."""
        return "" if self.language is ENGLISH or reviewer(self.language) else self.gettext(DRAFT)

    @property
    def draft(self) -> str:
        """The same, with advice for where the English can be read, too."""
        said = self.short_draft
        return self._own(" ").join((said, self.gettext(IN_DOUBT))) if said else ""

    # -- what a surface with markup does differently ---------------------------------------------

    def _own(self, text: str) -> str:
        """Text of ours, which needs no escaping."""
        return text

    def _filled(self, text: str, values: Mapping[str, object]) -> str:
        """Text of ours with values filled in."""
        return text % values

    def name(self, text: str, longest: int = LONGEST) -> str:
        """Text that others wrote: at most `longest` characters, invisible ones written out."""
        cut = visible(text[:longest])
        return f"{cut}…" if len(text) > longest else cut

    def ltr(self, text: str) -> str:
        """Text that runs from left to right in any language, such as an address."""
        return visible(text)

    def english(self, text: str) -> str:
        """Text of ours that exists in English only."""
        return text

    def at(self, moment: datetime, shown: str) -> str:
        """`shown`, which stands for that moment."""
        del moment
        return shown

    def phrase(self, table: Mapping[str, str], key: str, longest: int) -> str:
        """The message of a table for `key`; a key without a message as others wrote it."""
        message = table.get(key)
        return self.gettext(message) if message else self.name(key, longest)

    # -- lists, numbers, places, times -----------------------------------------------------------

    def listed(self, items: Iterable[str]) -> str:
        """Several things with the commas of this language."""
        return self._own(self.comma).join(items)

    def dotted(self, items: Iterable[str]) -> str:
        """Several facts about one thing, with dots between."""
        return self._own(" · ").join(items)

    def joined(self, items: Iterable[str]) -> str:
        """`a, b and c`."""
        return self._cldr.joined(list(items), self.locale)

    @property
    def pause(self) -> str:
        """What stands between two halves of a sentence."""
        if self.language.direction == "rtl":
            return "؛ "
        return "\N{NARROW NO-BREAK SPACE}; " if self.language.code == "fr" else "; "

    @property
    def comma(self) -> str:
        """What stands between two of several things."""
        return "، " if self.language.direction == "rtl" else ", "

    def number(self, value: float) -> str:
        """A number as people write it in this language."""
        return self._in_digits(self._cldr.decimal(value, self.locale))

    def percent(self, share: float, digits: int = 0) -> str:
        """A share from 0 to 1 as per cent. Only none is 0 %, and only all is 100 %."""
        least: float = 0.01 / 10**digits
        if 0 < share < 1:
            share = min(max(share, least), 1 - least)
        form = str(self.locale.percent_formats[None].pattern)
        if digits:
            form = form.replace("##0", f"##0.{'0' * digits}")
        return self._in_digits(self._cldr.percent(share, form, self.locale))

    def country(self, code: str) -> str:
        """A country's name; the code itself for one that nobody knows."""
        found = country_name(self.locale, code)
        return self._own(self._translations.gettext(found)) if found else self.name(code)

    def city(self, zone: str) -> str:
        """The place that a time zone is named after."""
        return self._cldr.city(zone, self.locale)

    def day(self, moment: datetime, zone: tzinfo = UTC) -> str:
        """`17 Feb 2024`; a date of another calendar stands beside it, never in its place."""
        date = moment.astimezone(zone).date()
        shown = self._cldr.day(date, self.language.day, self.locale)
        solar = solar_hijri(date) if self.language.solar_hijri else None
        if solar:
            year, month, day = solar
            shown = f"{shown} ({day} {MONTHS[month - 1]} {year})"
        return self._in_digits(shown)

    def short_day(self, moment: datetime, *, year: bool = False) -> str:
        """`17 Feb`, for an axis, or `17 Feb 2024`."""
        form = "d MMM y" if year else "d MMM"
        return self._in_digits(
            self._cldr.short_day(moment.astimezone(UTC).date(), form, self.locale)
        )

    def year(self, moment: datetime) -> str:
        """`2024`, for an axis."""
        return self._in_digits(str(moment.astimezone(UTC).year))

    def clock(self, moment: datetime, zone: tzinfo = UTC, *, seconds: bool = False) -> str:
        """`14:02`, or `14:02:31`."""
        form = "HH:mm:ss" if seconds else "HH:mm"
        return self._in_digits(self._cldr.clock(moment.astimezone(zone), form, self.locale))

    def _in_digits(self, shown: str) -> str:
        return str(shown).translate(self._digits)


@cache
def words_in(language: Language = ENGLISH) -> Words:
    """The plain words of a language, read once."""
    return Words(language)
