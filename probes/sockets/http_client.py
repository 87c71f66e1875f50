"""httpx for the whole product, imported here and nowhere else (docs/adr/0013).

To switch to another library with the same API, change the import below.
"""

import httpx  # noqa: TID251 # the one import of the product

__all__ = ["httpx"]
