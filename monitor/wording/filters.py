"""What is wrong with a filter that a reader wrote, and what they may have meant."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from monitor.wording.languages import N_
from monitor.wording.words import Words

_MOST = 12
"""Known values that are listed."""
_LONGEST = 60
"""Characters shown of what a reader wrote."""


class Fault(StrEnum):
    """What is wrong."""

    COUNTRY = "country"
    PLATFORM = "platform"
    NETWORK = "network"
    VANTAGE = "vantage"
    CHOICE = "choice"
    FILTER = "filter"
    TWICE = "twice"
    TIME = "time"
    FUTURE = "future"
    ORDER = "order"
    ZONE = "zone"


class WrongFilter(msgspec.Struct, frozen=True, kw_only=True):
    """One filter that cannot be used."""

    filter: str
    """Its name, as in `country`."""
    fault: Fault
    given: str
    """The value that the reader wrote."""
    meant: str = ""
    """The value that the reader may have meant; empty: unknown."""
    meant_name: str = ""
    """What that value is called: the name of a network."""
    end: str = ""
    """The end of the time range, as given."""
    known: tuple[str, ...] = ()
    """The values there are, where they are few."""


_FAULTS: Mapping[Fault, str] = {
    Fault.COUNTRY: N_("%(filter)s: “%(given)s” is not a country code of ISO 3166-1, such as PK."),
    Fault.PLATFORM: N_("%(filter)s: “%(given)s” is in no catalogue, and no data is stored on it."),
    Fault.NETWORK: N_(
        "%(filter)s: no network “%(given)s” is configured, and no data is stored on it."
    ),
    Fault.VANTAGE: N_(
        "%(filter)s: no vantage point “%(given)s” is configured, and no data is stored on it."
    ),
    Fault.CHOICE: N_("%(filter)s: “%(given)s” is not a possible value."),
    Fault.FILTER: N_("There is no filter “%(given)s” here."),
    Fault.TWICE: N_("%(filter)s: “%(given)s” is a second value. Give only one."),
    Fault.TIME: N_(
        "%(filter)s: “%(given)s” is not a date or time, such as 2024-02-17 or 2024-02-17T18:00."
    ),
    Fault.FUTURE: N_("%(filter)s: “%(given)s” is in the future, of which nothing is known."),
    Fault.ORDER: N_("%(filter)s: “%(given)s” is not before “%(end)s”, where the time ends."),
    Fault.ZONE: N_(
        "%(filter)s: “%(given)s” is not the name of a time zone, such as Asia/Karachi or UTC."
    ),
}


def filter_problem(words: Words, wrong: WrongFilter, called: str = "") -> tuple[str, ...]:
    """Sentences: what is wrong, and what to write instead. `called` is the filter's name on this
    surface."""
    found = [
        words.gettext(
            _FAULTS[wrong.fault],
            filter=called or wrong.filter,
            given=words.name(wrong.given, _LONGEST),
            end=words.name(wrong.end, _LONGEST),
        )
    ]
    if wrong.meant:
        meant = words.ltr(wrong.meant)
        name = words.country(wrong.meant) if wrong.fault is Fault.COUNTRY else wrong.meant_name
        found.append(
            words.gettext("Did you mean “%(value)s” (%(name)s)?", value=meant, name=name)
            if name
            else words.gettext("Did you mean “%(value)s”?", value=meant)
        )
    elif wrong.known:
        listed = words.listed(words.name(one, _LONGEST) for one in wrong.known[:_MOST])
        found.append(words.gettext("Known: %(values)s.", values=listed))
    return tuple(found)
