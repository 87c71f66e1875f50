"""Why a program cannot listen at an address, in plain words."""

import errno

REASONS = {
    errno.EADDRINUSE: "another program already listens there",
    errno.EACCES: "this user may not listen there; ports below 1024 need more rights",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}
"""Number of an error → what it means to whoever chose the address."""
