"""The monitor itself: availability, load, storage and resources."""

from typing import Any

from grafana_foundation_sdk.models import units

from dashboards.grafana.boards.board import Board, instances
from dashboards.grafana.boards.links import MONITOR
from dashboards.grafana.boards.palette import FAULT, GREEN, GREY, WATCH
from dashboards.grafana.boards.parts import graph, listing, number, state_names
from dashboards.grafana.boards.promql import HOST, JOB, RATE, VANTAGE, named

CONFIGURATION = (("refused", FAULT), ("in use", GREEN))


def numbers() -> list[Any]:
    """Availability, uptime and storage."""
    up = number(
        "Monitors that answer",
        "Processes of shutwatch that Prometheus can scrape, out of all it should.",
        f"sum(up{{{HOST}}}) / count(up{{{HOST}}})",
        units.PercentUnit,
        (None, FAULT),
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
        (900, WATCH),
        (1800, FAULT),
        width=4,
    )
    since = number(
        "Running for",
        "Time since the newest process started. Its counters started at zero then.",
        f"time() - max(process_start_time_seconds{{{HOST}}})",
        units.Seconds,
        (None, GREY),
        width=4,
    )
    configuration = number(
        "Configuration",
        "Whether the configuration in use is the file as it was last read. Refused is a file with "
        "a mistake: the one before is still in use, and the log says what is wrong.",
        f"min(shutwatch_config_last_reload_successful{{{HOST}}})",
        units.Short,
        (None, GREY),
        width=4,
    )
    configuration.mappings(state_names(CONFIGURATION))
    version = listing(
        "Version",
        "Version of shutwatch, and of the Python it runs on.",
        [f"count by (version, python, instance) (shutwatch_build_info{{{HOST}}})"],
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
            f"sum by (operation) (increase(shutwatch_storage_errors_total{{{HOST}}}[{RATE}]))",
            "storage: {{operation}}",
        ),
        interval="5m",
    )
    looks = graph(
        "Measurements per second",
        "Measurements by country, with retries after a failure and measurements of references.",
        units.CountsPerSecond,
        named(f"sum by (country) (rate(shutwatch_probes_total{{{VANTAGE}}}[{RATE}]))"),
        interval="5m",
    )
    scrape = graph(
        "Scrapes",
        "How long Prometheus waited for the metrics.",
        units.Seconds,
        f"max by (instance) (scrape_duration_seconds{{{HOST}}})",
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
        f"max by (instance) (process_resident_memory_bytes{{{HOST}}})",
    )
    cpu = graph(
        "CPU",
        "Cores used by each process, user and system.",
        units.Short,
        f"sum by (instance) (rate(process_cpu_seconds_total{{{HOST}}}[{RATE}]))",
        interval="5m",
    )
    descriptors = graph(
        "Open files and sockets",
        "Descriptors each process has open, out of those it may.",
        units.PercentUnit,
        f"max by (instance) (process_open_fds{{{HOST}}} / process_max_fds{{{HOST}}})",
    )
    samples = graph(
        "Samples per scrape",
        "Series that one scrape of the metrics brings.",
        units.Short,
        f"max by (instance) (scrape_samples_scraped{{{HOST}}})",
    )
    return [memory, cpu, descriptors, samples]


def database() -> list[Any]:
    """Size of the database, its growth, and the days until its disk is full."""
    size, free = (
        f"shutwatch_database_size_bytes{{{JOB}}}",
        f"shutwatch_database_free_bytes{{{JOB}}}",
    )
    growth = f"deriv(shutwatch_database_size_bytes{{{JOB}}}[1d])"
    bytes_ = graph(
        "Size of the database",
        "Bytes that rows and indexes take, and bytes that are left to them. With PostgreSQL only "
        "the first is known.",
        units.BytesSI,
        (f"max by (cluster, job) ({size})", "{{cluster}} {{job}}: in use"),
        (f"min by (cluster, job) ({free})", "{{cluster}} {{job}}: left"),
    )
    days = graph(
        "Days until the disk is full",
        "The bytes left, divided by the growth of the last day. No line while the database does "
        "not grow, or where nobody knows how much is left.",
        units.Days,
        (
            f"min by (cluster, job) (\n  {free} / ({growth} > 0) / 86400\n)",
            "{{cluster}} {{job}}",
        ),
    )
    grows = graph(
        "Growth of the database",
        "Bytes a day, by the last day. Below zero it shrinks: old rows are deleted.",
        units.BytesSI,
        (f"max by (cluster, job) ({growth} * 86400)", "{{cluster}} {{job}}"),
        width=24,
    )
    return [bytes_, days, grows]


BOARD = Board(
    MONITOR,
    "shutwatch 5: the monitor",
    "Whether the monitor keeps up, stores what it sees, and what it costs.",
    (
        ("Now", numbers),
        ("Work", work),
        ("Messages", messages),
        ("Database", database),
        ("Cost", cost),
    ),
    further=instances,
)
