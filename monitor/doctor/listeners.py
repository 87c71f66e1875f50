"""Whether the addresses to listen at are free, or shutwatch itself listens there already."""

from monitor.config.settings import host_port
from monitor.doctor.trial import Checked, Trial, found
from monitor.server.serve import ListenError, bind
from monitor.wording.findings import What
from probes.sockets.http_client import httpx

_PATIENCE = 3.0
"""Seconds in which a monitor says that it is well."""


async def try_listeners(trial: Trial) -> list[Checked]:
    """One for the page, one for agents where they are served."""
    settings = trial.settings
    if settings.agent is not None:
        return []
    page = host_port(settings.listen_host, settings.listen_port)
    tried = [await _try("listen", settings.listen_host, settings.listen_port, page)]
    if settings.collector.listen[0]:
        tried.append(await _try("collector.listen", *settings.collector.listen, page))
    return tried


async def _try(key: str, host: str, port: int, page: str) -> Checked:
    """Try one address. `page` is where shutwatch tells that it runs: agents' listener does not."""
    address = host_port(host, port)
    try:
        for one in await bind(host, port):
            one.close()
    except ListenError as error:
        if error.in_use and await _is_ours(page):
            return Checked(check="port", about=f"{address}, where shutwatch runs already")
        if error.in_use:
            return found("port", address, What.PORT_IN_USE, address=address, key=key)
        _, _, why = str(error).partition(": ")
        return found("port", address, What.CANNOT_LISTEN, address=address, key=key, why=why)
    return Checked(check="port", about=address)


async def _is_ours(page: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=_PATIENCE, trust_env=False) as client:
            answer = await client.get(f"http://{page}/-/healthy")
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return False
    return answer.text.strip() == "healthy"
