"""What the machine's own pauses may have done to a transfer.

A vantage measures time with the machine it runs on. One that has too little processor to go round,
or that is paused, notices bytes after they came. That makes a transfer look slow when its end is
noticed late, and fast when its beginning is: then all that came meanwhile seems to come at once. So
each rate is known only to within the time for which the machine was held up during the transfer,
and a platform is slow only if it is so with every such doubt taken in its favour.

What the metronome of a transfer counts is a part of it: the kernel, a virtual machine's host and
others on the way are held up as well, unseen. So it counts UNSEEN times, and LEAST at any rate,
since nobody's processor is always there at once: that alone leaves nothing to be said of a rate of
more than some ten Mbit/s on a small object. Where nothing was counted, as in measurements that
others made or that older versions stored, nothing is in doubt.
"""

import math

from monitor.analysis.throttling.transfer_speed import TransferSpeed

UNSEEN = 3.0
"""Seconds in doubt for each second counted."""
LEAST = 0.02
"""Seconds in doubt in any transfer."""
SILENCE = 0.5
"""Share of a silence that has to be in doubt before it is none."""


def doubt(seen: TransferSpeed) -> float:
    """Seconds by which its time may be wrong."""
    return 0.0 if seen.held_up is None else max(LEAST, UNSEEN * seen.held_up)


def at_most(seen: TransferSpeed) -> float:
    """Bits per second that it may have had; infinite when its whole time is in doubt."""
    if seen.rate is None:
        return math.inf
    left = seen.seconds - doubt(seen)
    if seen.held_up is None:
        return seen.rate
    return 8 * seen.counted / left if left > 0 else math.inf


def at_least(seen: TransferSpeed) -> float:
    """Bits per second that it surely had; 0 when it gave no rate."""
    if seen.rate is None or seen.held_up is None:
        return seen.rate or 0.0
    return 8 * seen.counted / (seen.seconds + doubt(seen))


def silence_explained(seen: TransferSpeed) -> bool:
    """Whether the silence that made it a stall may have been our own."""
    return seen.held_up is not None and UNSEEN * seen.held_up >= SILENCE * seen.silence
