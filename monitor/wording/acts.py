"""Phrases for what people do on the page, and for what comes of it."""

from collections.abc import Mapping

from monitor.wording.languages import N_
from storage.values.acts import ActKind

COMMAND_LINE = N_("command line")
"""Who acts where nobody signs in."""

ACTS: Mapping[str, str] = {
    ActKind.CONFIRM: N_("confirmed an event"),
    ActKind.REJECT: N_("rejected an event"),
    ActKind.NOTE: N_("noted something about an event"),
    ActKind.ANNOTATE: N_("added an annotation"),
    ActKind.REMOVE_ANNOTATION: N_("removed annotations"),
    ActKind.QUARANTINE: N_("quarantined a vantage point"),
    ActKind.RELEASE: N_("released a vantage point"),
    ActKind.REPORT: N_("had a report made"),
    ActKind.MUTE: N_("muted notifications"),
    ActKind.UNMUTE: N_("ended a mute"),
    ActKind.TEST: N_("sent a test notification"),
    ActKind.ACKNOWLEDGE: N_("acknowledged a line of the checklist"),
}
"""In the audit log, after the name of whoever did it."""

REFUSALS: Mapping[str, str] = {
    "role": N_("You may view this page, but not act on it. Ask for the role “editor”."),
    "elsewhere": N_("Refused: the request comes from a page of another site. Nothing was changed."),
    "token": N_("This form is too old, or not yours. Load the page again. Nothing was changed."),
    "form": N_("This form cannot be read. Nothing was changed."),
    "stored": N_("Stored data cannot be read or written now. Nothing was changed."),
}
"""Why an act is refused."""
