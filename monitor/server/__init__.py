"""The ASGI application: metrics, health and pages."""

from monitor.server.app import create_app
from monitor.server.serve import ListenError, serve

__all__ = ["ListenError", "create_app", "serve"]
