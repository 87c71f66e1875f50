"""A dashboard from its panels, with the variables, annotations and links that all share."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.grafana.boards.links import TAG, to_the_others
from dashboards.grafana.boards.palette import CONFIRMED, NOTED, OTHER, SUSPECTED
from dashboards.grafana.boards.parts import SOURCE
from dashboards.grafana.boards.promql import (
    ANNOTATION,
    CIRCUMSTANCES,
    EVENT,
    JOB,
    PAIR,
    country_names,
    named,
)

_STATE = f"max by ({PAIR}) (shutwatch_blocking_event_state{{{EVENT},confirmed=%s}})"
_CONFIRMED, _SUSPECTED = _STATE % '"true"', _STATE % '"false"'
ANNOTATIONS = (
    (
        "Confirmed blocks",
        CONFIRMED,
        named(_CONFIRMED),
        "{{platform}} in {{country_name}} ({{country}}): confirmed",
    ),
    (
        "Suspected blocks",
        SUSPECTED,
        named(f"{_SUSPECTED} unless {_CONFIRMED}"),
        "{{platform}} in {{country_name}} ({{country}}): suspected",
    ),
    (
        "Outages, shutdowns and silent vantages",
        OTHER,
        f"max by (kind, country, platform, vantage) ({CIRCUMSTANCES})",
        "{{kind}} {{country}} {{platform}} {{vantage}}",
    ),
    (
        "Annotations",
        NOTED,
        f"max by (country, platform, kind, annotation) ({ANNOTATION}) * 1000",
        "{{kind}} in {{country}} {{platform}} (its words: the page of the country)",
    ),
)
"""Name, colour, query and title of each. The last query gives the time, in milliseconds."""


class Board(NamedTuple):
    """One dashboard, before it is built."""

    uid: str
    title: str
    description: str
    rows: Sequence[tuple[str, Callable[[], list[Any]]]]
    """Title of each row, and the function that makes its panels."""
    closed: Sequence[tuple[str, Callable[[], list[Any]]]] = ()
    """Further rows, collapsed until a reader opens them."""
    further: Callable[[], list[Any]] = list
    """Variables beside those that all dashboards have."""


def build(board: Board) -> dict[str, Any]:
    """The dashboard as Grafana's JSON model."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .readonly()
        .timezone("utc")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-24h", "now")
        .refresh("1m")
        .variables([*variables(), *board.further()])
        .link(to_the_others())
    )
    for name, colour, expression, _ in ANNOTATIONS:
        builder.annotation(
            dashboard.AnnotationQuery()
            .name(name)
            .datasource(SOURCE)
            .enable(True)
            .icon_color(colour)
            .expr(expression)
        )
    ids = iter(range(1, 1000))
    for title, panels in board.rows:
        builder.with_row(dashboard.Row(title).id(next(ids)))
        for panel in panels():
            builder.with_panel(panel.id(next(ids)))
    for title, panels in board.closed:
        row = dashboard.Row(title).id(next(ids))
        for panel in panels():
            row.with_panel(panel.id(next(ids)))
        builder.with_row(row)
    document: dict[str, Any] = json.loads(JSONEncoder().encode(builder.build()))
    for row in document["panels"]:
        _stack(row.get("panels") or (), row["gridPos"]["y"] + 1)
    # The SDK has no field for the title of an annotation from Prometheus.
    for annotation, (*_, title) in zip(document["annotations"]["list"], ANNOTATIONS, strict=True):
        annotation |= {"titleFormat": title, "step": "60s"}
        if ANNOTATION in annotation["expr"]:
            annotation |= {"useValueForTime": "on"}
    return document


def _stack(panels: Iterable[dict[str, Any]], top: int) -> None:
    """Place the panels of a closed row below each other, which the SDK does not do."""
    for panel in panels:
        panel["gridPos"] |= {"x": 0, "y": top}
        top += panel["gridPos"]["h"]


CLUSTER = 'cluster=~"$cluster"'


def variables() -> list[Any]:
    """The data source, and the labels to filter by; each offers what the previous ones leave."""
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    info = "shutwatch_vantage_info"
    here = f'{JOB},country=~"$country"'
    return [
        source,
        _variable("cluster", "Cluster", "shutwatch_build_info"),
        _variable("job", "Job", f"shutwatch_build_info{{{CLUSTER}}}", every=".+"),
        _countries(),
        _variable("platform", "Platform", f"shutwatch_blocking_event_active{{{here}}}"),
        _variable("network", "Network", f"{info}{{{here}}}"),
        _variable("vantage", "Vantage", f'{info}{{{here},network=~"$network"}}'),
    ]


def instances() -> list[Any]:
    """Single programs, for what they say of themselves."""
    return [_variable("instance", "Instance", f"shutwatch_build_info{{{JOB}}}", every=".+")]


def _countries() -> dashboard.QueryVariable:
    """Countries by name, with the code as the value. `.*` also matches events of no country."""
    field = country_names('vantage_role="field"')
    query = f"query_result({field})"
    return _queried("country", "Country", query, 3).regex(
        '/country="(?<value>[^"]+)".*country_name="(?<text>[^"]+)"/'
    )


def _variable(name: str, label: str, series: str, every: str = ".*") -> dashboard.QueryVariable:
    return _queried(name, label, f"label_values({series}, {name})", 1, every)


def _queried(
    name: str, label: str, query: str, kind: int, every: str = ".*"
) -> dashboard.QueryVariable:
    """`kind` is Grafana's number for this kind of query, `every` what All stands for."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"qryType": kind, "query": query, "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(every)
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )
