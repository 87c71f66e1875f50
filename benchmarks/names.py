"""Which host names are asked for: those of a monitor that looks at the same ones every 5 minutes.

A cycle looks at `PER_CYCLE` hosts, once each. A certificate chain counts as verified for an hour
(docs/adr/0004), which is 12 cycles: so every twelfth name is one never seen before, whose chain is
verified as if its hour were over, and the others come round again.
"""

PER_CYCLE = 100
"""Looks stored in one transaction: about as many as a cycle of the shipped catalogue has."""
CYCLES_AN_HOUR = 12


def name(count: int, domain: str) -> str:
    """The host name of probe `count`, counted from 0 over the whole run."""
    cycle, place = divmod(count, PER_CYCLE)
    if (cycle + place) % CYCLES_AN_HOUR == 0:
        return new_name(count, domain)
    return f"host{place}.{domain}"


def new_name(count: int, domain: str) -> str:
    """A name that is asked for once."""
    return f"new{count}.{domain}"
