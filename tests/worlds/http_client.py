"""httpx for the tests, imported here and nowhere else (docs/adr/0013)."""

import httpx  # noqa: TID251 # the one import of the tests

__all__ = ["httpx"]
