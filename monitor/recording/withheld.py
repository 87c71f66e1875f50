"""When a platform withholds a page in a country: by its own words there, in two looks, while it
offers the page elsewhere at the same time.

What fails, is unclear or gone says nothing, and without a country in which the page is offered
nobody is said to withhold it. Nothing of it is a block, or part of any verdict or event.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from probes.catalog.public_pages import PublicPage
from probes.layers.offer import Offer, Offered
from storage.values.withheld import Withheld

TOLD = 2
"""Looks in a row after which it is told."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a page said to whoever asked from a country; None: it was not reached."""

    country: str
    offer: Offer | None


def compared(
    known: Withheld | None,
    page: PublicPage,
    country: str,
    here: Sequence[Look],
    controls: Iterable[Look],
    at: datetime,
) -> Withheld | None:
    """What is known of a page in a country after one more round of looks; `at` is UTC. None: that
    it is withheld there is not known."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    elsewhere = [
        one
        for one in controls
        if one.country != country and one.offer and one.offer.offered is Offered.OFFERED
    ]
    said = {one.offer.offered for one in here if one.offer}
    named = any(one.offer and country in one.offer.not_in for one in elsewhere)
    withheld = Offered.WITHHELD in said or (named and Offered.EMPTY in said)
    if Offered.OFFERED in said:
        # Two networks that differ are no withholding of a country.
        if known is None or withheld:
            return known
        return msgspec.structs.replace(known, over_at=hour) if known.rounds >= TOLD else None
    if not withheld or not elsewhere:
        return known
    places = tuple(sorted({one.country for one in elsewhere}))
    if known is None:
        return Withheld(
            country=country,
            platform=page.platform,
            kind=str(page.kind),
            url=page.url,
            since=hour,
            seen_at=hour,
            controls=places,
            named=named,
        )
    return msgspec.structs.replace(
        known,
        seen_at=hour,
        rounds=known.rounds + 1,
        controls=tuple(sorted({*known.controls, *places})),
        named=known.named or named,
    )
