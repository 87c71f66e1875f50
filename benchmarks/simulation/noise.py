"""What goes wrong without any censor: families of episodes, each with where its figures come from.

Rates and lengths are assumptions. Where a published study gives a figure it is named; where none
does the source says so. `FITTED` are those the detector's table of weights was set with, `HELD_OUT`
were not looked at for that.
"""

import math
import random
from collections.abc import Sequence
from enum import StrEnum

import msgspec

YEAR = 365.25 * 86400
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class Strikes(StrEnum):
    """What an episode strikes."""

    LINE = "line"
    """Everything from one vantage, as loss: `level` is the share of packets lost."""
    UPLINK = "uplink"
    """Everything from one vantage, entirely."""
    NAMES = "names"
    """Every name at one vantage's resolver, with `fate`."""
    PLATFORM_NAMES = "platform_names"
    """The platform's names at one vantage's resolver, with `fate`."""
    HOSTS = "hosts"
    """Some of the platform's servers, as seen from one vantage, with `fate` in `level` of looks."""
    LARGE = "large"
    """Large packets on one line: handshakes stay silent, in `level` of servers."""
    EDGE = "edge"
    """The addresses that one vantage's resolver gives for the platform, with `fate`; it works at
    others."""
    PATH = "path"
    """Everything between one vantage and the platform, as loss: `level` is the share of packets."""
    OPENED = "opened"
    """TLS of one vantage, which a device at its site opens: the platform's and one reference's."""
    CLOCK = "clock"
    """The vantage's clock."""
    CONTROL = "control"
    """One control vantage, entirely."""
    OUTAGE = "outage"
    """The platform, with `fate`; controls see it too."""
    REGION = "region"
    """The platform in the country's region, with `fate`; no control sees it."""
    BLOCK = "block"
    """A censor, with `fate` in `level` of looks."""
    SLOW = "slow"
    """A censor who slows the platform down."""


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes on for a while."""

    strikes: Strikes
    start: float
    """Seconds since the start of the simulation."""
    end: float
    place: int = -1
    """Number of the vantage, or of the control; -1 for all."""
    fate: str = ""
    level: float = 1.0
    hosts: tuple[int, ...] = ()
    """Numbers of endpoints; empty for all."""

    @property
    def luck(self) -> float:
        """0–1, uniform over episodes, and the same whenever one is looked at."""
        return self.start * 997 % 1.0


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of noise."""

    name: str
    strikes: Strikes
    a_year: float
    """Episodes a year, of each vantage (`CONTROL`: of each control; `OUTAGE`, `REGION`: in all)."""
    median: float
    """Seconds an episode lasts, of a log-normal distribution."""
    spread: float
    """Its sigma."""
    fates: tuple[tuple[str, float], ...] = (("", 1.0),)
    """What looks come to, with their weights."""
    levels: tuple[float, float] = (1.0, 1.0)
    """Uniform between these."""
    hosts: tuple[tuple[tuple[int, ...], float], ...] = (((), 1.0),)
    """Which endpoints, with weights."""
    hours: tuple[float, float] | None = None
    """Only begins between these hours of the day."""
    shared: bool = False
    """All vantages meet the same episodes."""
    source: str
    """Of its length, or a remark; empty: assumed."""


_ONE_HOST = tuple(((number,), 1.0) for number in range(8))
_SERVICES = (((0, 1), 1.0), ((2, 3), 1.0), ((4, 5, 6), 2.0), ((7,), 1.0))

