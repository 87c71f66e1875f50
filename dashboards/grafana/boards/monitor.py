"""The monitor itself: availability, load, storage and resources."""

from typing import Any

from grafana_foundation_sdk.models import units

from dashboards.grafana.boards.board import Board
from dashboards.grafana.boards.links import MONITOR
from dashboards.grafana.boards.palette import AMBER, GREEN, GREY, RED
from dashboards.grafana.boards.parts import graph, listing, number, state_names
from dashboards.grafana.boards.promql import JOB, RATE, VANTAGE

CONFIGURATION = (("refused", RED), ("in use", GREEN))


def numbers() -> list[Any]:
    """Availability, uptime and storage."""
    up = number(
        "Monitors that answer",
        "Processes of shutwatch that Prometheus can scrape, out of all it should.",
        f"sum(up{{{JOB}}}) / count(up{{{JOB}}})",
        units.PercentUnit,
        (None, RED),
        (1, GREEN),
        width=4,
    )
    stored = number(
        "Oldest stored cycle",
        "Time since the last stored cycle of the vantage that has gone longest without one, of "
        "those that ever had one.",
        f"time() - min(\n  shutwatch_cycle_last_success_timestamp_seconds{{{VANTAGE}}} > 0\n)",
        units.Seconds,
        (None, GREEN),
        (900, AMBER),
        (1800, RED),
        width=4,
    )
    since = number(
        "Running for",
        "Time since the newest process started. Its counters started at zero then.",
        f"time() - max(process_start_time_seconds{{{JOB}}})",
        units.Seconds,
        (None, GREY),
        width=4,
    )
    configuration = number(
        "Configuration",
        "Whether the configuration in use is the file as it was last read. Refused is a file with "
        "a mistake: the one before is still in use, and the log says what is wrong.",
        f"min(shutwatch_config_last_reload_successful{{{JOB}}})",
        units.Short,
        (None, GREY),
        width=4,
    )
    configuration.mappings(state_names(CONFIGURATION))
    version = listing(
        "Version",
        "Version of shutwatch, and of the Python it runs on.",
        [f"count by (version, python, instance) (shutwatch_build_info{{{JOB}}})"],
        {"instance": "Instance", "version": "shutwatch", "python": "Python"},
        hidden=("Value",),
        width=8,
        height=4,
    )
    return [up, stored, configuration, since, version]


def work() -> list[Any]:
    """Duration of cycles against their interval."""
    cycle = graph(
        "Cycle duration",
        "How long the last cycle of each vantage took, against the configured interval.",
        units.Seconds,
        f"max by (vantage) (shutwatch_cycle_duration_seconds{{{VANTAGE}}})",
        (f"max(shutwatch_cycle_interval_seconds{{{JOB}}})", "interval"),
    )
    trouble = graph(
        "Missed cycles and storage errors",
        "Scheduled cycles that did not run, and operations the store failed at. Either means lost "
        "evidence.",
        units.Short,
        (f"sum(increase(shutwatch_schedule_missed_total{{{VANTAGE}}}[{RATE}]))", "missed cycles"),
        (
            f"sum by (operation) (increase(shutwatch_storage_errors_total{{{JOB}}}[{RATE}]))",
            "storage: {{operation}}",
        ),
        interval="5m",
    )
    looks = graph(
        "Measurements per second",
        "Measurements by country, with retries after a failure and measurements of references.",
        units.CountsPerSecond,
        f"sum by (country) (rate(shutwatch_probes_total{{{VANTAGE}}}[{RATE}]))",
        interval="5m",
    )
    scrape = graph(
        "Scrapes",
        "How long Prometheus waited for the metrics.",
        units.Seconds,
        f"max by (instance) (scrape_duration_seconds{{{JOB}}})",
    )
    return [cycle, trouble, looks, scrape]


def messages() -> list[Any]:
    """Notifications that shutwatch itself sends."""
    sent = graph(
        "Notifications",
        "Notices of events that shutwatch itself delivered, and attempts that failed, by route. "
        "Without a route there is nothing here; Alertmanager counts its own.",
        units.Short,
        (
            f"sum by (route) (increase(shutwatch_notifications_total{{{JOB}}}[{RATE}]))",
            "{{route}}: delivered",
        ),
        (
            f"sum by (route) (increase(shutwatch_notification_failures_total{{{JOB}}}[{RATE}]))",
            "{{route}}: attempts failed",
        ),
        interval="5m",
    )
    waiting = graph(
        "Waiting notifications",
        "Notices not delivered yet: for quiet hours to end, for their digest, or for the next "
        "attempt. Overdue: those that failed or are past their time.",
        units.Short,
        (f"sum by (route) (shutwatch_notifications_pending{{{JOB}}})", "{{route}}: waiting"),
        (f"sum by (route) (shutwatch_notifications_overdue{{{JOB}}})", "{{route}}: overdue"),
    )
    return [sent, waiting]


def cost() -> list[Any]:
    """Memory, CPU and storage of the process."""
    memory = graph(
        "Memory",
        "Memory of each process.",
        units.BytesIEC,
        f"max by (instance) (process_resident_memory_bytes{{{JOB}}})",
    )
    cpu = graph(
        "CPU",
        "Cores used by each process, user and system.",
        units.Short,
        f"sum by (instance) (rate(process_cpu_seconds_total{{{JOB}}}[{RATE}]))",
        interval="5m",
    )
    descriptors = graph(
        "Open files and sockets",
        "Descriptors each process has open, out of those it may.",
        units.PercentUnit,
        f"max by (instance) (process_open_fds{{{JOB}}} / process_max_fds{{{JOB}}})",
    )
    samples = graph(
        "Samples per scrape",
        "Series that one scrape of the metrics brings.",
        units.Short,
        f"max by (instance) (scrape_samples_scraped{{{JOB}}})",
    )
    return [memory, cpu, descriptors, samples]


BOARD = Board(
    MONITOR,
    "shutwatch 5: the monitor",
    "Whether the monitor keeps up, stores what it sees, and what it costs.",
    (("Now", numbers), ("Work", work), ("Messages", messages), ("Cost", cost)),
)
