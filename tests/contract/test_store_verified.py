"""What vantages learnt of their networks, for the next start of the program."""

import msgspec

from storage.store import Store
from storage.values.verified_before import VerifiedBefore

KARACHI = VerifiedBefore(
    vantage="khi-ptcl",
    country="PK",
    asn=17557,
    addresses={"x.com": ("192.0.2.2", "192.0.2.1"), "abs.twimg.com": ("2001:db8::1",)},
)
LAHORE = VerifiedBefore(vantage="lhe", country="PK", asn=0, addresses={})


async def test_it_comes_back_in_its_order(store: Store) -> None:
    """Names and addresses that verified last come last, which decides what is forgotten first."""
    await store.keep_verified(LAHORE)
    await store.keep_verified(KARACHI)
    found = await store.verified_before()
    assert found == [KARACHI, LAHORE]
    assert list(found[0].addresses) == ["x.com", "abs.twimg.com"]


async def test_what_is_kept_replaces_what_was_kept_of_the_vantage(store: Store) -> None:
    """One row for each vantage, however long the program runs; others keep theirs."""
    await store.keep_verified(KARACHI)
    await store.keep_verified(LAHORE)
    moved = msgspec.structs.replace(KARACHI, asn=45595, addresses={"x.com": ("192.0.2.9",)})
    await store.keep_verified(moved)
    assert await store.verified_before() == [moved, LAHORE]
