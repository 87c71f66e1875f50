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
from dashboards.grafana.boards.palette import PURPLE, RED, SLATE
from dashboards.grafana.boards.parts import SOURCE
from dashboards.grafana.boards.promql import ANNOTATION, CIRCUMSTANCES, EVENT, JOB, PAIR

ANNOTATIONS = (
    (
        "Blocking events",
        RED,
        f"max by ({PAIR}) (shutwatch_blocking_event_active{{{EVENT}}}) == 1",
        "{{platform}} in {{country}}",
    ),
    (
        "Outages, shutdowns and silent vantages",
        PURPLE,
        f"max by (kind, country, platform, vantage) ({CIRCUMSTANCES})",
        "{{kind}} {{country}} {{platform}} {{vantage}}",
    ),
    (
        "Annotations",
        SLATE,
        f"max by (country, platform, kind, text) ({ANNOTATION}) * 1000",
        "{{kind}} in {{country}} {{platform}}: {{text}}",
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
        .variables(variables())
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


def variables() -> list[Any]:
    """The data source, and the labels to filter by; each offers what the previous ones leave."""
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    info = "shutwatch_vantage_info"
    narrowing = (
        ("job", "Job", "shutwatch_build_info", ""),
        ("country", "Country", "shutwatch_blocking_event_active", JOB),
        ("platform", "Platform", "shutwatch_blocking_event_active", f'{JOB},country=~"$country"'),
        ("network", "Network", info, f'{JOB},country=~"$country"'),
        ("vantage", "Vantage", info, f'{JOB},country=~"$country",network=~"$network"'),
    )
    return [source, *(_variable(*each) for each in narrowing)]


def _variable(name: str, label: str, family: str, selector: str) -> dashboard.QueryVariable:
    series = f"{family}{{{selector}}}" if selector else family
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"qryType": 1, "query": f"label_values({series}, {name})", "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )
