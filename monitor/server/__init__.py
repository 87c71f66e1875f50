"""The HTTP server: the pages, the readers' API, metrics and health.

    app.py               the routes and the middleware, as one ASGI application
    serve.py             serves it inside the running event loop, over TCP or TLS
    listener.py          accepts connections, and decides which of them stay
    connection_limits.py closes connections that are slow or idle
    crowd.py             who is connected, by where they come from
    turns.py             whose request is next
    allowance.py         so many at once, and so many a second
    access.py            the gate: passwords, tokens, and what the public may read
    sign_in.py           whose password is checked next
    public_share.py      the public's share of the processor
    headers.py           security headers of every response
    reload_route.py      `POST /-/reload`
    actions.py           what editors do, by one door, and the audit log
    own_forms.py         forms that only our own pages can send
    report_jobs.py       reports that editors have made
    pages.py             the pages
    page.py              what all pages share: templates, style, links, language
    templates/           HTML, style, icon and the one script
    history.py           the past as strips, from the counts of hours and days
    history_shown.py     these strips as the page of a country shows them
    embedded.py          cards and badges for the pages of others
    previews.py          what others are shown where the address of an event is shared
    preview_text.py      what such a picture, and the tags beside it, say
    preview_picture.py   draws the picture
    top_line.py          the headline about the present
    feeds.py             events as Atom and as JSON Feed
    listed_events.py     the events that a reader selects
    entity_tag.py        what a client has already is not sent again
    event_filter.py      which events the page of events lists
    matrix.py            the present state by country, network and platform
    evidence.py          the evidence for one event, from the store
    measurement_view.py  one measurement next to its control, layer by layer
    timeline_chart.py    events as bars on a time axis
    runbook_pages.py     what to do about each alert
    documents.py         the documents as a site
    api/                 the readers' API, JSON and CSV

`monitor.app`, `monitor.cli`, `monitor.collector` and `monitor.doctor` import it.
"""

from monitor.server.app import create_app
from monitor.server.serve import ListenError, serve

__all__ = ["ListenError", "create_app", "serve"]
