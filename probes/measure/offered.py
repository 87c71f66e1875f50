"""Asks what a platform says of one public page, as it says it to whoever asks from this vantage."""

from probes.catalog.public_pages import PageKind, PublicPage
from probes.layers.offer import UNCLEAR, Offer, offer_of
from probes.measure.fetch import fetch
from probes.measure.vantage_context import VantageContext

MOST_BYTES = {PageKind.POST: 64_000, PageKind.ACCOUNT: 500_000, PageKind.VIDEO: 1_500_000}
"""Bytes read of an answer, unpacked; a look counts as so many of the vantage's day."""


async def ask_offer(context: VantageContext, page: PublicPage) -> Offer | None:
    """What the page says; None where it was not reached. Never raises for network failures; may be
    cancelled at any point."""
    answer = await fetch(context, page.asked, limit=MOST_BYTES[page.kind])
    if answer is None or answer.failure:
        return None
    if answer.truncated and page.kind is PageKind.POST:
        return UNCLEAR
    return offer_of(page, answer.status, answer.body)
