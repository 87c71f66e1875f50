"""Panels of one style: each with title, description, unit and a text for no data."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import (
    dashboard,
    prometheus,
    stat,
    statetimeline,
    statushistory,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models.dashboard import (
    DashboardSpecialValueMapOptions,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    SpecialValueMap,
    SpecialValueMatch,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.grafana.boards import palette
from dashboards.grafana.boards.palette import GREY, States
from monitor.wording.states import EVENT_STATES, STATES
from monitor.wording.vantage_health import VANTAGE_STATES

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel = TypeVar(
    "Panel", stat.Panel, statetimeline.Panel, statushistory.Panel, table.Panel, timeseries.Panel
)
StatePanel = TypeVar("StatePanel", statetimeline.Panel, statushistory.Panel)
LinePanel = TypeVar("LinePanel", statetimeline.Panel, statushistory.Panel, timeseries.Panel)

REFS = "ABCDEFGH"
"""Names of the queries of a panel, in order."""


def gap(index: int = 0) -> SpecialValueMap:
    """No data, in grey."""
    return SpecialValueMap(
        DashboardSpecialValueMapOptions(
            match=SpecialValueMatch.NULL_AND_NAN,
            result=ValueMappingResult(text="no data", color=GREY, index=index),
        )
    )


def words_of(states: States) -> Mapping[str, str]:
    """The words of the page for a set of states; what only dashboards have keeps its own."""
    return VANTAGE_STATES if states is palette.VANTAGE_STATES else {**EVENT_STATES, **STATES}


def state_names(states: States) -> list[ValueMapping]:
    """Each number as its word and colour; a gap is grey and says so."""
    known = words_of(states)
    words = {
        str(code): ValueMappingResult(text=known.get(state, state), color=colour, index=code)
        for code, (state, colour) in enumerate(states)
    }
    return [ValueMap(words), gap(len(states))]


Line = str | tuple[str, str]
"""A query, and the pattern of the names of its series: by default, the labels it is grouped by."""


def _query(expression: str, ref: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(SOURCE).expr(expression).ref_id(ref)


def _range(line: Line, ref: str = "A") -> prometheus.Dataquery:
    expression, legend = (line, "") if isinstance(line, str) else line
    if not legend:
        grouped = re.search(r"by \(([a-z_, ]+)\)", expression)
        labels = grouped[1].split(", ") if grouped else []
        legend = " · ".join(f"{{{{{label}}}}}" for label in labels) or "__auto"
        if "group_left (country_name)" in expression:
            legend = legend.replace("{{country}}", "{{country_name}} ({{country}})")
    return _query(expression, ref).range().legend_format(legend)


Step = tuple[float | None, str]
"""A colour, and the value from which it is shown; None for the first."""


def _steps(*colours: Step) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=colour) for value, colour in colours])
    )


def _framed(panel: Panel, title: str, description: str, width: int, height: int) -> Panel:
    """A panel with the settings that all panels share."""
    panel.title(title).description(description).datasource(SOURCE)
    panel.span(width).height(height).no_value("no data")
    return panel


def _legend_below(panel: LinePanel, tooltip: common.TooltipDisplayMode) -> None:
    panel.legend(
        common_builders.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
    )
    panel.tooltip(common_builders.VizTooltipOptions().mode(tooltip))


def number(
    title: str, description: str, expression: str, unit: str, *colours: Step, width: int = 6
) -> stat.Panel:
    """One big number, in a colour by its value."""
    # The value of the moment: of a range it would be the last one, however long ago.
    asked = _query(expression, "A").instant().legend_format("__auto")
    panel = stat.Panel().with_target(asked).thresholds(_steps(*colours))
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.color_mode(common.BigValueColorMode.BACKGROUND_SOLID)
    panel.graph_mode(common.BigValueGraphMode.NONE).unit(unit).mappings([gap()])
    return _framed(panel, title, description, width, 4)


def history(
    title: str, description: str, line: Line, states: States, height: int, *, width: int = 24
) -> statushistory.Panel:
    """States over time, one line each, in equal steps."""
    panel = statushistory.Panel()
    panel.row_height(0.9).col_width(1).max_data_points(120)
    return _framed(_states(panel, line, states), title, description, width, height)


def timeline(
    title: str, description: str, line: Line, states: States, height: int, *, width: int = 24
) -> statetimeline.Panel:
    """States over time, one line each, with exact starts and ends."""
    panel = statetimeline.Panel()
    panel.row_height(0.9).merge_values(True).max_data_points(600)
    panel.align_value(common.TimelineValueAlignment.LEFT)
    return _framed(_states(panel, line, states), title, description, width, height)


def _states(panel: StatePanel, line: Line, states: States) -> StatePanel:
    panel.with_target(_range(line)).mappings(state_names(states)).unit(units.Short)
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(GREY))
    panel.thresholds(_steps((None, GREY))).interval("1m")
    panel.show_value(common.VisibilityMode.NEVER).fill_opacity(90).line_width(0)
    _legend_below(panel, common.TooltipDisplayMode.SINGLE)
    return panel


def graph(
    title: str,
    description: str,
    unit: str,
    *lines: Line,
    width: int = 12,
    height: int = 8,
    interval: str = "1m",
) -> timeseries.Panel:
    """Lines over time. A gap stays a gap."""
    panel = timeseries.Panel().unit(unit).min(0).line_width(2).fill_opacity(8)
    panel.span_nulls(False).interval(interval)
    panel.show_points(common.VisibilityMode.AUTO)
    _legend_below(panel, common.TooltipDisplayMode.MULTI)
    for ref, line in zip(REFS, lines, strict=False):
        panel.with_target(_range(line, ref))
    return _framed(panel, title, description, width, height)


def listing(
    title: str,
    description: str,
    queries: Sequence[str],
    order: Mapping[str, str],
    overrides: Mapping[str, list[DynamicConfigValue]] | None = None,
    *,
    hidden: Sequence[str] = (),
    width: int = 12,
    height: int = 9,
) -> table.Panel:
    """A table of labels: its columns by the names Prometheus gives them, in this order and renamed.

    `overrides` say how some of them look, by their new names."""
    panel = table.Panel().unit(units.Short)
    for ref, expression in zip(REFS, queries, strict=False):
        panel.with_target(_query(expression, ref).instant().format(PromQueryFormat.TABLE))
    if len(queries) > 1:
        panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    organize = {
        "excludeByName": dict.fromkeys(("Time", *hidden), True),
        "indexByName": {name: index for index, name in enumerate(order)},
        "renameByName": dict(order),
    }
    panel.with_transformation(DataTransformerConfig(id_val="organize", options=organize))
    for name, values in (overrides or {}).items():
        panel.override_by_name(name, values)
    return _framed(panel, title, description, width, height)


def as_unit(unit: str) -> DynamicConfigValue:
    """A column's own unit."""
    return DynamicConfigValue(id_val="unit", value=unit)


def coloured(
    colours: Mapping[str, str], phrases: Mapping[str, str] | None = None
) -> list[DynamicConfigValue]:
    """A column whose identifiers have colours, and phrases where given."""
    words = {
        one: {"text": (phrases or {}).get(one, one), "color": colour, "index": index}
        for index, (one, colour) in enumerate(colours.items())
    }
    return [
        DynamicConfigValue(id_val="mappings", value=[{"type": "value", "options": words}]),
        DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}),
    ]


def linked(link: dashboard.DashboardLink) -> DynamicConfigValue:
    """A column with a link in each cell."""
    built: Any = link.build()
    return DynamicConfigValue(
        id_val="links",
        value=[{"title": built.title, "url": built.url, "targetBlank": built.target_blank}],
    )
