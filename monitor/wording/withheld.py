"""Phrases about what platforms themselves withhold in a country."""

from collections.abc import Mapping

from monitor.wording.languages import N_
from monitor.wording.words import Words
from storage.values.withheld import Withheld

LABEL = N_("withheld by the platform")
EXPLANATION = N_(
    "These posts, accounts and videos are looked at without an account, from vantage points in a "
    "country and from controls elsewhere. Withheld means that the platform itself says so there, "
    "in two looks, while it offers the page elsewhere. It is no block of the platform, and has no "
    "part in its state. What is not seen or unclear says nothing."
)
_SENTENCES: Mapping[str, str] = {
    "post": N_("%(platform)s withholds a post in %(country)s; it was offered in %(elsewhere)s"),
    "account": N_(
        "%(platform)s withholds an account in %(country)s; it was offered in %(elsewhere)s"
    ),
    "video": N_("%(platform)s withholds a video in %(country)s; it was offered in %(elsewhere)s"),
}
SAID: Mapping[str, str] = {
    "offered": N_("offered"),
    "withheld": LABEL,
    "owner": N_("not offered here, as its owner decided"),
    "empty": N_("answered without the content"),
    "gone": N_("deleted, private or never there"),
    "unclear": N_("unclear"),
    "not_seen": N_("not seen"),
}
"""What a page said last."""
_TITLES = {"x": "X", "youtube": "YouTube"}


def withheld_sentence(words: Words, one: Withheld) -> str:
    """What is withheld where, and where it was offered, in a sentence."""
    return words.gettext(
        _SENTENCES[one.kind],
        platform=_TITLES.get(one.platform, one.platform),
        country=words.country(one.country),
        elsewhere=words.listed(words.country(country) for country in one.controls),
    )
