"""The read-only interface under `/api/v1/`: what is stored, as JSON and CSV.

Tables say everything: `parameters` what may be asked for, `resources` what there is. Routes and the
OpenAPI document are both made from them, so neither can say what the other does not.
"""

from monitor.server.api.routes import create_api

__all__ = ["create_api"]
