"""PromQL: selectors that follow the dashboard's variables, and patterns that several panels use."""

from dashboards.grafana.boards.palette import EVENT_STATES, States

JOB = 'cluster=~"$cluster",job=~"$job"'
"""Programs of shutwatch. `cluster` is a label that many servers add; without it all match."""
HOST = f'{JOB},instance=~"$instance"'
"""Single programs. Only what a program says of itself is asked so: what was concluded comes from
whichever collector leads."""
EVENT = f'{JOB},country=~"$country",platform=~"$platform"'
VANTAGE = f'{JOB},country=~"$country",network=~"$network",vantage=~"$vantage"'
STATE = f'{VANTAGE},platform=~"$platform"'
FIELD = f'{VANTAGE},vantage_role="field"'
CONTROL = f'{JOB},vantage_role="control"'
"""All controls, whatever country is chosen, since controls are in other countries."""

DECIDED = 'state!~"insufficient|down"'
"""States of a platform that decide whether it is blocked. Down does not: controls fail too."""

CIRCUMSTANCES = f'shutwatch_circumstance_state{{{JOB},country=~"$country|",platform=~"$platform|"}}'
"""An empty label means every country or platform, so it matches any choice."""

ANNOTATION = (
    "shutwatch_annotation_since_timestamp_seconds"
    f'{{{JOB},country=~"$country",platform=~"$platform|"}}'
)
"""Start of each annotation; the platform is empty if it is about no single one."""

RATE = "$__rate_interval"
PAIR = "country, platform"


def country_names(extra: str = "", over: str = "") -> str:
    """One series for each country that is watched, with its name; of vantages with the labels
    `extra`, or of any time in the range `over`. Should programs spell a name in two ways, one of
    them is taken: two would break a join."""
    info = f"shutwatch_vantage_info{{{','.join(filter(None, (JOB, extra)))}}}"
    info = f"last_over_time({info}[{over}])" if over else info
    return f"topk by (country) (1, max by (country, country_name) (\n    {info}\n  ))"


def named(expression: str, *, some: bool = False, in_range: bool = False) -> str:
    """Adds the label `country_name` to series with a country; `some` of them may have none. With
    `in_range`, names are those of any time in the chosen range."""
    names = country_names(over="$__range" if in_range else "")
    joined = f"({expression})\n* on (country) group_left (country_name)\n  {names}"
    return f"{joined}\nor\n({expression})\nunless on (country)\n  {names}" if some else joined


def page_of(series: str, *, in_range: bool = False) -> str:
    """Adds the label `page`, the address of an event's page, to series with an event's id. There
    are none where no `public_url` is configured."""
    url = f"shutwatch_public_url_info{{{JOB}}}"
    if in_range:
        series = f"last_over_time({series}[$__range])"
        # One of those of a program whose address changed in between.
        url = f"topk by (cluster, job, instance) (1, last_over_time({url}[$__range]))"
    return (
        f"label_join(\n  {series}\n    * on (cluster, job, instance) group_left (url)\n  {url},\n"
        '  "page", "/events/", "url", "event"\n)'
    )


def coded(family: str, selector: str, states: States, by: str) -> str:
    """The number of the worst state, grouped by these labels."""
    terms = "\n  or\n".join(
        f'  {family}{{{selector},state="{state}"}} * {code}'
        for code, (state, _) in enumerate(states)
    )
    return f"max by ({by}) (\n{terms}\n)"


def coded_events() -> str:
    """The number of an event's state by country and platform; without an event, whether any network
    has a decided verdict."""
    numbers = {state: code for code, (state, _) in enumerate(EVENT_STATES)}
    family = "shutwatch_blocking_event_state"
    decided = f"shutwatch_platform_state{{{EVENT},{DECIDED}}} * {numbers['no event']}"
    terms = [f"shutwatch_blocking_event_active{{{EVENT}}} * {numbers['cannot tell']}", decided]
    terms += [
        f'{family}{{{EVENT},state="{state}"}} * {code}'
        for state, code in numbers.items()
        if state not in ("cannot tell", "no event")
    ]
    return f"max by ({PAIR}) (\n  " + "\n  or\n  ".join(terms) + "\n)"


def role_of(selector: str) -> str:
    """Keeps the series of these vantages, and adds the label `vantage_role`."""
    return (
        "* on (cluster, job, instance, vantage) group_left (vantage_role)\n"
        f"  shutwatch_vantage_info{{{selector}}}"
    )


def failures_of(selector: str, by: str) -> str:
    """Failed layers per second of these vantages."""
    return (
        f"sum by ({by}) (\n  rate(shutwatch_probe_failures_total{{{JOB}}}[{RATE}])\n"
        f"  {role_of(selector)}\n)"
    )


def layers_of(selector: str, by: str) -> str:
    """Layers measured per second by these vantages, failed or not."""
    return (
        f"sum by ({by}) (\n  rate(shutwatch_probe_duration_seconds_count{{{JOB}}}[{RATE}])\n"
        f"  {role_of(selector)}\n)"
    )


def slowest_tenth_of(selector: str) -> str:
    """The 90th percentile of a layer's duration in seconds, by role and layer.

    Without measurements it is NaN, which the comparison removes.
    """
    return (
        "histogram_quantile(0.9, sum by (le, layer, vantage_role) (\n"
        f"  rate(shutwatch_probe_duration_seconds_bucket{{{JOB}}}[{RATE}])\n"
        f"  {role_of(selector)}\n)) >= 0"
    )
