"""Everything that touches the operating system's network: the only owner of sockets.

    network            the Network protocol, and its implementation over asyncio
    readiness          sockets that wait through epoll
    verified_chains    certificate chains verified within the last hour
    system_resolvers   the resolvers that this machine uses
    failure_mapping    exceptions → failure strings
    http_client        the one import of httpx (docs/adr/0013)

probes.layers and probes.measure import it, and who builds a Prober or an HTTP client in monitor.
It imports probes' values only.
"""
