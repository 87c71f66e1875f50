"""Panels of one style: each with title, description, unit and a text for no data."""

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
    "Panel",
    stat.Panel,
    statetimeline.Panel,
    statushistory.Panel,
    table.Panel,
    timeseries.Panel,
)
StatePanel = TypeVar("StatePanel", statetimeline.Panel, statushistory.Panel)


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


def query(expression: str, legend: str = "", ref: str = "A") -> prometheus.Dataquery:
    """A range query."""
    return (
        prometheus.Dataquery()
        .datasource(SOURCE)
        .expr(expression)
        .range()
        .legend_format(legend or "__auto")
        .ref_id(ref)
    )


def instant(expression: str, ref: str = "A") -> prometheus.Dataquery:
    """An instant query whose labels become columns."""
    return (
        prometheus.Dataquery()
        .datasource(SOURCE)
        .expr(expression)
        .instant()
        .format(PromQueryFormat.TABLE)
        .ref_id(ref)
    )


def steps(*colours: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colours from values on; the first value is None."""
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=colour) for value, colour in colours])
    )


def fixed(colour: str) -> dashboard.FieldColor:
    """One colour."""
    return dashboard.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(colour)


def framed(panel: Panel, title: str, description: str, width: int, height: int) -> Panel:
    """A panel with the settings that all panels share."""
    panel.title(title).description(description).datasource(SOURCE)
    panel.span(width).height(height).no_value("no data")
    return panel


def number(
    title: str, description: str, expression: str, unit: str, *, width: int = 6
) -> stat.Panel:
    """One big number."""
    panel = stat.Panel().with_target(query(expression))
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.color_mode(common.BigValueColorMode.BACKGROUND_SOLID)
    panel.graph_mode(common.BigValueGraphMode.NONE).unit(unit).mappings([gap()])
    return framed(panel, title, description, width, 4)


def history(
    title: str,
    description: str,
    target: prometheus.Dataquery,
    states: States,
    height: int,
    *,
    width: int = 24,
) -> statushistory.Panel:
    """States over time, one line each, in equal steps."""
    panel = statushistory.Panel()
    panel.row_height(0.9).col_width(1).max_data_points(120)
    return framed(_states(panel, target, states), title, description, width, height)


def timeline(
    title: str,
    description: str,
    target: prometheus.Dataquery,
    states: States,
    height: int,
    *,
    width: int = 24,
) -> statetimeline.Panel:
    """States over time, one line each, with exact starts and ends."""
    panel = statetimeline.Panel()
    panel.row_height(0.9).merge_values(True).max_data_points(600)
    panel.align_value(common.TimelineValueAlignment.LEFT)
    return framed(_states(panel, target, states), title, description, width, height)


def _states(panel: StatePanel, target: prometheus.Dataquery, states: States) -> StatePanel:
    panel.with_target(target).mappings(state_names(states)).unit(units.Short)
    panel.color_scheme(fixed(GREY)).thresholds(steps((None, GREY)))
    panel.show_value(common.VisibilityMode.NEVER).fill_opacity(90).line_width(0)
    panel.legend(
        common_builders.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
    )
    panel.tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.SINGLE))
    panel.interval("1m")
    return panel


def graph(
    title: str,
    description: str,
    targets: Sequence[prometheus.Dataquery],
    unit: str,
    *,
    width: int = 12,
    height: int = 8,
    interval: str = "1m",
) -> timeseries.Panel:
    """Lines over time. A gap stays a gap."""
    panel = timeseries.Panel().unit(unit).min(0).line_width(2).fill_opacity(8)
    panel.span_nulls(False).interval(interval)
    panel.show_points(common.VisibilityMode.AUTO)
    panel.legend(
        common_builders.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
    )
    panel.tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    for target in targets:
        panel.with_target(target)
    return framed(panel, title, description, width, height)


def listing(
    title: str,
    description: str,
    targets: Sequence[prometheus.Dataquery],
    order: Mapping[str, str],
    *,
    hidden: Sequence[str] = (),
    width: int = 12,
    height: int = 9,
) -> table.Panel:
    """A table: its columns by the names Prometheus gives them, in this order and renamed."""
    panel = table.Panel().unit(units.Short)
    for target in targets:
        panel.with_target(target)
    if len(targets) > 1:
        panel.with_transformation(transformation("merge"))
    panel.with_transformation(columns(order, ("Time", *hidden)))
    return framed(panel, title, description, width, height)


def transformation(name: str, **options: object) -> DataTransformerConfig:
    """One step that reshapes a table."""
    return DataTransformerConfig(id_val=name, options=options)


def columns(order: Mapping[str, str], hidden: Sequence[str]) -> DataTransformerConfig:
    """Names for columns, in this order, without the hidden ones."""
    return transformation(
        "organize",
        excludeByName=dict.fromkeys(hidden, True),
        indexByName={name: index for index, name in enumerate(order)},
        renameByName=dict(order),
    )


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
        id_val="links", value=[{"title": built.title, "url": built.url, "targetBlank": False}]
    )
