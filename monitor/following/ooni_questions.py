"""What OONI is asked for: as few lists as possible, with commas between what they are about."""

from collections.abc import Sequence

from monitor.ooni.apps import PLATFORMS
from monitor.replay.platform_of import WEB_TEST, PlatformLookup
from probes.catalog.catalog import Catalog
from probes.catalog.endpoint_kinds import EndpointKind

_MOST = 120
"""Hosts in one question: an address of some 2,500 characters."""
_SITE_LABELS = 2


def hosts_of(catalog: Catalog) -> tuple[str, ...]:
    """Every host under which volunteers may test a platform, sorted: those of the catalogue, and
    its sites, with and without www."""
    lookup = PlatformLookup(catalog)
    found: set[str] = set()
    for platform in catalog.platforms:
        for function in platform.functions:
            for endpoint in function.endpoints:
                if endpoint.kind not in (EndpointKind.HTTPS, EndpointKind.HTTP):
                    continue
                bare = endpoint.host.removeprefix("www.")
                site = ".".join(bare.split(".")[-_SITE_LABELS:])
                found |= {
                    name
                    for base in (bare, site)
                    for name in (base, f"www.{base}")
                    if lookup.of_domain(base) is not None
                }
    return tuple(sorted(found))


def questions(
    catalog: Catalog, countries: Sequence[str], run_link: str = ""
) -> tuple[tuple[str, dict[str, str]], ...]:
    """Name → the filters of each list: one for the tests of applications, one for so many hosts.

    All platforms of the catalogue are asked for, whichever are watched: the others tell a network
    that fails from a platform that is blocked.
    """
    common = {"probe_cc": ",".join(countries)}
    if run_link:
        common["ooni_run_link_id"] = run_link
    hosts = hosts_of(catalog)
    parts = [hosts[at : at + _MOST] for at in range(0, len(hosts), _MOST)]
    return (
        ("apps", {**common, "test_name": ",".join(sorted(PLATFORMS))}),
        *(
            (f"web {number}", {**common, "test_name": WEB_TEST, "domain": ",".join(part)})
            for number, part in enumerate(parts, 1)
        ),
    )
