"""File descriptors: enough for measuring, whoever connects."""

import resource

WANTED = 8192
"""Descriptors to ask for: more than all connections and measurements need."""
RESERVED = 512
"""Kept for measuring, the store and files."""
FEWEST = 16
"""Connections of a listener, however few descriptors there are."""
_LISTENERS = 2
"""The page's and the agents'."""


def raise_limit() -> None:
    """Raise this process's limit to WANTED, or as far as it may go."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def share() -> int:
    """The connections that one listener may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = WANTED if soft == resource.RLIM_INFINITY else soft
    return max(FEWEST, (limit - RESERVED) // _LISTENERS)
