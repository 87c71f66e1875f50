"""How the machine's own pauses may change a transfer.

A machine that is overloaded or paused notices bytes late. A late end makes a transfer look slow, a
late beginning makes it look fast. So each rate is known only to within the time for which the
machine was delayed during the transfer, and every such doubt counts in the platform's favour.

The measured delay is only a part: the kernel and a virtual machine's host cause unseen ones. So it
counts UNSEEN times, and at least LEAST: for a small object, no rate above about ten Mbit/s is then
certain. Without a measured delay (measurements of others or of older versions) nothing is in doubt.
"""

import math

from monitor.analysis.throttling.transfer_speed import TransferSpeed

UNSEEN = 3.0
"""Seconds in doubt for each second of measured delay."""
LEAST = 0.02
"""Seconds in doubt in any transfer."""
SILENCE = 0.5
"""Share of a stall that must be in doubt before it does not count."""


def doubt(seen: TransferSpeed) -> float:
    """Seconds by which the transfer's time may be wrong."""
    return 0.0 if seen.held_up is None else max(LEAST, UNSEEN * seen.held_up)


def at_most(seen: TransferSpeed) -> float:
    """Highest possible rate in bits per second; infinite when its whole time is in doubt."""
    if seen.rate is None:
        return math.inf
    left = seen.seconds - doubt(seen)
    if seen.held_up is None:
        return seen.rate
    return 8 * seen.counted / left if left > 0 else math.inf


def at_least(seen: TransferSpeed) -> float:
    """Lowest possible rate in bits per second; 0 without a rate."""
    if seen.rate is None or seen.held_up is None:
        return seen.rate or 0.0
    return 8 * seen.counted / (seen.seconds + doubt(seen))


def silence_explained(seen: TransferSpeed) -> bool:
    """Whether the machine's own pauses may have caused the stall."""
    return seen.held_up is not None and UNSEEN * seen.held_up >= SILENCE * seen.silence
