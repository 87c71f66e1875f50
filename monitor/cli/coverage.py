"""What the emptiness of an answer is worth."""

from monitor.cli.store_options import with_store
from monitor.config.settings import Settings
from monitor.export.coverage import stored_coverage
from monitor.wording.coverage import coverage_text
from monitor.wording.words import words_in
from storage.values.selection import Selection
from storage.values.steady_clock import utc_now


def coverage_in_words(settings: Settings, selection: Selection) -> str:
    """How much of a selection without events was decided, as sentences; exits with 1 when the store
    cannot be read."""
    found = with_store(
        settings,
        lambda store: stored_coverage(store, selection, settings.interval, utc_now()),
    )
    return coverage_text(words_in(), found, controls=settings.may_have_controls)
