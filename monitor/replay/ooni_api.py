"""OONI's lists for a replay: one request at a time, with pauses, never twice.

Every answer is stored on disk once it is complete, so an interrupted fetch continues where it
stopped, and repeating a query costs OONI nothing. `monitor.sources.ooni_client` asks.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from monitor import __version__
from monitor.replay.imported_row import ReplayError
from monitor.replay.platform_of import WEB_TEST, PlatformLookup
from monitor.sources.fault import SourceFault
from monitor.sources.neighbours import neighbours
from monitor.sources.ooni_client import FIRST, OoniClient
from monitor.sources.terms import TERMS, SourceKind
from monitor.wording.file_errors import file_error

PUBLIC_API = TERMS[SourceKind.OONI].api
USER_AGENT = f"shutwatch/{__version__} (replay of OONI data)"
_WINDOW = timedelta(days=31)
"""Interval of one query: the API is slow at long ranges and deep pages."""
_SETTLED = timedelta(days=2)
"""Age from which a time range counts as complete: probes report late."""
_FRESH = timedelta(hours=1)
"""Time for which an answer about an incomplete range is used again."""
_LONGEST_WAIT = 600.0


class Answer(msgspec.Struct):
    """One part of a list, as stored on disk."""

    asked: str
    fetched_at: datetime
    results: list[dict[str, Any]]
    following: dict[str, str] | None = None
    """What asks for the next part; None at the end."""


class RequestPace(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on requests to the API, in seconds."""

    between: float = 1.0
    """Shortest time from the start of one request to that of the next."""
    timeout: float = 120.0
    tries: int = 6
    """Of one part of a list, before giving up."""
    first_wait: float = 2.0
    """After the first failure; doubled with each further one."""


class OoniApi:
    """Lists of measurements, from disk when stored."""

    def __init__(
        self,
        base: str,
        cache: Path,
        *,
        pace: RequestPace | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_delay: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    ) -> None:
        """`base` is the API's origin, `cache` a folder; `on_delay` gets the reasons of delays."""
        parts = urlsplit(base)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ReplayError(f"--api {base!r} is no web address such as {PUBLIC_API}")
        self._base = base.rstrip("/")
        self._cache = cache
        with self._caching():
            cache.mkdir(parents=True, exist_ok=True)
        self._pace = pace or RequestPace()
        self._sleep = sleep
        self._now = now
        self._on_delay = on_delay
        self._last = float("-inf")
        self._client = OoniClient(self._base, timeout=self._pace.timeout, agent=USER_AGENT, now=now)
        self._loop = asyncio.Runner()

    def close(self) -> None:
        self._loop.run(self._client.close())
        self._loop.close()

    def pages(self, query: Mapping[str, str], until: datetime) -> Iterator[list[dict[str, Any]]]:
        """The results of every part of a list; `until` is the end of its time range.

        Raises ReplayError when the API refuses or keeps failing.
        """
        part: Mapping[str, str] | None = FIRST
        while part is not None:
            asked = f"{self._base}?{urlencode({**query, **part})}"
            answer = self._kept(asked, until) or self._fetched(asked, query, part)
            yield answer.results
            part = answer.following

    def _file(self, asked: str) -> Path:
        return self._cache / f"{hashlib.sha256(asked.encode()).hexdigest()[:32]}.json"

    def _kept(self, asked: str, until: datetime) -> Answer | None:
        try:
            answer = msgspec.json.decode(self._file(asked).read_bytes(), type=Answer)
        except (OSError, msgspec.DecodeError, UnicodeError, RecursionError):
            return None
        settled = answer.fetched_at - until > _SETTLED
        fresh = self._now() - answer.fetched_at < _FRESH
        return answer if answer.asked == asked and (settled or fresh) else None

    def _keep(self, answer: Answer) -> None:
        file = self._file(answer.asked)
        partial = file.with_suffix(".partial")
        with self._caching():
            partial.write_bytes(msgspec.json.encode(answer))
            partial.replace(file)

    @contextmanager
    def _caching(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ReplayError(f"--cache {file_error(error, self._cache)}") from error

    def _fetched(self, asked: str, query: Mapping[str, str], part: Mapping[str, str]) -> Answer:
        wait = self._pace.first_wait
        for attempt in range(1, self._pace.tries + 1):
            self._pause()
            try:
                page = self._loop.run(self._client.page(query, part))
            except SourceFault as fault:
                if fault.problem == "refused":
                    raise ReplayError(f"{asked}: {fault}") from fault
                why, seconds = str(fault), wait if fault.wait is None else fault.wait
            else:
                answer = Answer(
                    asked=asked,
                    fetched_at=self._now(),
                    results=page.results,
                    following=page.following,
                )
                self._keep(answer)
                return answer
            if attempt == self._pace.tries or seconds > _LONGEST_WAIT:
                break
            self._on_delay(f"{why}; waiting {seconds:.0f} s, then attempt {attempt + 1}")
            self._sleep(seconds)
            wait *= 2
        raise ReplayError(
            f"{asked}: {why}: given up after {attempt} attempts; what came before is kept in "
            f"{self._cache}, and the same command goes on from there"
        )

    def _pause(self) -> None:
        rest = self._last + self._pace.between - time.monotonic()
        if rest > 0:
            self._sleep(rest)
        self._last = time.monotonic()


def questions(
    lookup: PlatformLookup, platform: str, country: str, since: datetime, until: datetime
) -> list[tuple[dict[str, str], datetime]]:
    """The API queries for one platform of one country, each with its end.

    The other platforms there are asked for as well, and the platform in the countries nearby: they
    tell a network that fails, and a test or a platform that does, from a block.
    """
    nearby = ",".join(neighbours(country))
    tests = sorted({test for one in lookup.platforms if (test := lookup.test_of(one))})
    sites = sorted({site for one in lookup.platforms for site in lookup.sites(one)})
    own = lookup.test_of(platform)
    subjects = [
        {"probe_cc": country, "test_name": ",".join(tests)},
        {"probe_cc": country, "test_name": WEB_TEST, "domain": ",".join(sites)},
        *([{"probe_cc": nearby, "test_name": own}] if own else []),
    ]
    if own_sites := lookup.sites(platform):
        subjects.append({"probe_cc": nearby, "test_name": WEB_TEST, "domain": ",".join(own_sites)})
    found: list[tuple[dict[str, str], datetime]] = []
    for subject in subjects:
        begin = since
        while begin < until:
            end = min(begin + _WINDOW, until)
            found.append(
                (
                    {
                        **subject,
                        "since": f"{begin:%Y-%m-%dT%H:%M:%S}",
                        "until": f"{end:%Y-%m-%dT%H:%M:%S}",
                        "order_by": "measurement_start_time",
                        "order": "asc",
                    },
                    end,
                )
            )
            begin = end
    return found
