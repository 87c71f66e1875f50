"""Which certificate chains were verified for which host name of late.

Whether a chain is good for a name depends on nothing but the chain, the name, the trusted roots
and the time. Within the validity of all its certificates the verdict on the same chain can only
come out the same, so that it need not be reached again at every look. See docs/adr/0004.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec

KEPT = 3600.0
"""Seconds after which a chain is verified again, come what may."""
MOST_HOSTS = 2048
MOST_CHAINS = 4
"""Of one host. One that shows more in an hour is verified each time: guessing would not pay."""


class _Verified(msgspec.Struct, frozen=True, kw_only=True):
    since: float
    """POSIX seconds at which the chain was verified."""
    until: float
    """POSIX seconds before which that still holds."""


class VerifiedChains:
    """A bounded memory of chains verified against one set of trusted roots."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives POSIX seconds, the time that certificates are valid in."""
        self._clock = clock
        self._hosts: OrderedDict[str, dict[bytes, _Verified]] = OrderedDict()

    def expects(self, host: str) -> bool:
        """Whether a chain of `host` is likely to be among those known."""
        chains = self._current(host)
        return 0 < len(chains) <= MOST_CHAINS

    def holds(self, host: str, chain: Sequence[bytes]) -> bool:
        """Whether exactly this chain (DER, as presented) was verified for exactly this name."""
        return _digest(chain) in self._current(host)

    def add(self, host: str, chain: Sequence[bytes], not_after: float) -> None:
        """Note that `chain` was just verified; all of its path is valid until `not_after`."""
        now = self._clock()
        chains = self._current(host)
        chains[_digest(chain)] = _Verified(since=now, until=min(not_after, now + KEPT))
        if len(chains) > MOST_CHAINS + 1:
            del chains[next(iter(chains))]
        self._hosts[host] = chains
        self._hosts.move_to_end(host)
        if len(self._hosts) > MOST_HOSTS:
            self._hosts.popitem(last=False)

    def forget(self, host: str) -> None:
        """Verify whatever `host` shows next."""
        self._hosts.pop(host, None)

    def __len__(self) -> int:
        """Chains held."""
        return sum(map(len, self._hosts.values()))

    def _current(self, host: str) -> dict[bytes, _Verified]:
        """Chains of `host` that hold now. A clock set back before `since` proves nothing."""
        chains = self._hosts.get(host)
        if chains is None:
            return {}
        now = self._clock()
        if not all(seen.since <= now < seen.until for seen in chains.values()):
            chains = {key: seen for key, seen in chains.items() if seen.since <= now < seen.until}
            if chains:
                self._hosts[host] = chains
            else:
                del self._hosts[host]
        return chains


def _digest(chain: Sequence[bytes]) -> bytes:
    digest = sha256()
    for certificate in chain:
        # With its length, so that no two chains run into one.
        digest.update(len(certificate).to_bytes(8, "big"))
        digest.update(certificate)
    return digest.digest()
