"""The address for agents, separate from the page's."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from starlette.types import ASGIApp

from monitor.collector.certificate import EVERY, Certificate
from monitor.collector.connection_limits import AgentConnection
from monitor.config.settings import CollectorSettings
from monitor.server.serve import ListenError, serve


def certificate_of(settings: CollectorSettings) -> Certificate | None:
    """The certificate to serve with; None: no TLS. Raises ListenError when it cannot be used."""
    if not settings.certificate:
        return None
    try:
        return Certificate(settings.certificate, settings.certificate_key)
    except (OSError, ValueError) as error:
        raise ListenError(
            f"the certificate {settings.certificate} cannot be used with its key: {error}"
        ) from error


async def serve_agents(
    app: ASGIApp,
    settings: CollectorSettings,
    certificate: Certificate | None,
    *,
    listening: Callable[[str, int], None] | None = None,
    renewing: float = EVERY,
    connection: type[AgentConnection] = AgentConnection,
) -> None:
    """Serve agents until cancelled, then stop within two seconds. Raises ListenError when the
    address cannot be had. `listening` is called with address and port; `renewing` is the
    seconds between two checks of the certificate's files, `connection` the class of a
    connection."""
    watching = None if certificate is None else asyncio.create_task(certificate.watch(renewing))
    try:
        await serve(
            app,
            *settings.listen,
            listening=listening,
            connection=connection,
            tls=certificate.context if certificate else None,
        )
    finally:
        if watching is not None:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
