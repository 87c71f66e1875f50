"""Whether the servers of notifications, of the ping, of stamps and of sources can be reached."""

import asyncio
from urllib.parse import urlsplit

from monitor.app.heartbeat import TIMEOUT, ask
from monitor.doctor.trial import Checked, Trial, found, server_silent
from monitor.measuring.weaknesses import untold
from monitor.notify.apprise_service import AppriseService, NotInstalledError, server_of
from monitor.notify.message import trial_message
from monitor.notify.names_without_markup import message_words
from monitor.notify.refusals import passes
from monitor.notify.settings import Route, Target
from monitor.wording.findings import What
from probes.sockets.http_client import httpx


async def try_messages(trial: Trial) -> list[Checked]:
    """One for each address of a route, for the ping, each stamp and each source. Without
    `trial.send` only connections are made, which shows neither that a message arrives nor that a
    ping counts."""
    settings = trial.settings
    if settings.agent is not None:
        return []
    service = AppriseService()
    targets = [(route, target) for route in settings.notify.route for target in route.urls]
    tried = [_try_target(trial, service, route, target) for route, target in targets]
    if settings.notify.ping_url:
        tried.append(_try_ping(trial, settings.notify.ping_url))
    stamps = (*settings.timestamps.authorities, *settings.timestamps.calendars)
    tried += [
        _try_url("timestamps", urlsplit(one).hostname or "", What.STAMPS_SILENT, one)
        for one in stamps
    ]
    tried += [_try_url("source", one.kind, What.SOURCE_SILENT, one.api) for one in settings.sources]
    nobody = [Checked(check="notification", finding=one) for one in untold(settings)]
    return [*nobody, *await asyncio.gather(*tried)]


async def _try_target(
    trial: Trial, service: AppriseService, route: Route, target: Target
) -> Checked:
    about = f"{route.name} {target.name}"
    values = {"route": route.name, "target": target.name}
    if trial.send:
        message = trial_message(message_words(route.language), route.name, trial.now())
        why = await service.deliver(target, message, trial.settings.notify.timeout)
        if not why:
            return Checked(check="notification", about=about)
        what = What.TARGET_LATER if passes(why) else What.TARGET_FAILS
        return found("notification", about, what, **values, why=why)
    try:
        server = await asyncio.to_thread(server_of, target.url)
    except NotInstalledError as error:
        return found("notification", about, What.TARGET_FAILS, **values, why=str(error))
    if server is None:
        return found("notification", about, What.TARGET_UNTRIED, **values)
    if why := await server_silent(*server):
        return found("notification", about, What.TARGET_SILENT, **values, why=why)
    return found("notification", about, What.TARGET_REACHED, **values)


async def _try_ping(trial: Trial, url: str) -> Checked:
    reached = await _try_url("ping", "", What.PING_SILENT, url)
    if reached.finding is not None:
        return reached
    if not trial.send:
        return found("ping", "", What.PING_REACHED)
    async with httpx.AsyncClient(timeout=TIMEOUT) as client:
        why = await ask(client, url)
    return found("ping", "", What.PING_FAILS, why=why) if why else reached


async def _try_url(check: str, about: str, what: What, url: str) -> Checked:
    parts = urlsplit(url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    why = await server_silent(parts.hostname or "", port)
    if why:
        return found(check, about, what, source=about, why=why)
    return Checked(check=check, about=about)
