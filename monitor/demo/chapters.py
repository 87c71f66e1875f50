"""What happens in the demonstration, and what the monitor must have found before it goes on.

A chapter changes the censors' rules and waits until the monitor noticed: nothing is timed, so a
slow machine tells the same story, only later. No clock, no socket.
"""

from collections.abc import Callable, Mapping

import msgspec

from monitor.analysis.events.event import Event, EventState
from monitor.analysis.verdict import PlatformVerdict, State
from monitor.demo.censor import OPEN, Means, Rule, Rules
from monitor.demo.plan import CABLE, FIELD, MOBILE, PLATFORMS, TELECOM


class Sight(msgspec.Struct, frozen=True):
    """What the monitor has stored."""

    verdicts: Mapping[tuple[str, str], PlatformVerdict] = {}
    """(vantage, platform) → its newest verdict."""
    event: Event | None = None
    """The block of the victim in the invented country, once there is one."""

    def state(self, vantage: str, platform: str) -> State | None:
        """The newest state; None before the first look."""
        verdict = self.verdicts.get((vantage, platform))
        return verdict.state if verdict is not None else None


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the story."""

    said: str
    """What happens, for people."""
    rules: Rules
    """What the censors do from now on."""
    awaited: str
    """What the monitor has to find, for people."""
    noticed: Callable[[Sight], bool]
    linger: float = 3.0
    """Seconds to leave it as it is, once noticed, for people to look."""
    held: bool = False
    """Here a story that is to be held stands still."""


def all_open(sight: Sight) -> bool:
    """Everything works on every field network."""
    return all(
        sight.state(network.id, platform) is State.OK for network in FIELD for platform in PLATFORMS
    )


def suspected(sight: Sight) -> bool:
    """There is an event."""
    return sight.event is not None and sight.event.active


def in_state(*states: EventState) -> Callable[[Sight], bool]:
    """The event has come to one of these states."""
    return lambda sight: sight.event is not None and sight.event.state in states


def blocks(asn: int, method: str) -> Callable[[Sight], bool]:
    """A confirmed event holds that this network blocks now, and has used this method."""

    def noticed(sight: Sight) -> bool:
        event = sight.event
        return (
            event is not None
            and event.state is EventState.CONFIRMED
            and any(
                network.asn == asn and network.blocked_now and method in network.methods
                for network in event.networks
            )
        )

    return noticed


_TELECOM_RESETS = Rule(TELECOM.id, Means.RESET)
_MOBILE_RESETS = Rule(MOBILE.id, Means.RESET)
_TELECOM_LIES = Rule(TELECOM.id, Means.NXDOMAIN)
_CABLE_LEADS_ASTRAY = Rule(CABLE.id, Means.BLOCK_PAGE)

STORY = (
    Chapter(
        said="Three networks of an invented country, and nothing is blocked.",
        rules=OPEN,
        awaited="X, WhatsApp and YouTube work on all three networks",
        noticed=all_open,
    ),
    Chapter(
        said=f"{TELECOM.title} begins to cut every connection that names X.",
        rules=frozenset({_TELECOM_RESETS}),
        awaited="a block of X is suspected",
        noticed=suspected,
        linger=0.0,
    ),
    Chapter(
        said=f"{MOBILE.title} does the same.",
        rules=frozenset({_TELECOM_RESETS, _MOBILE_RESETS}),
        awaited=f"a confirmed block on {MOBILE.title} too, by resets",
        noticed=blocks(MOBILE.asn, "tls.reset"),
    ),
    Chapter(
        said=f"{TELECOM.title} changes its ways: its resolver denies that X exists.",
        rules=frozenset({_TELECOM_LIES, _MOBILE_RESETS}),
        awaited=f"the same block, by a lie in DNS on {TELECOM.title}",
        noticed=blocks(TELECOM.asn, "dns.nxdomain"),
    ),
    Chapter(
        said=f"The block spreads: {CABLE.title}'s resolver leads X to a page of the censor's.",
        rules=frozenset({_TELECOM_LIES, _MOBILE_RESETS, _CABLE_LEADS_ASTRAY}),
        awaited=f"the same block, on {CABLE.title} too",
        noticed=blocks(CABLE.asn, "dns.hijack"),
        linger=6.0,
        held=True,
    ),
    Chapter(
        said="The block is lifted everywhere.",
        rules=OPEN,
        awaited="the block may be over",
        noticed=in_state(EventState.RECOVERING, EventState.ENDED),
        linger=0.0,
    ),
    Chapter(
        said="It stays open.",
        rules=OPEN,
        awaited="the block is over",
        noticed=in_state(EventState.ENDED),
        linger=0.0,
    ),
)
