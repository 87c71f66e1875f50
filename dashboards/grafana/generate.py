"""Write the Grafana dashboard: `python -m dashboards.grafana.generate`.

The JSON beside this file is what users load; it is generated so that titles, units and queries
follow one pattern, and committed so that nobody needs this program to use it. No data and
insufficient data are grey everywhere, never green.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import (
    dashboard,
    prometheus,
    stat,
    statushistory,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
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
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

OUTPUT = Path(__file__).parent / "shutwatch-overview.json"
UID = "shutwatch-overview"

GREY, GREEN, PURPLE = "#808a94", "#2f9e57", "#7a68d6"
AMBER, ORANGE, RED = "#d9a20a", "#e07b1f", "#c92a23"

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

EVENT = 'job=~"$job",country=~"$country",platform=~"$platform"'
VANTAGE = 'job=~"$job",country=~"$country",network=~"$network",vantage=~"$vantage"'
STATE = f'{VANTAGE},platform=~"$platform"'

PLATFORM_STATES = (
    ("insufficient", GREY),
    ("ok", GREEN),
    ("down", PURPLE),
    ("degraded", AMBER),
    ("throttled", ORANGE),
    ("blocked", RED),
)
"""Worst last: a panel shows one number per state, and of several vantages the largest."""

VANTAGE_STATES = (
    ("unknown", GREY),
    ("ok", GREEN),
    ("lossy", AMBER),
    ("captive_portal", ORANGE),
    ("offline", ORANGE),
    ("international_cut", RED),
)
"""As PLATFORM_STATES, for the health of vantages."""

Panel = TypeVar("Panel", stat.Panel, statushistory.Panel, table.Panel, timeseries.Panel)


def coded(family: str, selector: str, states: Sequence[tuple[str, str]], by: str) -> str:
    """PromQL for the number of the worst state by some labels."""
    terms = "\n  or\n".join(
        f'  {family}{{{selector},state="{state}"}} * {code}'
        for code, (state, _) in enumerate(states)
    )
    return f"max by ({by}) (\n{terms}\n)"


def gap(index: int = 0) -> SpecialValueMap:
    """No data, in grey."""
    return SpecialValueMap(
        DashboardSpecialValueMapOptions(
            match=SpecialValueMatch.NULL_AND_NAN,
            result=ValueMappingResult(text="no data", color=GREY, index=index),
        )
    )


def state_names(states: Sequence[tuple[str, str]]) -> list[ValueMapping]:
    """Each number as its word and colour; a gap is grey and says so."""
    words = {
        str(code): ValueMappingResult(text=state.replace("_", " "), color=colour, index=code)
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
    """A panel with what every panel must have."""
    panel.title(title).description(description).datasource(SOURCE)
    panel.span(width).height(height).no_value("no data")
    return panel


def number(title: str, description: str, expression: str, unit: str) -> stat.Panel:
    """One big number."""
    panel = stat.Panel().with_target(query(expression))
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    panel.color_mode(common.BigValueColorMode.BACKGROUND_SOLID)
    panel.graph_mode(common.BigValueGraphMode.NONE).unit(unit).mappings([gap()])
    return framed(panel, title, description, 6, 4)


def history(
    title: str,
    description: str,
    target: prometheus.Dataquery,
    states: Sequence[tuple[str, str]],
    height: int,
) -> statushistory.Panel:
    """States over time, one line each."""
    panel = statushistory.Panel().with_target(target).mappings(state_names(states))
    panel.unit(units.Short).color_scheme(fixed(GREY)).thresholds(steps((None, GREY)))
    panel.show_value(common.VisibilityMode.NEVER).row_height(0.9).col_width(1)
    panel.fill_opacity(85).line_width(0)
    panel.legend(common_builders.VizLegendOptions().show_legend(False))
    panel.max_data_points(120).interval("1m")
    return framed(panel, title, description, 24, height)


def graph(
    title: str,
    description: str,
    targets: Sequence[prometheus.Dataquery],
    unit: str,
    *,
    width: int = 12,
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
    return framed(panel, title, description, width, 8)


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


def focus(*labels: str) -> dashboard.DashboardLink:
    """A link on a value to this dashboard, narrowed to it, that carries the other variables on."""
    narrowed = "&".join(f"var-{label}=${{__field.labels.{label}}}" for label in labels)
    carried = [f"${{{name}:queryparam}}" for name in ("datasource", "job") if name not in labels]
    return (
        dashboard.DashboardLink("Only this")
        .type(DashboardLinkType.LINK)
        .url(f"/d/{UID}?{narrowed}&{'&'.join(carried)}&${{__url_time_range}}")
    )


def variables() -> list[Any]:
    """Data source and the labels to narrow by, each offering what the ones before it leave."""
    source = dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
    info = "shutwatch_vantage_info"
    narrowing = (
        ("job", "Job", "shutwatch_build_info", ""),
        ("country", "Country", "shutwatch_blocking_event_active", 'job=~"$job"'),
        (
            "platform",
            "Platform",
            "shutwatch_blocking_event_active",
            'job=~"$job",country=~"$country"',
        ),
        ("network", "Network", info, 'job=~"$job",country=~"$country"'),
        ("vantage", "Vantage", info, 'job=~"$job",country=~"$country",network=~"$network"'),
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


def blocked_panels() -> list[Any]:
    """What is blocked, where, since when and how."""
    pair = "max by (country, platform)"
    active = number(
        "Active events",
        "Blocks of one platform in one country that are active now, suspected or confirmed.",
        f"sum({pair} (shutwatch_blocking_event_active{{{EVENT}}}))",
        units.Short,
    ).thresholds(steps((None, GREY), (1, RED)))
    seeing = number(
        "Field vantages that can see",
        "Field vantages whose own link is healthy, out of all configured. Below one, part of "
        "what happens goes unseen.",
        f'sum(shutwatch_vantage_state{{{VANTAGE},vantage_role="field",state=~"ok|lossy"}})\n'
        f'/ count(shutwatch_vantage_info{{{VANTAGE},vantage_role="field"}})',
        units.PercentUnit,
    ).thresholds(steps((None, RED), (0.5, AMBER), (1, GREEN)))
    blind = number(
        "Blind spots",
        "Pairs of country and platform about which no network can tell anything: a block there "
        "would go unseen.",
        f"count(\n  {pair} (shutwatch_blocking_event_active{{{EVENT}}})\n"
        "  unless on (country, platform)\n"
        f'  ({pair} (shutwatch_platform_state{{{STATE},state!="insufficient"}}) == 1)\n'
        f") or 0 * sum(shutwatch_blocking_event_active{{{EVENT}}})",
        units.Short,
    ).thresholds(steps((None, GREEN), (1, AMBER)))
    oldest = number(
        "Oldest report",
        "Time since the last report of the vantage that has been silent longest, of those that "
        "ever reported.",
        f"time() - min(shutwatch_vantage_last_report_timestamp_seconds{{{VANTAGE}}} > 0)",
        units.Seconds,
    ).thresholds(steps((None, GREEN), (900, AMBER), (1800, RED)))
    by_country = history(
        "Platforms by country",
        "The worst state of each platform on any network of a country. Grey is no data or not "
        "enough to tell, never good news.",
        query(
            coded("shutwatch_platform_state", STATE, PLATFORM_STATES, "country, platform"),
            "{{country}} · {{platform}}",
        ),
        PLATFORM_STATES,
        12,
    ).data_links([focus("country", "platform")])
    ratio = graph(
        "Networks blocking",
        "Networks of a country on which a platform is blocked, out of those that could tell. "
        "No line means that none could.",
        [
            query(
                f"{pair} (shutwatch_platform_blocked_networks_ratio{{{EVENT}}})",
                "{{country}} · {{platform}}",
            )
        ],
        units.PercentUnit,
        width=24,
    ).max(1)
    return [active, seeing, blind, oldest, by_country, events(), methods(), ratio]


def events() -> table.Panel:
    """The active events as a table."""
    pair = "max by (country, platform)"
    panel = table.Panel()
    panel.with_target(
        instant(f"max by (country, platform, state) (shutwatch_blocking_event_state{{{EVENT}}})")
    )
    for ref, family, factor in (
        ("B", "shutwatch_blocking_event_onset_timestamp_seconds", " * 1000"),
        ("C", "shutwatch_blocking_event_networks_affected", ""),
        ("D", "shutwatch_blocking_event_networks_seen", ""),
    ):
        panel.with_target(instant(f"{pair} ({family}{{{EVENT}}}){factor}", ref))
    panel.with_transformation(transformation("merge"))
    panel.with_transformation(
        columns(
            {
                "country": "Country",
                "platform": "Platform",
                "state": "State",
                "Value #B": "Blocked since",
                "Value #C": "Networks affected",
                "Value #D": "Networks seen",
            },
            hidden=("Time", "Value #A"),
        )
    )
    panel.unit(units.Short)
    panel.override_by_name(
        "Blocked since", [DynamicConfigValue(id_val="unit", value=units.DatetimeISO)]
    )
    panel.override_by_name("State", [_coloured({"suspected": AMBER, "confirmed": RED})])
    return framed(
        panel,
        "Active events",
        "Every active event: since when, and on how many of the networks looked from. The time is "
        "the first moment known to be blocked.",
        12,
        9,
    )


def _coloured(colours: Mapping[str, str]) -> DynamicConfigValue:
    mapping = {
        word: {"text": word, "color": colour, "index": index}
        for index, (word, colour) in enumerate(colours.items())
    }
    return DynamicConfigValue(id_val="mappings", value=[{"type": "value", "options": mapping}])


def methods() -> table.Panel:
    """How each network interferes."""
    labels = "country, platform, network, asn, method, sub_method"
    panel = table.Panel().with_target(
        instant(f"max by ({labels}) (shutwatch_platform_blocked_method_info{{{STATE}}})")
    )
    panel.with_transformation(
        columns(
            {
                "country": "Country",
                "platform": "Platform",
                "network": "Network",
                "asn": "AS",
                "method": "Method",
                "sub_method": "Sub-method",
            },
            hidden=("Time", "Value"),
        )
    )
    panel.unit(units.Short)
    return framed(
        panel,
        "Methods by network",
        "How each network that interferes with a platform does it, as of its last cycle.",
        12,
        9,
    )


def network_panels() -> list[Any]:
    """The same states, one line per network."""
    panel = history(
        "Platforms by network",
        "The worst state of each platform on each network. Narrow country and platform above to "
        "compare networks.",
        query(
            coded("shutwatch_platform_state", STATE, PLATFORM_STATES, "country, network, platform"),
            "{{country}} · {{network}} · {{platform}}",
        ),
        PLATFORM_STATES,
        14,
    )
    return [panel.data_links([focus("country", "network", "platform")])]


def vantage_panels() -> list[Any]:
    """Whether the vantages themselves are well."""
    health = history(
        "Vantage health",
        "What the references told about each vantage. While it is not ok nothing it sees is "
        "judged, unless it is lossy or cut off from abroad.",
        query(coded("shutwatch_vantage_state", VANTAGE, VANTAGE_STATES, "vantage"), "{{vantage}}"),
        VANTAGE_STATES,
        8,
    ).data_links([focus("vantage")])
    age = graph(
        "Time since last report",
        "How long ago each vantage finished its last cycle. A vantage that never reported has no "
        "line; its alert tells.",
        [
            query(
                "time() - max by (vantage) "
                f"(shutwatch_vantage_last_report_timestamp_seconds{{{VANTAGE}}} > 0)",
                "{{vantage}}",
            )
        ],
        units.Seconds,
    )
    references = graph(
        "References that answered",
        "References that worked in the last cycle of each vantage, out of all looked at.",
        [
            query(
                f"min by (vantage) (shutwatch_vantage_reference_success_ratio{{{VANTAGE}}})",
                "{{vantage}}",
            )
        ],
        units.PercentUnit,
    ).max(1)
    return [health, age, references]


def probe_panels() -> list[Any]:
    """What fails, layer by layer, before any judgement."""
    rate = f"{{{VANTAGE}}}[$__rate_interval]"
    layers = graph(
        "Failures by layer",
        "Failed layers of looks out of all layers looked at. A failure is a fact, not a verdict.",
        [
            query(
                f"sum by (layer) (rate(shutwatch_probe_failures_total{rate}))\n/\n"
                f"(sum by (layer) (rate(shutwatch_probe_duration_seconds_count{rate})) > 0)",
                "{{layer}}",
            )
        ],
        units.PercentUnit,
        interval="5m",
    )
    kinds = graph(
        "Failures by kind",
        "Failures per second by layer and kind, of those that happened at all.",
        [
            query(
                f"sum by (layer, failure) (rate(shutwatch_probe_failures_total{rate})) > 0",
                "{{layer}} · {{failure}}",
            )
        ],
        units.CountsPerSecond,
        interval="5m",
    )
    duration = graph(
        "Time per layer, 90th percentile",
        "Nine in ten looks passed a layer faster than this. Timeouts are in it.",
        [
            query(
                "histogram_quantile(0.9, sum by (le, layer) "
                f"(rate(shutwatch_probe_duration_seconds_bucket{rate})))",
                "{{layer}}",
            )
        ],
        units.Seconds,
        interval="5m",
    )
    looks = graph(
        "Looks per second",
        "Looks made, by country. Repeats after a failure and looks at references are in it.",
        [
            query(
                f"sum by (country) (rate(shutwatch_probes_total{rate}))",
                "{{country}}",
            )
        ],
        units.CountsPerSecond,
        interval="5m",
    )
    return [layers, kinds, duration, looks]


def monitor_panels() -> list[Any]:
    """The monitor's own state."""
    cycle = graph(
        "Cycle duration",
        "How long the last cycle of each vantage took, against the configured interval.",
        [
            query(
                f"max by (vantage) (shutwatch_cycle_duration_seconds{{{VANTAGE}}})", "{{vantage}}"
            ),
            query('max(shutwatch_cycle_interval_seconds{job=~"$job"})', "interval", "B"),
        ],
        units.Seconds,
    )
    trouble = graph(
        "Missed cycles and storage errors",
        "Scheduled cycles that did not run, and operations the store failed at. Either means lost "
        "evidence.",
        [
            query(
                f"sum(increase(shutwatch_schedule_missed_total{{{VANTAGE}}}[$__rate_interval]))",
                "missed cycles",
            ),
            query(
                'sum by (operation) (increase(shutwatch_storage_errors_total{job=~"$job"}'
                "[$__rate_interval]))",
                "storage: {{operation}}",
                "B",
            ),
        ],
        units.Short,
        interval="5m",
    )
    return [cycle, trouble]


