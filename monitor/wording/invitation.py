"""The text that invites volunteers to measure, with what they must know first."""

from collections.abc import Sequence

from monitor.wording.words import Words


def short_description(words: Words, titles: Sequence[str]) -> str:
    """What is measured, in one line."""
    return words.gettext(
        "Test whether %(platforms)s can be reached from your network",
        platforms=words.listed(titles),
    )


def for_volunteers(words: Words, titles: Sequence[str], *, background: bool) -> list[str]:
    """The invitation, paragraph by paragraph; `background` is whether phones may run the tests by
    themselves."""
    by_itself = (
        words.gettext("Your phone also runs the tests by itself, if you allow that.")
        if background
        else words.gettext("The tests run only when you start them.")
    )
    return [
        f"{short_description(words, titles)}.",
        words.gettext(
            "Read this first. Whoever runs your network sees that your phone connects to these "
            "names. Do not take part where that may be punished, or where others could be harmed."
        ),
        words.gettext(
            "OONI publishes the results, with your network, your country and the time, for ever."
        ),
        by_itself,
        words.gettext("Install OONI Probe, open the link, and read what it asks you to accept."),
    ]
