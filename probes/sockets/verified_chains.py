"""The certificate chains that were recently verified, by host name.

Whether a chain is valid for a name depends only on the chain, the name, the trusted roots and the
time. While all its certificates are valid, verifying the same chain again gives the same result, so
measurements need not repeat it. See docs/adr/0004.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec

KEPT = 3600.0
"""Seconds after which a chain is always verified again."""
MOST_HOSTS = 2048
MOST_CHAINS = 4
"""Chains of one host. A host that shows more in an hour is verified each time."""


class _Verified(msgspec.Struct, frozen=True, kw_only=True):
    since: float
    """POSIX seconds at which the chain was verified."""
    until: float
    """POSIX seconds until which that holds."""


class VerifiedChains:
    """A bounded memory of chains verified against one set of trusted roots."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives POSIX seconds, as the validity of certificates does."""
        self._clock = clock
        self._hosts: OrderedDict[str, dict[bytes, _Verified]] = OrderedDict()

    def expected(self, host: str) -> frozenset[bytes]:
        """Digests of the chains that were verified for exactly this name; none where the next chain
        of `host` is not likely to be one of them."""
        chains = self._current(host)
        return frozenset(chains) if len(chains) <= MOST_CHAINS else frozenset()

    def add(self, host: str, chain: Sequence[bytes], not_after: float) -> None:
        """Note that `chain` was just verified; its whole path is valid until `not_after`."""
        now = self._clock()
        chains = self._current(host)
        chains[digest_of(chain)] = _Verified(since=now, until=min(not_after, now + KEPT))
        if len(chains) > MOST_CHAINS + 1:
            del chains[next(iter(chains))]
        self._hosts[host] = chains
        self._hosts.move_to_end(host)
        if len(self._hosts) > MOST_HOSTS:
            self._hosts.popitem(last=False)

    def forget(self, host: str) -> None:
        """Verify the next chain of `host` in full."""
        self._hosts.pop(host, None)

    def __len__(self) -> int:
        return sum(map(len, self._hosts.values()))

    def _current(self, host: str) -> dict[bytes, _Verified]:
        """Chains of `host` that are valid now. With a clock set back before `since` none is."""
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


def digest_of(chain: Sequence[bytes]) -> bytes:
    """SHA-256 over a chain (DER, as presented)."""
    digest = sha256()
    for certificate in chain:
        # With its length, so that no two chains give the same input.
        digest.update(len(certificate).to_bytes(8, "big"))
        digest.update(certificate)
    return digest.digest()