ROWS = (
    ("Blocking", blocked_panels),
    ("Networks", network_panels),
    ("Vantages", vantage_panels),
    ("Failures", probe_panels),
    ("Monitor", monitor_panels),
)


def build() -> dict[str, Any]:
    """The dashboard as Grafana's JSON model."""
    board = (
        dashboard.Dashboard("shutwatch: overview")
        .uid(UID)
        .description("Which platforms are blocked where, and whether the monitor can see at all.")
        .tags(["shutwatch"])
        .readonly()
        .timezone("utc")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-24h", "now")
        .refresh("1m")
        .variables(variables())
        .annotation(
            dashboard.AnnotationQuery()
            .name("Blocking events")
            .datasource(SOURCE)
            .enable(True)
            .icon_color(RED)
            .expr(f"max by (country, platform) (shutwatch_blocking_event_active{{{EVENT}}}) == 1")
        )
    )
    ids = iter(range(1, 1000))
    for title, panels in ROWS:
        board.with_row(dashboard.Row(title).id(next(ids)))
        for panel in panels():
            board.with_panel(panel.id(next(ids)))
    document: dict[str, Any] = json.loads(JSONEncoder().encode(board.build()))
    # The SDK has no field for how an annotation from Prometheus is worded.
    document["annotations"]["list"][0] |= {
        "titleFormat": "{{platform}} in {{country}}",
        "step": "60s",
    }
    return document


def text() -> str:
    """The file as committed."""
    return json.dumps(build(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    OUTPUT.write_text(text(), "utf-8")
