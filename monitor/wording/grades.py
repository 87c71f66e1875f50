"""Phrases for evidence grades."""

from collections.abc import Mapping

from monitor.analysis.verdict import Evidence
from monitor.wording.languages import N_
from monitor.wording.words import Words

GRADES: Mapping[str, str] = {
    Evidence.NONE: N_("none"),
    Evidence.WEAK: N_("weak"),
    Evidence.STRONG: N_("strong"),
    Evidence.CONCLUSIVE: N_("conclusive"),
}

GRADE_MEANINGS: Mapping[str, str] = {
    Evidence.NONE: N_("Nobody is accused."),
    Evidence.WEAK: N_("It fits a block, but innocent explanations remain."),
    Evidence.STRONG: N_("Several tests agree, or one shows what honest networks do not do."),
    Evidence.CONCLUSIVE: N_("Strong, and follow-up tests ruled out the innocent explanations."),
}


def grade_in_words(words: Words, grade: str) -> str:
    """A grade as one word."""
    return words.phrase(GRADES, grade, 60)


def grade_and_meaning(words: Words, grade: str) -> str:
    """A grade with what it means."""
    meaning = GRADE_MEANINGS.get(grade)
    if meaning is None:
        return words.name(grade, 60)
    return words.gettext(
        "%(grade)s: %(meaning)s",
        grade=grade_in_words(words, grade),
        meaning=words.gettext(meaning),
    )