FITTED: tuple[Family, ...] = (
    Family(
        name="loss bursts",
        strikes=Strikes.LINE,
        a_year=4 * 365.25,
        median=15.0,
        spread=1.2,
        levels=(0.3, 1.0),
        source="Paxson 1999; Zhang et al. 2001",
    ),
    Family(
        name="uplink outages",
        strikes=Strikes.UPLINK,
        a_year=0.3 * 365.25,
        median=10 * MINUTE,
        spread=1.2,
        source="Grover et al. 2013: home lines in developing countries, with the rate",
    ),
    Family(
        name="paths at fault",
        strikes=Strikes.HOSTS,
        a_year=1.0,
        median=2 * MINUTE,
        spread=1.2,
        fates=(("tcp_timeout", 0.8), ("tls_timeout", 0.2)),
        hosts=(*_SERVICES, ((), 1.0)),
        source="Katz-Bassett et al. 2012",
    ),
    Family(
        name="servers at fault",
        strikes=Strikes.HOSTS,
        a_year=2.0,
        median=2 * MINUTE,
        spread=0.8,
        fates=(
            ("tcp_refused", 0.3),
            ("tls_alert", 0.15),
            ("tls_reset", 0.15),
            ("http_503", 0.3),
            ("http_timeout", 0.1),
        ),
        levels=(0.2, 1.0),
        hosts=_ONE_HOST,
        source="Callahan et al. 2013",
    ),
    Family(
        name="resolver at fault",
        strikes=Strikes.NAMES,
        a_year=4.0,
        median=4 * MINUTE,
        spread=1.0,
        fates=(("dns_timeout", 0.6), ("dns_servfail", 0.4)),
        source="",
    ),
    Family(
        name="resolver cut off from the platform's name servers",
        strikes=Strikes.PLATFORM_NAMES,
        a_year=0.3,
        median=3 * MINUTE,
        spread=1.0,
        fates=(("dns_timeout", 0.4), ("dns_servfail", 0.6)),
        source="",
    ),
    Family(
        name="resolver remembers that the name was missing",
        strikes=Strikes.PLATFORM_NAMES,
        a_year=0.0003,
        median=15 * MINUTE,
        spread=0.5,
        fates=(("dns_nxdomain", 1.0),),
        source="RFC 2308",
    ),
    Family(
        name="clock in trouble",
        strikes=Strikes.CLOCK,
        a_year=0.2,
        median=6 * HOUR,
        spread=1.0,
        source="",
    ),
    Family(
        name="control outages",
        strikes=Strikes.CONTROL,
        a_year=12.0,
        median=10 * MINUTE,
        spread=1.0,
        source="",
    ),
    Family(
        name="platform outages",
        strikes=Strikes.OUTAGE,
        a_year=6.0,
        median=40 * MINUTE,
        spread=0.8,
        fates=(
            ("http_503", 0.65),
            ("http_timeout", 0.15),
            ("tls_timeout", 0.1),
            ("dns_servfail", 0.1),
        ),
        levels=(0.7, 1.0),
        source="as in platforms' incident reports",
    ),
    Family(
        name="regional outages no control sees",
        strikes=Strikes.REGION,
        a_year=0.005,
        median=40 * MINUTE,
        spread=0.8,
        fates=(("http_503", 0.7), ("http_timeout", 0.2), ("tls_timeout", 0.1)),
        source="nothing tells one from a block",
    ),
)

HELD_OUT: tuple[Family, ...] = (
    Family(
        name="evening congestion",
        strikes=Strikes.LINE,
        a_year=365.25 / 3,
        median=2.5 * HOUR,
        spread=0.3,
        levels=(0.02, 0.1),
        hours=(14.0, 16.0),
        source="Dhamdhere et al. 2018",
    ),
    Family(
        name="large packets vanish",
        strikes=Strikes.LARGE,
        a_year=0.5,
        median=2 * HOUR,
        spread=1.0,
        levels=(0.3, 1.0),
        source="Luckie and Stasiewicz 2010",
    ),
    Family(
        name="one bad server in a pool",
        strikes=Strikes.HOSTS,
        a_year=1.0,
        median=24 * HOUR,
        spread=1.0,
        fates=(("tls_reset", 0.5), ("tcp_refused", 0.25), ("tls_timeout", 0.25)),
        levels=(0.03, 0.3),
        hosts=_ONE_HOST,
        source="",
    ),
    Family(
        name="slow resolver",
        strikes=Strikes.LINE,
        a_year=12.0,
        median=HOUR,
        spread=0.8,
        levels=(0.1, 0.35),
        source="",
    ),
)
MONTHLY = 12.0
LASTING: tuple[Family, ...] = (
    Family(
        name="dead caches of the platform at the provider",
        strikes=Strikes.EDGE,
        a_year=MONTHLY,
        median=6 * HOUR,
        spread=1.0,
        fates=(("tcp_timeout", 0.8), ("tls_timeout", 0.2)),
        source="an upper bound",
    ),
    Family(
        name="paths that lose large packets",
        strikes=Strikes.LARGE,
        a_year=MONTHLY,
        median=2 * HOUR,
        spread=1.0,
        levels=(0.3, 1.0),
        source="as held out, monthly",
    ),
    Family(
        name="lossy links to the platform",
        strikes=Strikes.PATH,
        a_year=MONTHLY,
        median=3 * HOUR,
        spread=1.0,
        levels=(0.1, 0.6),
        source="an upper bound",
    ),
    Family(
        name="office proxies and antivirus software",
        strikes=Strikes.OPENED,
        a_year=MONTHLY,
        median=8 * HOUR,
        spread=1.0,
        source="an upper bound",
    ),
)
"""Ordinary faults that last, as often as once a month."""

