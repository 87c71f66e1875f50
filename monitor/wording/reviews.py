"""Phrases for what people add: reviews of events, and dated facts about the world."""

from collections.abc import Mapping

from monitor.wording.languages import N_
from storage.values.reviews import AnnotationKind, Mark

MARKS: Mapping[str, str] = {
    Mark.CONFIRMED: N_("A person confirms it"),
    Mark.REJECTED: N_("A person rejects it"),
    Mark.NOTE: N_("A person notes"),
}

ANNOTATION_KINDS: Mapping[str, str] = {
    AnnotationKind.ELECTION: N_("Election"),
    AnnotationKind.PROTEST: N_("Protest"),
    AnnotationKind.EXAM: N_("Exams"),
    AnnotationKind.UNREST: N_("Unrest"),
    AnnotationKind.COURT_ORDER: N_("Court order"),
    AnnotationKind.OFFICIAL_ORDER: N_("Official order"),
    AnnotationKind.OFFICIAL_DENIAL: N_("Official denial"),
    AnnotationKind.OFFICIAL_STATEMENT: N_("Official statement"),
    AnnotationKind.REPORT: N_("Report"),
    AnnotationKind.OTHER: N_("Other"),
}
