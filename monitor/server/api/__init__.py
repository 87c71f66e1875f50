"""The readers' API under `/api/v1/`: stored data as JSON and CSV, read only.

Two tables, of parameters and of resources, make both the routes and the OpenAPI document, so they
always agree.

    routes.py        the routes, made from the resources
    resources.py     table: each resource with its filters, columns and listing in the store
    parameters.py    table: each parameter of a query string; reads a query string
    request.py       a request → the rows it selects
    json_page.py     one page of rows as JSON, with an ETag
    json_rows.py     rows as JSON objects
    cursor.py        cursors, which continue a listing on the next page
    csv_download.py  all selected rows as one CSV file
    problem.py       errors as RFC 9457 problems
    openapi.py       the OpenAPI document

Only `monitor.server.app` imports it.
"""

from monitor.server.api.routes import create_api

__all__ = ["create_api"]
