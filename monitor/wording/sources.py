"""Phrases about measurements of others: what they show, and how their source is."""

from collections.abc import Mapping
from typing import NamedTuple

from monitor.analysis.events.event import Event
from monitor.analysis.second_witness import (
    AnyWitness,
    Opinion,
    OpinionKind,
    OutsideWitness,
    Position,
    Witness,
    grade_of,
)
from monitor.analysis.verdict import Evidence
from monitor.wording.grades import grade_in_words
from monitor.wording.languages import N_
from monitor.wording.networks import network_name
from monitor.wording.times import moment
from monitor.wording.words import Words

PROBLEMS: Mapping[str, str] = {
    "limited": N_("its quota is used up"),
    "failing": N_("its servers fail"),
    "unreachable": N_("it cannot be reached"),
    "malformed": N_("its answers cannot be read"),
    "refused": N_("it refuses our requests"),
}
"""Why a source could not be read, as a clause."""
ASIDES: Mapping[str, str] = {
    "ooni": N_("Its detector and its analysis are not read at the moment: %(why)s"),
    "ioda": N_("Its signals are not read at the moment: %(why)s"),
}
LABEL = N_("seen by volunteers")
EXPLANATION = N_(
    "Volunteers run these tests on their own phones and computers, when they like. Few tests, or "
    "none, never mean that nothing is blocked. They are kept apart from the results of our own "
    "vantage points, and never change them."
)
ON_DEMAND = N_(
    "Probes on the lines of other people test a platform only once it is suspected to be blocked "
    "there. What they find never confirms, changes or ends an event, and few probes that reach it "
    "never mean that nothing is blocked."
)
OUTSIDE = N_(
    "It looks at whole countries from outside, and says nothing about platforms. What it does not "
    "see may happen all the same: mobile networks and slow lines hardly show."
)
OWN_AGREE = N_("Our own vantage points find it blocked too.")
OWN_REACH = N_("Our own vantage points reach it.")
OWN_SILENT = N_("No vantage point of our own can tell.")


_MOST_NETWORKS = 12
_AGREES = N_("%(source)s agrees: %(seen)s")
_AGREES_GRADED = N_("%(source)s agrees (evidence: %(grade)s): %(seen)s")
DATASOURCES: Mapping[str, str] = {
    "bgp": N_("routes (BGP) -%(lost)s"),
    "ping-slash24": N_("active probing -%(lost)s"),
}
"""Ways of looking from outside, with what was lost."""
_NOTICED: Mapping[OpinionKind, str] = {
    OpinionKind.BEGINS: N_(
        "OONI's detector, from the same tests: blocking begins on %(network)s (%(sign)s), noticed "
        "%(when)s"
    ),
    OpinionKind.ENDS: N_(
        "OONI's detector, from the same tests: blocking ends on %(network)s (%(sign)s), noticed "
        "%(when)s"
    ),
}
_OUTSIDE: Mapping[Position, str] = {
    Position.AGREES: _AGREES,
    Position.AGREES_IN_PART: N_("%(source)s agrees in part: %(seen)s"),
    Position.SILENT: N_("%(source)s sees no outage of the country, which excludes none"),
    Position.NOT_READ: N_("%(source)s was not read in that time"),
    Position.CAUTION: N_("%(source)s sees an outage of the whole country in that time: %(seen)s"),
}
_MEASURED: Mapping[Position, str] = {
    Position.AGREES: _AGREES,
    Position.SILENT: N_("%(source)s is silent: %(seen)s"),
    Position.NOT_READ: _OUTSIDE[Position.NOT_READ],
    Position.DIFFERS: N_("%(source)s differs: %(seen)s"),
    Position.FAILS_ELSEWHERE: N_("%(source)s sees it fail in other countries too: %(seen)s"),
}


def witness_line(words: Words, one: AnyWitness) -> str:
    """What a source saw during an event, in one line."""
    line = words.gettext(_position(one), **_named(words, one), seen=_seen_by(words, one))
    if not isinstance(one, OutsideWitness) or not one.quiet:
        return line
    rest = words.listed(drop(words, name, share) for name, share in one.quiet)
    return words.gettext("%(line)s (as usual: %(seen)s)", line=line, seen=rest)


def _position(one: AnyWitness) -> str:
    """The phrase for how it stands to the event."""
    if isinstance(one, OutsideWitness):
        return _OUTSIDE[one.position]
    return _AGREES_GRADED if grade_of(one) is not Evidence.NONE else _MEASURED[one.position]


def _named(words: Words, one: AnyWitness) -> dict[str, str]:
    graded = grade_of(one) is not Evidence.NONE
    grade = {"grade": grade_in_words(words, grade_of(one))} if graded else {}
    return {"source": one.title, **grade}


def _seen_by(words: Words, one: AnyWitness) -> str:
    if isinstance(one, OutsideWitness):
        return words.listed(drop(words, name, share) for name, share in one.drops)
    return seen(words, one.total, one.failed, len(one.networks))


