"""PromQL: selectors that follow the dashboard's variables, and patterns that several panels use."""

from dashboards.grafana.boards.palette import EVENT_STATES, States

JOB = 'job=~"$job"'
EVENT = f'{JOB},country=~"$country",platform=~"$platform"'
VANTAGE = f'{JOB},country=~"$country",network=~"$network",vantage=~"$vantage"'
STATE = f'{VANTAGE},platform=~"$platform"'
FIELD = f'{VANTAGE},vantage_role="field"'
CONTROL = f'{JOB},vantage_role="control"'
"""All controls, whatever country is chosen, since controls are in other countries."""

CIRCUMSTANCES = f'shutwatch_circumstance_state{{{JOB},country=~"$country|",platform=~"$platform|"}}'
"""An empty label means every country or platform, so it matches any choice."""

ANNOTATION = (
    "shutwatch_annotation_since_timestamp_seconds"
    f'{{{JOB},country=~"$country",platform=~"$platform|"}}'
)
"""Start of each annotation; the platform is empty if it is about no single one."""

RATE = "$__rate_interval"
PAIR = "country, platform"


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
    decided = f'shutwatch_platform_state{{{EVENT},state!="insufficient"}} * {numbers["no event"]}'
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
        "* on (job, instance, vantage) group_left (vantage_role)\n"
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