ODD: tuple[Family, ...] = (
    Family(
        name="faults of paths that a country's networks share",
        strikes=Strikes.HOSTS,
        a_year=1.0,
        median=2 * MINUTE,
        spread=1.2,
        fates=(("tcp_timeout", 0.8), ("tls_timeout", 0.2)),
        hosts=(*_SERVICES, ((), 1.0)),
        shared=True,
        source="as of each network",
    ),
    Family(
        name="filters at home or at work",
        strikes=Strikes.BLOCK,
        a_year=0.1,
        median=7 * DAY,
        spread=1.0,
        fates=(("dns_nxdomain", 0.4), ("dns_bogon", 0.4), ("tls_reset", 0.2)),
        source="nothing tells it from the network's own",
    ),
    Family(
        name="walls against robots",
        strikes=Strikes.HOSTS,
        a_year=2.0,
        median=12 * HOUR,
        spread=1.0,
        fates=(("http_503", 1.0),),
        source="",
    ),
    Family(
        name="a VPN left on, in a country that blocks the platform",
        strikes=Strikes.BLOCK,
        a_year=0.05,
        median=6 * HOUR,
        spread=1.0,
        fates=(("tls_reset", 0.6), ("dns_nxdomain", 0.4)),
        source="without `[vantage_check]`",
    ),
)
"""What the rates above leave out."""
FLAKY_SHARE, FLAKY_TIMES = 1 / 6, 6.0
"""Of vantages, and how many times as often their lines and uplinks fail: our assumption."""


def draw(
    rng: random.Random,
    families: Sequence[Family],
    *,
    vantages: int,
    controls: int,
    seconds: float,
    times: float = 1.0,
) -> list[Episode]:
    """Episodes over so many seconds, `times` as many as stated."""
    flaky = [rng.random() < FLAKY_SHARE for _ in range(vantages)]
    found: list[Episode] = []
    for family in families:
        for place in _places(family, vantages, controls):
            worse = (
                FLAKY_TIMES
                if family.strikes in (Strikes.LINE, Strikes.UPLINK) and flaky[place]
                else 1.0
            )
            mean = family.a_year * times * worse * seconds / YEAR
            found += [
                episode
                for _ in range(_poisson(rng, mean))
                if (episode := _one(rng, family, place, seconds)) is not None
            ]
    return found


def _places(family: Family, vantages: int, controls: int) -> range:
    if family.shared or family.strikes in (Strikes.OUTAGE, Strikes.REGION):
        return range(-1, 0)
    return range(controls if family.strikes is Strikes.CONTROL else vantages)


def _one(rng: random.Random, family: Family, place: int, seconds: float) -> Episode | None:
    start = rng.uniform(0.0, seconds)
    if family.hours is not None:
        hours = rng.uniform(*family.hours)
        start = start - start % DAY + hours * HOUR
    length = rng.lognormvariate(math.log(family.median), family.spread)
    fates, weights = zip(*family.fates, strict=True)
    groups, shares = zip(*family.hosts, strict=True)
    return Episode(
        strikes=family.strikes,
        start=start,
        end=start + length,
        place=place,
        fate=rng.choices(fates, weights)[0],
        level=rng.uniform(*family.levels),
        hosts=rng.choices(groups, shares)[0],
    )


def _poisson(rng: random.Random, mean: float) -> int:
    if mean > 500.0:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, left = 0, rng.expovariate(1.0)
    while left < mean:
        count += 1
        left += rng.expovariate(1.0)
    return count
