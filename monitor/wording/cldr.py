"""Forms of dates, numbers and lists as the Unicode CLDR has them, and translations: by Babel.

`monitor.wording.words` loads this module with the first `Words`. Whoever only knows phrases, such
as most listings, does without Babel, which takes 20 ms to load.
"""

import io
from datetime import date, datetime
from functools import lru_cache

from babel import Locale
from babel.dates import format_date, format_datetime, get_timezone_location
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent
from babel.support import NullTranslations, Translations

from monitor.wording.languages import ENGLISH, LOCALES, Language

__all__ = ["Locale", "NullTranslations"]


def translations(language: Language) -> NullTranslations:
    """The messages of a language, from its file; English needs none."""
    if language is ENGLISH:
        return NullTranslations()
    # What reads messages is not needed for English, which most commands speak.
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with (LOCALES / f"{language.code}.po").open("rb") as source:
        write_mo(compiled, read_po(source, locale=language.locale))
    compiled.seek(0)
    return Translations(compiled)


def joined(items: list[str], locale: Locale) -> str:
    """`a, b and c`."""
    return str(format_list(items, locale=locale))


# A page of histories has thousands of these, most of them the same.
@lru_cache(maxsize=10_000)
def decimal(value: float, locale: Locale) -> str:
    """A number."""
    return format_decimal(value, locale=locale, numbering_system="default")


# The same page has hundreds of these, each of a thousand shares at most.
@lru_cache(maxsize=10_000)
def percent(share: float, form: str, locale: Locale) -> str:
    """A share from 0 to 1."""
    return format_percent(share, form, locale=locale, numbering_system="default")


def city(zone: str, locale: Locale) -> str:
    """The place that a time zone is named after."""
    return str(get_timezone_location(zone, locale=locale, return_city=True))


def day(date: date, form: str, locale: Locale) -> str:
    """A date in that form of the CLDR, or named one."""
    return format_date(date, form, locale=locale)


@lru_cache(maxsize=10_000)
def short_day(date: date, form: str, locale: Locale) -> str:
    """A date in that form, of which a page of histories has thousands."""
    return format_date(date, form, locale=locale)


def clock(moment: datetime, form: str, locale: Locale) -> str:
    """A time of day in that form, in the moment's own zone."""
    return format_datetime(moment, form, locale=locale)
