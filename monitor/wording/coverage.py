"""Sentences for how much was decided: every statement that no block was seen is one of them."""

from collections.abc import Iterator, Mapping

from monitor.analysis.coverage import Cause, Coverage
from monitor.wording.languages import N_
from monitor.wording.words import Words

CAUSES: Mapping[Cause, str] = {
    Cause.NO_CONTROL: N_("no control vantage tested what failed"),
    Cause.CONTROL_FAILED: N_("the control vantages gave nothing to compare with"),
    Cause.DOWN: N_("it failed at the controls too"),
    Cause.OFFLINE: N_("the vantage was offline"),
    Cause.CAPTIVE_PORTAL: N_("a login page or filter intercepted everything"),
    Cause.INTERNATIONAL_CUT: N_("nothing abroad could be reached"),
    Cause.ALLOWLIST: N_("only a list of sites could be reached"),
    Cause.INTERCEPTED: N_("a device or program at the vantage decrypted the connections"),
    Cause.LOSSY: N_("lost packets may explain what failed"),
    Cause.SLOW_LINE: N_("the line was too slow or too busy to tell"),
    Cause.UNFIT: N_("the vantage's clock, exit, resolver or references allowed no judgement"),
    Cause.UNCLEAR: N_("the results were unclear"),
}
"""Why verdicts are undecided, as a clause; an unknown cause has none."""
NO_CONTROL_CONFIGURED = N_("no control vantage is configured")
_MOST_CAUSES = 3


def coverage_headline(words: Words, coverage: Coverage, *, controls: bool = True) -> str:
    """What is known about blocks where no event is, with the share that was decided; no full stop.

    `controls` is False where no control vantage is configured.
    """
    if not coverage.cycles:
        return words.gettext("Not watched in this time")
    all_, decided = _amount(words, coverage, coverage.cycles), coverage.decided
    if not decided:
        why = words.pause.join(_causes(words, coverage, controls=controls))
        if not why:
            return words.gettext("Not enough to tell: 0 of %(all)s decided", all=all_)
        return words.gettext(
            "Not enough to tell: 0 of %(all)s decided, because %(why)s", all=all_, why=why
        )
    if coverage.signs:
        return words.gettext(
            "No event of a block, but signs of one in %(signs)s of %(all)s",
            signs=words.number(coverage.signs),
            all=all_,
        )
    networks = _networks(words, coverage)
    if decided == coverage.cycles:
        return words.gettext(
            "No block in %(decided)s of %(all)s on %(networks)s",
            decided=words.number(decided),
            all=all_,
            networks=networks,
        )
    return words.ngettext(
        "No block in the %(decided)s that was decided, of %(all)s, on %(networks)s",
        "No block in the %(decided)s that were decided, of %(all)s, on %(networks)s",
        decided,
        decided=_amount(words, coverage, decided),
        all=words.number(coverage.cycles),
        networks=networks,
    )


def coverage_now(words: Words, coverage: Coverage, *, controls: bool = True) -> str:
    """The same of current verdicts alone."""
    if not coverage.cycles:
        return words.gettext("Not watched now: there are no current results")
    return coverage_headline(words, coverage, controls=controls)


def coverage_remarks(words: Words, coverage: Coverage, *, controls: bool = True) -> Iterator[str]:
    """Sentences with what the headline leaves out: why some are undecided, and what is missing."""
    undecided = coverage.cycles - coverage.decided
    if undecided and coverage.decided:
        number = words.number(undecided)
        why = words.pause.join(_causes(words, coverage, controls=controls))
        if why:
            yield words.gettext("Undecided: %(n)s, because %(why)s.", n=number, why=why)
        else:
            yield words.gettext("Undecided: %(n)s.", n=number)
    if coverage.not_measured and coverage.cycles:
        yield words.ngettext(
            "About %(n)s more was not measured.",
            "About %(n)s more were not measured.",
            coverage.not_measured,
        )


def coverage_sentences(words: Words, coverage: Coverage, *, controls: bool = True) -> list[str]:
    """The headline and the remarks, each a sentence."""
    headline = coverage_headline(words, coverage, controls=controls)
    return [
        words.gettext("%(what)s.", what=headline),
        *coverage_remarks(words, coverage, controls=controls),
    ]


def coverage_text(words: Words, coverage: Coverage, *, controls: bool = True) -> str:
    """The same as one text."""
    return " ".join(coverage_sentences(words, coverage, controls=controls))


def _amount(words: Words, coverage: Coverage, number: int) -> str:
    """A number of cycles; of verdicts where each cycle gave several."""
    if coverage.platforms > 1:
        return words.ngettext("%(n)s verdict", "%(n)s verdicts", number)
    return words.ngettext("%(n)s cycle", "%(n)s cycles", number)


def _networks(words: Words, coverage: Coverage) -> str:
    decided, all_ = coverage.networks_decided, len(coverage.networks)
    if decided == all_:
        return words.ngettext("%(n)s network", "%(n)s networks", all_)
    return words.ngettext(
        "%(x)s of %(n)s network", "%(x)s of %(n)s networks", all_, x=words.number(decided)
    )


def _causes(words: Words, coverage: Coverage, *, controls: bool) -> Iterator[str]:
    """The most frequent causes, each with its number where there are several; none where no cause
    is known."""
    causes = list(coverage.undecided.items())
    known = [(cause, number) for cause, number in causes if cause is not Cause.UNKNOWN]
    for cause, number in known[:_MOST_CAUSES]:
        none_configured = cause is Cause.NO_CONTROL and not controls
        clause = words.gettext(NO_CONTROL_CONFIGURED if none_configured else CAUSES[cause])
        if len(causes) == 1:
            yield clause
        else:
            yield words.gettext("%(why)s (%(n)s)", why=clause, n=words.number(number))
    named = sum(number for _, number in known[:_MOST_CAUSES])
    rest = sum(number for _, number in causes) - named
    if named and rest:
        yield words.gettext("other causes (%(n)s)", n=words.number(rest))
