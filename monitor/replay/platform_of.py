"""Which platform a test or a domain belongs to."""

import msgspec

from monitor.ooni.apps import PLATFORMS
from probes.catalog.catalog import Catalog

WEB_TEST = "web_connectivity"
_MAIN_FUNCTIONS = ("web",)
"""Functions besides core ones that count as the platform: a blocked site is a blocked platform."""
_SITE_FUNCTIONS = ("web", "chat")
"""Functions whose hosts are under a name of the platform's own; an api may be under its host's."""


class PlatformPart(msgspec.Struct, frozen=True):
    platform: str
    part: str
    """Empty for core functions, else the function."""


class PlatformLookup:
    """Looks up the catalogue by test and by domain."""

    def __init__(self, catalog: Catalog) -> None:
        self._hosts: dict[str, PlatformPart] = {}
        self._owners = {platform.name: platform.owner for platform in catalog.platforms}
        self._web: dict[str, tuple[str, ...]] = {}
        self._sites: dict[str, PlatformPart] = {}
        for platform in catalog.platforms:
            any_core = any(function.core for function in platform.functions)
            for function in platform.functions:
                main = function.core or not any_core or function.name in _MAIN_FUNCTIONS
                subject = PlatformPart(platform.name, "" if main else function.name)
                for endpoint in function.endpoints:
                    self._hosts.setdefault(_bare(endpoint.host), subject)
                    if function.name in _SITE_FUNCTIONS:
                        self._sites.setdefault(_site(endpoint.host), subject)
                    if endpoint.kind in ("https", "http") and function.name in _MAIN_FUNCTIONS:
                        known = self._web.get(platform.name, ())
                        self._web[platform.name] = tuple(dict.fromkeys((*known, endpoint.host)))

    @property
    def platforms(self) -> tuple[str, ...]:
        """Every platform, sorted."""
        return tuple(sorted(self._owners))

    def owner(self, platform: str) -> str:
        """The owner of a platform; the platform itself when unknown."""
        return self._owners.get(platform, platform)

    def sites(self, platform: str) -> tuple[str, ...]:
        return self._web.get(platform, ())

    def of_test(self, test: str) -> PlatformPart | None:
        platform = PLATFORMS.get(test)
        return PlatformPart(platform, "") if platform else None

    def of_domain(self, domain: str) -> PlatformPart | None:
        """The platform of a domain, or of a known parent domain."""
        bare = _bare(domain.strip().rstrip(".").lower())
        site = self._sites.get(bare)
        if site is not None and self._hosts.get(bare, site).platform == site.platform:
            return site
        labels = bare.split(".")
        for first in range(len(labels) - 1):
            found = self._hosts.get(".".join(labels[first:]))
            if found is not None:
                return found
        return None

    def test_of(self, platform: str) -> str:
        """The application test of a platform, or empty."""
        return {name: test for test, name in PLATFORMS.items()}.get(platform, "")


def domain_of(url: str) -> str:
    """The host of a URL, or the text itself when it is none."""
    text = url.strip()
    text = text.split("://", 1)[-1]
    text = text.split("/", 1)[0].split("?", 1)[0].rsplit("@", 1)[-1]
    return text.rsplit(":", 1)[0] if text.count(":") == 1 else text


def _site(host: str) -> str:
    """The domain of a host: signal.org for chat.signal.org."""
    return ".".join(host.split(".")[-2:])


def _bare(host: str) -> str:
    return host.removeprefix("www.")
