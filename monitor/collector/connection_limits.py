"""Limits on connections of agents and strangers to the agents' listener."""

from monitor.server.connection_limits import LimitedConnection


class AgentConnection(LimitedConnection):
    """One connection to the agents' listener. The number of requests is limited there by vantage,
    see `monitor.collector.admission`, and their bodies by time, see `monitor.collector.requests`.
    """

    requests_per_second = 0.0
