"""What an OONI Run link asks volunteers' phones to test: platforms of the catalogue, nothing else.

Creating a link needs a person, who signs in at https://run.ooni.org. Facts from OONI's own source,
ooni/backend, `oonirun/routers/v2.py`: where the specification differs, the code wins.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from monitor.ooni.apps import PLATFORMS
from probes.catalog.catalog import Platform
from probes.catalog.endpoint_kinds import EndpointKind

RUN = "https://run.ooni.org"
_FUNCTIONS = ("web", "links")
"""Functions whose addresses a browser opens."""
NAME_LENGTH, SHORT_LENGTH = (2, 50), (2, 200)
"""Characters that OONI accepts."""


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """What phones are asked to test."""

    urls: tuple[str, ...]
    """Addresses of sites."""
    tests: tuple[str, ...]
    """Tests of applications."""


def invitation(platforms: Sequence[Platform]) -> Invitation:
    """What tests these platforms."""
    urls = [
        endpoint.id
        for platform in platforms
        for function in platform.functions
        if function.name in _FUNCTIONS
        for endpoint in function.endpoints
        if endpoint.kind is EndpointKind.HTTPS
    ]
    names = {platform.name for platform in platforms}
    tests = tuple(test for test, platform in PLATFORMS.items() if platform in names)
    return Invitation(urls=tuple(dict.fromkeys(urls)), tests=tests)


def descriptor(
    invited: Invitation, *, name: str, short: str, text: str, author: str, background: bool
) -> dict[str, Any]:
    """The body of a request that creates the link; `background` is whether phones may run it by
    themselves."""
    flags = {
        "is_background_run_enabled_default": background,
        "is_manual_run_enabled_default": True,
    }
    common: dict[str, Any] = {"inputs_extra": None, "targets_name": None, "options": {}, **flags}
    sites = [{"test_name": "web_connectivity", "inputs": list(invited.urls), **common}]
    apps = [{"test_name": test, "inputs": None, **common} for test in invited.tests]
    return {
        "name": name,
        "short_description": short,
        "description": text,
        "author": author,
        "name_intl": None,
        "short_description_intl": None,
        "description_intl": None,
        "icon": "FaDove",
        "color": "#0588cb",
        "nettests": [*(sites if invited.urls else []), *apps],
    }
