"""Events that people share: in each state, with names as long as they come, and rejected."""

from collections.abc import Mapping

from msgspec.structs import replace

from monitor.analysis.events.event import Event, EventState, NetworkStatus
from monitor.export.public_view import PublicView
from monitor.server.page import titles_of
from monitor.server.preview_text import Preview, preview_of
from monitor.wording.languages import Language
from storage.values.reviews import Mark, Review
from tests.browser import seed
from tests.prometheus.world import PUBLIC_URL

TITLES = {**titles_of(seed.publisher().snapshot), "x": "X"}
"""Without the title that wishes its reader ill."""
BLOCK = next(one for one in seed.events() if one.id == seed.EVENT)


def review(mark: Mark) -> Review:
    """What a person says of BLOCK."""
    return Review(id="1", country="PK", event=BLOCK.id, at=seed.NOW, mark=mark)


REJECTED = (review(Mark.REJECTED),)


def in_state(state: EventState) -> Event:
    """BLOCK in another state."""
    over = state in (EventState.ENDED, EventState.DISMISSED, EventState.WITHDRAWN)
    sure = state not in (EventState.SUSPECTED, EventState.DISMISSED)
    return replace(
        BLOCK,
        state=state,
        confirmed_at=BLOCK.confirmed_at if sure else None,
        end_earliest=seed.NOW if over else None,
        end_latest=seed.NOW if over else None,
    )


STATES: Mapping[str, Event] = {state: in_state(state) for state in EventState}


def named(*names: str, country: str = "CD", platform: str = "whatsapp") -> Event:
    """BLOCK on networks with these names."""
    networks = tuple(
        NetworkStatus(
            asn=4200000000 + number,
            network=name,
            affected=True,
            blocked_now=True,
            methods=("tls.reset",),
            stretches=BLOCK.networks[0].stretches,
        )
        for number, name in enumerate(names)
    )
    return replace(BLOCK, country=country, platform=platform, networks=networks)


def preview(
    language: Language, event: Event = BLOCK, *reviews: Review, url: str = PUBLIC_URL
) -> Preview:
    """What everybody is shown of it."""
    return preview_of(language, PublicView().event(event), TITLES, reviews, url)
