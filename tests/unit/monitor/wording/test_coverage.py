"""The sentences about how much was decided, in every language."""

from collections.abc import Mapping

import pytest

from monitor.analysis.coverage import Cause, Coverage, Tally
from monitor.analysis.verdict import State
from monitor.wording.coverage import CAUSES, coverage_headline, coverage_remarks, coverage_text
from monitor.wording.languages import BY_CODE, ENGLISH, LANGUAGES, Language
from monitor.wording.words import words_in

WORDS = words_in(ENGLISH)
NOT_ENOUGH = "Not enough to tell: 0 of 70 cycles decided, because"


def tally(
    ok: int = 0,
    *,
    asn: int = 1,
    platform: str = "x",
    blocked: int = 0,
    undecided: Mapping[Cause, int] | None = None,
    **causes: int,
) -> Tally:
    """Verdicts from one network; causes by name, or as they are."""
    return Tally(
        country="PK",
        platform=platform,
        asn=asn,
        network="",
        states={State.OK: ok, State.BLOCKED: blocked},
        undecided=undecided or {Cause(name): number for name, number in causes.items()},
    )


def coverage(*tallies: Tally, not_measured: int | None = None) -> Coverage:
    """A coverage of these."""
    return Coverage(tallies=tallies, not_measured=not_measured)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (coverage(), "Not watched in this time"),
        (coverage(tally()), "Not watched in this time"),
        (
            coverage(tally(672), tally(672, asn=2), tally(672, asn=3)),
            "No block in 2,016 of 2,016 cycles on 3 networks",
        ),
        (coverage(tally(1)), "No block in 1 of 1 cycle on 1 network"),
        (
            coverage(tally(12, no_control=58)),
            "No block in the 12 cycles that were decided, of 70, on 1 network",
        ),
        (
            coverage(tally(12), tally(asn=2, offline=3)),
            "No block in the 12 cycles that were decided, of 15, on 1 of 2 networks",
        ),
        (
            coverage(tally(1), tally(asn=2, offline=1)),
            "No block in the 1 cycle that was decided, of 2, on 1 of 2 networks",
        ),
        (
            coverage(tally(no_control=70)),
            f"{NOT_ENOUGH} no control vantage tested what failed",
        ),
        (
            coverage(tally(no_control=50, offline=20)),
            f"{NOT_ENOUGH} {CAUSES[Cause.NO_CONTROL]} (50); {CAUSES[Cause.OFFLINE]} (20)",
        ),
        (
            coverage(tally(5), tally(4, platform="facebook", unclear=1)),
            "No block in the 9 verdicts that were decided, of 10, on 1 network",
        ),
        (
            coverage(tally(67, blocked=3)),
            "No event of a block, but signs of one in 3 of 70 cycles",
        ),
    ],
)
def test_each_case_has_its_sentence(found: Coverage, sentence: str) -> None:
    """Decided, partly decided, undecided, not watched, and signs without an event."""
    assert coverage_headline(WORDS, found) == sentence


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("fr", "Aucun blocage dans le 1 cycle qui a été tranché, sur 2, sur 1 des 2 réseaux"),
        ("es", "Ningún bloqueo en el 1 ciclo con decisión, de 2, en 1 de 2 redes"),
        ("pt", "Nenhum bloqueio no 1 ciclo decidido, de 2, em 1 de 2 redes"),
    ],
)
def test_one_that_was_decided_is_no_plural(code: str, said: str) -> None:
    """Articles and verbs agree with the number."""
    one = coverage(tally(1), tally(asn=2, offline=1))
    assert coverage_headline(words_in(BY_CODE[code]), one) == said


def test_without_a_control_the_cause_is_the_configuration() -> None:
    """Only of verdicts for which no control tested anything."""
    none = coverage_headline(WORDS, coverage(tally(no_control=70)), controls=False)
    assert none.endswith("because no control vantage is configured")
    offline = coverage_headline(WORDS, coverage(tally(offline=70)), controls=False)
    assert offline.endswith("because the vantage was offline")


def test_remarks_say_why_and_what_is_missing() -> None:
    """They are left out where there is nothing to add."""
    some = coverage(tally(12, lossy=3), not_measured=12)
    assert list(coverage_remarks(WORDS, some)) == [
        "Undecided: 3, because lost packets may explain what failed.",
        "About 12 more were not measured.",
    ]
    assert coverage_text(WORDS, coverage(tally(3))) == "No block in 3 of 3 cycles on 1 network."
    assert list(coverage_remarks(WORDS, coverage(not_measured=12))) == []


def test_a_cause_that_is_not_known_is_not_made_up() -> None:
    """No "because" where nothing can follow; beside known causes it is one of the others."""
    unknown = coverage_headline(WORDS, coverage(tally(unknown=70)))
    assert unknown == "Not enough to tell: 0 of 70 cycles decided"
    assert list(coverage_remarks(WORDS, coverage(tally(1, unknown=70)))) == ["Undecided: 70."]
    some = coverage_headline(WORDS, coverage(tally(unknown=60, lossy=10)))
    assert some == f"{NOT_ENOUGH} {CAUSES[Cause.LOSSY]} (10); other causes (60)"


def test_of_many_causes_the_rest_is_summed_up() -> None:
    """A sentence stays readable, and its numbers add up."""
    many = coverage(tally(no_control=5, offline=4, lossy=3, unclear=2, unfit=1))
    assert coverage_headline(WORDS, many).endswith("(3); other causes (3)")


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.code)
def test_every_cause_is_a_clause_of_its_own(language: Language) -> None:
    """No two causes read alike, and none reads as a case of everything being decided."""
    words = words_in(language)
    sentences = {coverage_headline(words, coverage(tally(undecided={cause: 7}))) for cause in Cause}
    assert len(sentences) == len(Cause)
    assert set(CAUSES) == set(Cause) - {Cause.UNKNOWN}
    clear = coverage_headline(words, coverage(tally(7)))
    assert all(not one.startswith(clear[:9]) for one in sentences)
