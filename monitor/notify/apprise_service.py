"""Deliver a message through the service that an address names; the only user of Apprise.

Apprise is imported when it is first needed. It works in a thread of its own, which is abandoned
when it takes too long: no slow service delays the monitor or its shutdown.
"""

import asyncio
import logging
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from monitor.notify.message_value import LONGEST_BODY, LONGEST_TITLE, Limits, Message
from monitor.notify.refusals import NOT_REACHED, NOT_TAKEN, by_error, by_status
from monitor.notify.settings import Target
from monitor.wording.missing_library import install_command

T = TypeVar("T")
_STATUS = re.compile(r"error=(\d{3})\b")
_WEBHOOKS = {
    scheme: f"for a webhook, which gets JSON, write {meant}:// in place of {scheme}://"
    for scheme, meant in (("http", "json"), ("https", "jsons"))
}
_NO_CONNECTION = re.compile(r"connection error", re.IGNORECASE)


class NotInstalledError(Exception):
    """Apprise is not installed; the message says what to do."""


class AppriseService:
    """Delivers through Apprise: a `monitor.notify.ports.MessageService`."""

    def __init__(self) -> None:
        self._last: dict[str, _Attempt] = {}
        """The last attempt at each address."""

    def limits(self, target: Target) -> Limits:
        """What the service takes in one message; see `MessageService.limits`."""
        try:
            return limits_of(target.url)
        except NotInstalledError:
            return Limits()

    async def deliver(self, target: Target, message: Message, within: float) -> str:
        """Empty when the service accepted it, else why not; see `MessageService.deliver`."""
        before = self._last.get(target.url)
        if before is not None and before.thread.is_alive():
            return "the previous attempt is still running"
        if before is not None and before.late and before.message == message and before.taken:
            before.late = False
            return ""  # it arrived after all, after its time limit
        attempt = self._last[target.url] = _Attempt(target.url, message)
        try:
            async with asyncio.timeout(within):
                return await attempt.answer
        except TimeoutError:
            attempt.late = True
            return f"no answer within {within:g} s"


class _Attempt:
    """One delivery of one message to one address, in a thread of its own."""

    def __init__(self, url: str, message: Message) -> None:
        self.message = message
        self.late = False
        """Its time limit has passed."""
        self.taken = False
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.thread = _in_thread(lambda: self._run(url), self.answer)

    def _run(self, url: str) -> str:
        reason = _send(url, self.message)
        self.taken = not reason
        return reason


def fault_of(url: str) -> str:
    """Why an address cannot be used, empty when it can. Nothing is sent.

    Raises NotInstalledError.
    """
    library = _library()
    scheme = url.partition("://")[0]
    service = library.Apprise.instantiate(url, asset=_asset(library))
    if service is None:
        if scheme.lower() not in library.manager_plugins.NotificationManager():
            hint = _WEBHOOKS.get(scheme.lower(), "its list of services has them")
            return f"an address whose scheme Apprise knows: {hint}"
        return f"an address as Apprise documents them for {scheme.lower()}://"
    return ""


def limits_of(url: str) -> Limits:
    """What the service at an address takes in one message. Raises NotInstalledError."""
    library = _library()
    service = library.Apprise.instantiate(url, asset=_asset(library))
    if service is None:
        return Limits()
    apart = service.title_maxlen > 0 and not service.overflow_amalgamate_title
    return Limits(
        body=min(service.body_maxlen, LONGEST_BODY),
        title=min(service.title_maxlen, LONGEST_TITLE) if apart else 0,
    )


def server_of(url: str) -> tuple[str, int] | None:
    """Host and port that a message to this address goes to first; None where only the service
    itself knows. Nothing is sent. Raises NotInstalledError."""
    library = _library()
    service = library.Apprise.instantiate(url, asset=_asset(library))
    for known in (getattr(service, name, None) for name in ("notify_url", "api_url")):
        found = urlsplit(known) if isinstance(known, str) else None
        if found is not None and found.hostname:
            return found.hostname, found.port or (80 if found.scheme == "http" else 443)
    host = getattr(service, "smtp_host", None) or getattr(service, "host", None) or ""
    if "." not in host and ":" not in host and host != "localhost":
        return None  # a number or a name of the service's own
    return host, service.port or (443 if service.secure else 80)


def _send(url: str, message: Message) -> str:
    try:
        library = _library()
    except NotInstalledError as error:
        return str(error)
    service = library.Apprise(asset=_asset(library))
    if not service.add(url):
        return "Apprise cannot use the address"
    for one in service:
        if one.overflow_mode == library.OverflowMode.UPSTREAM:
            # What is too long all the same arrives in pieces; else the service may refuse it.
            one.overflow_mode = library.OverflowMode.SPLIT
    with _Reported() as reported:
        result = service.notify(
            title=message.title,
            body=message.body,
            notify_type=message.urgency.value,
            body_format=library.NotifyFormat.TEXT,
        )
    return "" if result else _reason(result, reported.error)


def _reason(result: Any, error: BaseException | None) -> str:
    logged = " ".join(str(entry.message) for one in result for entry in one.logs())
    status = _STATUS.search(logged)
    if status:
        return by_status(int(status[1]))
    return by_error(error) or (NOT_REACHED if _NO_CONNECTION.search(logged) else NOT_TAKEN)


class _Reported(logging.Handler):
    """For as long as the context lasts, the error that Apprise logs in this thread. It catches the
    error and says no more than that there was one."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.error: BaseException | None = None
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.error = sys.exc_info()[1] or self.error

    def __enter__(self) -> "_Reported":
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)


def _library() -> Any:
    try:
        import apprise
    except ImportError as error:
        raise NotInstalledError(
            f"notifications need Apprise ({error.name}): {install_command('notify')}"
        ) from error
    # Their logs name addresses, and with them tokens.
    for name in ("apprise", "urllib3", "requests", "requests_oauthlib"):
        logging.getLogger(name).propagate = False
    return apprise


def _asset(library: Any) -> Any:
    """Apprise under our name, without files of its own, and bounded by our time limit alone."""
    return library.AppriseAsset(
        app_id="shutwatch",
        app_desc="shutwatch",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        image_path_mask=False,
        async_mode=False,
        storage_mode="memory",
        # After 301 and 302 it would ask by GET, without the message, and call that a success.
        http_redirects=False,
        service_timeout=0,
        allow_templates=False,
    )


def _in_thread(work: Callable[[], T], answer: "asyncio.Future[T]") -> threading.Thread:
    """Start `work` in a thread; its result or error goes to `answer` unless that is done."""
    loop = answer.get_loop()

    def settle(result: T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 # raised again where it is waited for
            failure = error
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, result, failure)

    thread = threading.Thread(target=run, name="notify", daemon=True)
    thread.start()
    return thread
