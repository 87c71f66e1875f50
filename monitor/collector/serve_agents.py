"""The agents' listener."""

import ssl
from collections.abc import Callable

from starlette.types import ASGIApp

from monitor.collector.connection_limits import AgentConnection
from monitor.config.settings import CollectorSettings
from monitor.server.serve import serve


async def serve_agents(
    app: ASGIApp,
    settings: CollectorSettings,
    *,
    listening: Callable[[str, int], None],
    connection: type[AgentConnection] = AgentConnection,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until cancelled. Raises ListenError as `monitor.server.serve.serve` does."""
    await serve(
        app,
        *settings.listen,
        listening=listening,
        connection=connection,
        tls=tls,
        # Behind a proxy all agents come from its address, and share no limit of one source.
        trusted=lambda _: settings.behind_proxy,
    )
