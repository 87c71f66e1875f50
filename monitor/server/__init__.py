"""The ASGI application: metrics, health and pages."""
