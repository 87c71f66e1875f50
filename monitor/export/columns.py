"""The columns of the CSV files, in order: names and order are a promise to those who cite them.

New columns go to the end. docs/csv.md says what each means; a test compares it with this file.
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import msgspec

from monitor.analysis.events.event import Event, NetworkStatus
from monitor.analysis.verdict import VantageHealth, Verdict
from monitor.export.cells import Value
from probes.measurement import Layer, Measurement
from storage.values.measurement_summary import Summary, summarise
from storage.values.reviews import Annotation, Review
from storage.values.rollup import DEFINITION, Availability

T = TypeVar("T")


class Column(msgspec.Struct, Generic[T], frozen=True):
    """One column."""

    name: str
    unit: str
    """As docs/csv.md gives it: `text`, `number`, `ms`, `UTC time`, `yes or no`, `list`, …"""
    value: Callable[[T], Value]


class SummarisedMeasurement(msgspec.Struct, frozen=True):
    """A measurement with what its columns share."""

    measurement: Measurement
    summary: Summary

    @classmethod
    def of(cls, measurement: Measurement) -> "SummarisedMeasurement":
        """The summary is made once for the whole row."""
        return cls(measurement, summarise(measurement))


_LARGEST = 1e9
"""Beyond this number the digits that rounding keeps mean nothing."""


def milliseconds(seconds: float) -> float:
    """With three digits after the decimal point."""
    return round(seconds * 1e6) / 1e3 if abs(seconds) < _LARGEST else seconds * 1e3


def llr(value: float) -> float:
    """A log-likelihood ratio with six digits after the decimal point."""
    return round(value * 1e6) / 1e6 if abs(value) < _LARGEST else value


def _list(items: Iterable[str]) -> str:
    return " ".join(items)


def _affected(event: Event) -> list[NetworkStatus]:
    return [network for network in event.networks if network.affected]


def _recovering(event: Event) -> list[NetworkStatus]:
    return [network for network in event.networks if network.recovering]


def _unobserved(event: Event) -> list[NetworkStatus]:
    return [network for network in event.networks if network.unobserved]


def _blocked_now(event: Event) -> list[NetworkStatus]:
    return [network for network in event.networks if network.blocked_now]


def _numbers(networks: Iterable[NetworkStatus]) -> str:
    return _list(f"AS{network.asn}" for network in networks)


def _names(networks: Iterable[NetworkStatus]) -> str:
    return " | ".join(network.network for network in networks if network.network)


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


MEASUREMENT_COLUMNS: tuple[Column[SummarisedMeasurement], ...] = (
    Column("measurement_id", "text", lambda row: row.measurement.id),
    Column("cycle_id", "text", lambda row: row.measurement.cycle),
    Column("started_at", "UTC time", lambda row: row.measurement.started_at),
    Column("country", "text", lambda row: row.measurement.country),
    Column("vantage", "text", lambda row: row.measurement.vantage),
    Column("asn", "number", lambda row: row.measurement.asn),
    Column("network", "text", lambda row: row.measurement.network),
    Column("vantage_role", "text", lambda row: row.measurement.vantage_role),
    Column("platform", "text", lambda row: row.measurement.platform),
    Column("role", "text", lambda row: row.measurement.role),
    Column("endpoint", "text", lambda row: row.measurement.endpoint),
    Column("look", "text", lambda row: row.measurement.look.value),
    Column("attempt", "number", lambda row: row.measurement.attempt),
    Column("reached", "yes or no", lambda row: row.measurement.reached),
    Column("duration_ms", "ms", lambda row: milliseconds(row.measurement.duration)),
    Column("egress_failure", "text", lambda row: row.summary.egress_failure),
    Column("dns_failure", "text", lambda row: row.summary.dns_failure),
    Column("dns_ms", "ms", lambda row: row.summary.dns_ms),
    Column("tcp_failure", "text", lambda row: row.summary.tcp_failure),
    Column("tcp_ms", "ms", lambda row: row.summary.tcp_ms),
    Column("tls_failure", "text", lambda row: row.summary.tls_failure),
    Column("tls_ms", "ms", lambda row: row.summary.tls_ms),
    Column("http_failure", "text", lambda row: row.summary.http_failure),
    Column("http_ms", "ms", lambda row: row.summary.http_ms),
    Column("http_status", "number", lambda row: row.summary.http_status),
    Column("not_observed", "list", lambda row: _list(row.measurement.not_observed)),
    Column("resolvers", "list", lambda row: row.summary.resolvers),
    Column("addresses", "list", lambda row: row.summary.addresses),
    Column("tls_chain_sha256", "hex", lambda row: row.summary.tls_chain_sha256),
    Column("http_url", "text", lambda row: row.summary.http_url),
    Column("http_title", "text", lambda row: row.summary.http_title),
    Column("http_body_bytes", "bytes", lambda row: row.summary.http_body_bytes),
    Column("http_body_sha256", "hex", lambda row: row.summary.http_body_sha256),
)

VERDICT_COLUMNS: tuple[Column[Verdict], ...] = (
    Column("measurement_id", "text", lambda verdict: verdict.measurement),
    Column("control_ids", "list", lambda verdict: _list(verdict.controls)),
    Column("cycle_id", "text", lambda verdict: verdict.cycle),
    Column("judged_at", "UTC time", lambda verdict: verdict.judged_at),
    Column("country", "text", lambda verdict: verdict.country),
    Column("vantage", "text", lambda verdict: verdict.vantage),
    Column("asn", "number", lambda verdict: verdict.asn),
    Column("network", "text", lambda verdict: verdict.network),
    Column("vantage_role", "text", lambda verdict: verdict.vantage_role),
    Column("platform", "text", lambda verdict: verdict.platform),
    Column("role", "text", lambda verdict: verdict.role),
    Column("endpoint", "text", lambda verdict: verdict.endpoint),
    Column("state", "text", lambda verdict: verdict.state.value),
    Column("method", "text", lambda verdict: verdict.method),
    Column("sub_method", "text", lambda verdict: verdict.sub_method),
    Column("family", "text", lambda verdict: verdict.family),
    Column("rule_id", "text", lambda verdict: verdict.rule_id),
    Column("evidence", "text", lambda verdict: verdict.evidence.value),
    Column("llr", "number", lambda verdict: llr(verdict.llr)),
    Column("egress_failure", "text", lambda verdict: verdict.failures.get(Layer.EGRESS)),
    Column("dns_failure", "text", lambda verdict: verdict.failures.get(Layer.DNS)),
    Column("tcp_failure", "text", lambda verdict: verdict.failures.get(Layer.TCP)),
    Column("tls_failure", "text", lambda verdict: verdict.failures.get(Layer.TLS)),
    Column("http_failure", "text", lambda verdict: verdict.failures.get(Layer.HTTP)),
    Column("quic_failure", "text", lambda verdict: verdict.failures.get(Layer.QUIC)),
    Column("transfer_failure", "text", lambda verdict: verdict.failures.get(Layer.TRANSFER)),
    Column("rules_version", "text", lambda verdict: verdict.rules_version),
)

EVENT_COLUMNS: tuple[Column[Event], ...] = (
    Column("event_id", "text", lambda event: event.id),
    Column("country", "text", lambda event: event.country),
    Column("platform", "text", lambda event: event.platform),
    Column("state", "text", lambda event: event.state.value),
    Column("scope", "text", lambda event: event.scope.value),
    Column("roles", "list", lambda event: _list(event.roles)),
    Column("methods", "list", lambda event: _list(event.methods)),
    Column("evidence", "text", lambda event: event.evidence),
    Column("networks_affected", "list", lambda event: _numbers(_affected(event))),
    Column("networks_affected_count", "number", lambda event: len(_affected(event))),
    Column("networks_blocked_now", "list", lambda event: _numbers(_blocked_now(event))),
    Column("networks_seen", "list", lambda event: _numbers(event.networks)),
    Column("networks_seen_count", "number", lambda event: len(event.networks)),
    Column("networks_affected_names", "names", lambda event: _names(_affected(event))),
    Column("onset_before_monitoring", "yes or no", lambda event: event.onset_earliest is None),
    Column("onset_earliest", "UTC time", lambda event: event.onset_earliest),
    Column("onset_latest", "UTC time", lambda event: event.onset_latest),
    Column("detected_at", "UTC time", lambda event: event.detected_at),
    Column("confirmed_at", "UTC time", lambda event: event.confirmed_at),
    Column("end_earliest", "UTC time", lambda event: event.end_earliest),
    Column("end_latest", "UTC time", lambda event: event.end_latest),
    Column("updated_at", "UTC time", lambda event: event.updated_at),
    Column("first_measurement_id", "text", lambda event: event.first_measurement),
    Column("rules_version", "text", lambda event: event.rules_version),
    Column("kind", "text", lambda event: event.kind.value),
    Column("vantage", "text", lambda event: event.vantage),
    Column("networks_recovering", "list", lambda event: _numbers(_recovering(event))),
    Column("networks_unobserved", "list", lambda event: _numbers(_unobserved(event))),
    Column("share_affected", "number", lambda event: event.share_affected),
    Column("pattern", "text", lambda event: event.pattern),
    Column("reopened", "number", lambda event: event.reopened),
)

AVAILABILITY_COLUMNS: tuple[Column[Availability], ...] = (
    Column("country", "text", lambda row: row.country),
    Column("platform", "text", lambda row: row.platform),
    Column("asn", "number", lambda row: row.asn),
    Column("network", "text", lambda row: row.network),
    Column("period", "text", lambda row: row.period.value),
    Column("starts_at", "UTC time", lambda row: row.starts_at),
    Column("availability", "number", lambda row: _share(row.availability)),
    Column("coverage", "number", lambda row: _share(row.coverage)),
    Column("judged", "number", lambda row: row.judged),
    Column("reachable", "number", lambda row: row.reachable),
    Column("ok", "number", lambda row: row.ok),
    Column("degraded", "number", lambda row: row.degraded),
    Column("throttled", "number", lambda row: row.throttled),
    Column("blocked", "number", lambda row: row.blocked),
    Column("down", "number", lambda row: row.down),
    Column("insufficient", "number", lambda row: row.insufficient),
    Column("hours_seen", "number", lambda row: row.hours),
    Column("networks_count", "number", lambda row: row.networks),
    Column("definition", "text", lambda _: DEFINITION),
)

VANTAGE_COLUMNS: tuple[Column[VantageHealth], ...] = (
    Column("country", "text", lambda health: health.country),
    Column("vantage", "text", lambda health: health.vantage),
    Column("asn", "number", lambda health: health.asn),
    Column("network", "text", lambda health: health.network),
    Column("vantage_role", "text", lambda health: health.vantage_role),
    Column("at", "UTC time", lambda health: health.at),
    Column("state", "text", lambda health: health.state.value),
    Column("rule_id", "text", lambda health: health.rule_id),
    Column("references_ok", "number", lambda health: health.references_ok),
    Column("references_total", "number", lambda health: health.references_total),
    Column("timeout_rate", "number", lambda health: round(health.timeout_rate, 6)),
    Column("families", "list", lambda health: _list(health.families)),
    Column("clock_skew_seconds", "number", lambda health: health.clock_skew),
    Column("stub_resolver", "yes or no", lambda health: health.stub_resolver),
    Column("exit_country", "text", lambda health: health.exit_country or None),
    Column("exit_asn", "number", lambda health: health.exit_asn or None),
)

REVIEW_COLUMNS: tuple[Column[Review], ...] = (
    Column("review_id", "text", lambda review: review.id),
    Column("event_id", "text", lambda review: review.event),
    Column("country", "text", lambda review: review.country),
    Column("reviewed_at", "UTC time", lambda review: review.at),
    Column("mark", "text", lambda review: review.mark.value),
    Column("reviewer", "text", lambda review: review.reviewer),
    Column("note", "text", lambda review: review.note),
)

ANNOTATION_COLUMNS: tuple[Column[Annotation], ...] = (
    Column("annotation_id", "text", lambda one: one.id),
    Column("since", "UTC time", lambda one: one.since),
    Column("until", "UTC time", lambda one: one.until),
    Column("country", "text", lambda one: one.country),
    Column("platform", "text", lambda one: one.platform),
    Column("kind", "text", lambda one: one.kind.value),
    Column("text", "text", lambda one: one.text),
    Column("source", "text", lambda one: one.source),
    Column("added_at", "UTC time", lambda one: one.added_at),
)