class WitnessInWords(NamedTuple):
    """The words of a line about a source, without its numbers."""

    stands: str
    """How the source stands to the event."""
    credit: str
    """The attribution that it asks for, where anything of its is shown; else empty."""


def witness_in_words(words: Words, one: AnyWitness) -> WitnessInWords:
    """For readers that get the numbers beside the words."""
    stands = words.gettext(_position(one), **_named(words, one), seen="").rstrip(" :")
    return WitnessInWords(stands, "" if _shows_nothing(one) else one.credit)


def _shows_nothing(one: AnyWitness) -> bool:
    return one.position in (Position.SILENT, Position.NOT_READ)


def witness_in_message(words: Words, one: AnyWitness) -> str:
    """The line with the attribution that the source asks for, where anything of its is shown."""
    line = witness_line(words, one)
    if _shows_nothing(one):
        return line
    return words.gettext("%(seen)s (%(credit)s)", seen=line, credit=words.ltr(one.credit))


def witness_lines(words: Words, one: AnyWitness, event: Event) -> list[str]:
    """What a source saw during an event; of volunteers also what they saw of each affected network,
    and what OONI's own programs made of all their tests."""
    if isinstance(one, OutsideWitness) or one.position is Position.NOT_READ:
        return [witness_line(words, one)]
    affected = [network for network in event.networks if network.affected and network.asn]
    names = {network.asn: network.network for network in affected}
    return [
        witness_line(words, one),
        *(
            words.gettext(
                "%(network)s: %(seen)s",
                network=network_name(words, names[own.asn], own.asn),
                seen=tests(words, own.total, own.failed),
            )
            for own in one.on(list(names)[:_MOST_NETWORKS])
        ),
        *(opinion_line(words, found, names.get(found.asn, "")) for found in _shown_opinions(one)),
    ]


def opinion_line(words: Words, one: Opinion, network: str = "") -> str:
    """What a source's own program makes of its tests of a platform on one network."""
    where = network_name(words, network, one.asn)
    when = moment(words, one.at, one.country)
    if one.kind is not OpinionKind.SCORE:
        sign = words.ltr(one.sign.replace("_", " ").upper() or "-")
        return words.gettext(_NOTICED[one.kind], network=where, sign=sign, when=when)
    score = words.number(round(one.score, 2))
    found = words.gettext("%(score)s (%(sign)s)", score=score, sign=words.ltr(one.sign))
    return words.ngettext(
        "OONI's analysis scores %(n)s test on %(network)s as blocked with %(score)s, %(when)s",
        "OONI's analysis scores %(n)s tests on %(network)s as blocked with %(score)s, %(when)s",
        one.tests,
        network=where,
        score=found if one.sign else score,
        when=when,
    )


def _shown_opinions(one: Witness) -> list[Opinion]:
    """What its detector noticed, then the newest score of each network, the surest first."""
    noticed = [found for found in one.opinions if found.kind is not OpinionKind.SCORE]
    scores = {found.asn: found for found in one.opinions if found.kind is OpinionKind.SCORE}
    surest = sorted(scores.values(), key=lambda found: (-found.score, found.asn))
    return [*noticed[-_MOST_NETWORKS:], *surest[:_MOST_NETWORKS]]


def drop_in_words(words: Words, datasource: str) -> str:
    """A way of looking at countries from outside."""
    return drop(words, datasource, 0.0).rpartition(" -")[0]


def drop(words: Words, datasource: str, share: float) -> str:
    """How much of a country was lost, as one way of looking shows it."""
    shown = DATASOURCES.get(datasource)
    lost = words.percent(share)
    if shown is None:
        return f"{words.ltr(datasource)} -{lost}"
    return words.gettext(shown, lost=lost)


def health(words: Words, problem: str, *, answered: bool, answers: bool) -> str:
    """How a source is: `problem` as in `SourceState`; whether it ever was read as a whole, and
    whether it was lately."""
    if problem:
        why = words.gettext(PROBLEMS[problem])
        return words.gettext("Not read at the moment: %(why)s", why=why)
    if not answered:
        return words.gettext("Being read for the first time")
    if not answers:
        return words.gettext("Not read as a whole lately")
    return words.gettext("Read regularly")


def aside(words: Words, kind: str, problem: str) -> str:
    """How it is with what is asked beside the rows of a source; empty where that is well."""
    if not problem or kind not in ASIDES:
        return ""
    return words.gettext(ASIDES[kind], why=words.gettext(PROBLEMS[problem]))


def tests(words: Words, total: int, failed: int) -> str:
    """How many tests there are, and how many failed; none means not seen."""
    if not total:
        return words.gettext("not seen")
    return words.ngettext(
        "%(failed)s of %(n)s test failed",
        "%(failed)s of %(n)s tests failed",
        total,
        failed=words.number(failed),
    )


def seen(words: Words, total: int, failed: int, networks: int) -> str:
    """What volunteers measured of one platform in one country; nothing measured is not seen."""
    found = tests(words, total, failed)
    if not total:
        return found
    where = words.ngettext("%(n)s network", "%(n)s networks", networks)
    return words.gettext("%(tests)s, %(where)s", tests=found, where=where)
