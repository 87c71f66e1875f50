"""What happens in the demonstration, and what the monitor must detect before the next chapter.

A chapter changes the censors' rules and waits until the monitor has detected it, and has sent its
messages. Nothing is timed, so a slow machine shows the same story, only later. No clock, no socket.
"""

from collections.abc import Callable, Mapping

import msgspec

from monitor.analysis.events.event import Event, EventState
from monitor.analysis.verdict import PlatformVerdict, State
from monitor.demo.censor import OPEN, Means, Rule, Rules
from monitor.demo.plan import CABLE, FIELD, MOBILE, PLATFORMS, TELECOM


class Results(msgspec.Struct, frozen=True):
    """What the monitor has stored."""

    verdicts: Mapping[tuple[str, str], PlatformVerdict] = {}
    """(vantage, platform) → its newest verdict."""
    event: Event | None = None
    """The block of the victim in the invented country, once there is one."""
    messages_wait: bool = False
    """Whether one that is due at once is not sent yet."""

    def state(self, vantage: str, platform: str) -> State | None:
        """The newest state; None before the first measurement."""
        verdict = self.verdicts.get((vantage, platform))
        return verdict.state if verdict is not None else None


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the story."""

    happens: str
    """What happens, for people."""
    rules: Rules
    """The censors' rules from now on."""
    expected: str
    """What the monitor must detect, for people."""
    detected: Callable[[Results], bool]
    linger: float = 3.0
    """Seconds to wait after the detection, for people to read."""
    hold: bool = False
    """With `--hold` the story stops here."""


def all_open(results: Results) -> bool:
    """Everything works on every field network."""
    return all(
        results.state(network.id, platform) is State.OK
        for network in FIELD
        for platform in PLATFORMS
    )


def suspected(results: Results) -> bool:
    """There is an active event."""
    return results.event is not None and results.event.active


def in_state(*states: EventState) -> Callable[[Results], bool]:
    """The event is in one of these states."""
    return lambda results: results.event is not None and results.event.state in states


def blocks(asn: int, method: str) -> Callable[[Results], bool]:
    """A confirmed event says that this network blocks now, by itself certain, and used this method.
    One that is not certain leaves the record if the block is lifted right then."""

    def detected(results: Results) -> bool:
        event = results.event
        return (
            event is not None
            and event.state is EventState.CONFIRMED
            and any(
                network.asn == asn
                and network.blocked_now
                and network.confirmed
                and method in network.methods
                for network in event.networks
            )
        )

    return detected


_TELECOM_RESETS = Rule(TELECOM.id, Means.RESET)
_MOBILE_RESETS = Rule(MOBILE.id, Means.RESET)
_TELECOM_NXDOMAIN = Rule(TELECOM.id, Means.NXDOMAIN)
_CABLE_BLOCK_PAGE = Rule(CABLE.id, Means.BLOCK_PAGE)

STORY = (
    Chapter(
        happens="An invented country has three networks, and nothing is blocked.",
        rules=OPEN,
        expected="X, WhatsApp and YouTube work on all three networks",
        detected=all_open,
    ),
    Chapter(
        happens=f"{TELECOM.title} starts to reset every connection that names X.",
        rules=frozenset({_TELECOM_RESETS}),
        expected="a block of X is suspected",
        detected=suspected,
        linger=0.0,
    ),
    Chapter(
        happens=f"{TELECOM.title} goes on.",
        rules=frozenset({_TELECOM_RESETS}),
        expected=f"a confirmed block on {TELECOM.title}, by resets",
        detected=blocks(TELECOM.asn, "tls.reset"),
    ),
    Chapter(
        happens=f"{MOBILE.title} does the same.",
        rules=frozenset({_TELECOM_RESETS, _MOBILE_RESETS}),
        expected=f"the same block, on {MOBILE.title} too, by resets",
        detected=blocks(MOBILE.asn, "tls.reset"),
    ),
    Chapter(
        happens=f"{TELECOM.title} changes its method: its resolver says that X does not exist.",
        rules=frozenset({_TELECOM_NXDOMAIN, _MOBILE_RESETS}),
        expected=f"the same block, by false DNS answers on {TELECOM.title}",
        detected=blocks(TELECOM.asn, "dns.nxdomain"),
    ),
    Chapter(
        happens=f"The block spreads: {CABLE.title}'s resolver leads X to a block page.",
        rules=frozenset({_TELECOM_NXDOMAIN, _MOBILE_RESETS, _CABLE_BLOCK_PAGE}),
        expected=f"the same block, on {CABLE.title} too",
        detected=blocks(CABLE.asn, "dns.hijack"),
        linger=6.0,
        hold=True,
    ),
    Chapter(
        happens="The block is lifted everywhere.",
        rules=OPEN,
        expected="the block may have ended",
        detected=in_state(EventState.RECOVERING, EventState.ENDED),
        linger=0.0,
    ),
    Chapter(
        happens="It stays open.",
        rules=OPEN,
        expected="the block has ended",
        detected=in_state(EventState.ENDED),
        linger=0.0,
    ),
)
