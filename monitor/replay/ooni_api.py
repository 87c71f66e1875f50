"""A polite client of OONI's public API: one request at a time, with pauses, never twice.

Every answer is stored on disk once it is complete, so an interrupted fetch continues where it
stopped, and repeating a query costs OONI nothing.
"""

import email.utils
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from monitor import __version__
from monitor.replay.imported_row import ReplayError
from monitor.replay.neighbours import neighbours
from monitor.replay.platform_of import WEB_TEST, PlatformLookup
from probes.sockets.http_client import httpx

PUBLIC_API = "https://api.ooni.io"
USER_AGENT = f"shutwatch/{__version__} (replay of OONI data)"
_MEASUREMENTS = "/api/v1/measurements"
_PAGE = 1000
_WINDOW = timedelta(days=31)
"""Interval of one query: the API is slow at long ranges and deep pages."""
_SETTLED = timedelta(days=2)
"""Age from which a time range counts as complete: probes report late."""
_FRESH = timedelta(hours=1)
"""Time for which an answer about an incomplete range is used again."""
_LONGEST_WAIT = 600.0
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class Answer(msgspec.Struct):
    """One page, as stored on disk."""

    url: str
    fetched_at: datetime
    results: list[dict[str, Any]]
    following: str = ""
    """The next page's URL; empty at the end."""


class _Metadata(msgspec.Struct):
    next_url: str | None = None


class _Wire(msgspec.Struct):
    results: list[dict[str, Any]]
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class RequestPace(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on requests to the API, in seconds."""

    between: float = 1.0
    """Shortest time from the start of one request to that of the next."""
    timeout: float = 120.0
    tries: int = 6
    """Of one page, before giving up."""
    first_wait: float = 2.0
    """After the first failure; doubled with each further one."""


class OoniApi:
    """Pages of measurements, from disk when stored."""

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
        self._pace = pace or RequestPace()
        self._sleep = sleep
        self._now = now
        self._on_delay = on_delay
        self._last = float("-inf")
        self._client = httpx.Client(
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            timeout=self._pace.timeout,
            follow_redirects=True,
        )

    def close(self) -> None:
        self._client.close()

    def pages(self, query: Mapping[str, str], until: datetime) -> Iterator[list[dict[str, Any]]]:
        """The results of every page of a query; `until` is the end of its time range.

        Raises ReplayError when the API refuses or keeps failing.
        """
        url = f"{self._base}{_MEASUREMENTS}?{urlencode(query)}"
        seen: set[str] = set()
        while url:
            if url in seen:
                raise ReplayError(f"{url}: the answer points back to a page already read")
            seen.add(url)
            answer = self._kept(url, until) or self._fetched(url)
            yield answer.results
            url = self._here(answer.following)

    def _here(self, following: str) -> str:
        """The next page at the configured origin, whichever one the answer names."""
        if not following:
            return ""
        parts = urlsplit(urljoin(f"{self._base}{_MEASUREMENTS}", following))
        return f"{self._base}{parts.path}" + (f"?{parts.query}" if parts.query else "")

    def _file(self, url: str) -> Path:
        return self._cache / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"

    def _kept(self, url: str, until: datetime) -> Answer | None:
        try:
            answer = msgspec.json.decode(self._file(url).read_bytes(), type=Answer)
        except (OSError, msgspec.DecodeError):
            return None
        settled = answer.fetched_at - until > _SETTLED
        fresh = self._now() - answer.fetched_at < _FRESH
        return answer if answer.url == url and (settled or fresh) else None

    def _keep(self, answer: Answer) -> None:
        file = self._file(answer.url)
        partial = file.with_suffix(".partial")
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(msgspec.json.encode(answer))
            partial.replace(file)
        except OSError as error:
            raise ReplayError(f"--cache {self._cache}: {error.strerror or error}") from error

    def _fetched(self, url: str) -> Answer:
        wait = self._pace.first_wait
        for attempt in range(1, self._pace.tries + 1):
            self._pause()
            why, asked = "", None
            try:
                response = self._client.get(url)
                if response.status_code == httpx.codes.OK:
                    wire = msgspec.json.decode(response.content, type=_Wire)
                    answer = Answer(
                        url=url,
                        fetched_at=self._now(),
                        results=wire.results,
                        following=wire.metadata.next_url or "",
                    )
                    self._keep(answer)
                    return answer
                why = f"HTTP status {response.status_code}"
                asked = self._asked_to_wait(response)
                if response.status_code not in _RETRIED:
                    raise ReplayError(f"{url}: {why}: {response.text[:200]}")
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                why = f"an answer that is not whole or not what was expected: {error}"
            except httpx.HTTPError as error:
                why = f"{type(error).__name__}: {error}"
            seconds = wait if asked is None else asked
            if attempt == self._pace.tries or seconds > _LONGEST_WAIT:
                break
            self._on_delay(f"{why}; waiting {seconds:.0f} s, then attempt {attempt + 1}")
            self._sleep(seconds)
            wait *= 2
        raise ReplayError(
            f"{url}: {why}: given up after {attempt} attempts; what came before is kept in "
            f"{self._cache}, and the same command goes on from there"
        )

    def _pause(self) -> None:
        rest = self._last + self._pace.between - time.monotonic()
        if rest > 0:
            self._sleep(rest)
        self._last = time.monotonic()

    def _asked_to_wait(self, response: httpx.Response) -> float | None:
        """Seconds from Retry-After, a number or a date; None without it."""
        text = response.headers.get("Retry-After", "").strip()
        if text.isdigit():
            return float(text)
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(0.0, (moment - self._now()).total_seconds())


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
                        "limit": str(_PAGE),
                    },
                    end,
                )
            )
            begin = end
    return found
