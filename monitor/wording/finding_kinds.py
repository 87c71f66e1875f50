"""What can be found wrong with a set-up, and how much that matters."""

from enum import StrEnum

import msgspec


class Level(StrEnum):
    """How much a finding matters."""

    NOTE = "note"
    """Nothing is wrong: wait, or try what was not tried yet."""
    WARNING = "warning"
    """It works, and sees less than it could."""
    PROBLEM = "problem"
    """It does not work."""


class What(StrEnum):
    """What can be found. Of a vantage that does not work it is the id of the health's rule."""

    # In the settings.
    NO_CONFIGURATION = "no_configuration"
    NO_CONTROL = "no_control"
    NO_OWN_CONTROL = "no_own_control"
    ONE_CONTROL = "one_control"
    ONE_OWN_CONTROL = "one_own_control"
    CONTROLS_HIDE_FAMILY = "controls_hide_family"
    CONTROLS_TOGETHER = "controls_together"
    CONTROL_INSIDE = "control_inside"
    CONTROL_SAME_WAY = "control_same_way"
    ONE_VANTAGE = "one_vantage"
    TOO_FEW_AGREE = "too_few_agree"
    SAME_LINE = "same_line"
    NO_ASN = "no_asn"
    ONLY_PROXIED = "only_proxied"
    ONLY_STUB = "only_stub"
    QUIET_CONTROL = "quiet_control"
    QUIET_SHORT = "quiet_short"
    NO_UPLINK = "no_uplink"
    NO_INTERNATIONAL = "no_international"
    NO_POPULAR = "no_popular"
    NO_UDP = "no_udp"
    NO_DOMESTIC = "no_domestic"
    NO_FOLDER = "no_folder"
    PLACEHOLDER = "placeholder"
    PLAIN_PASSWORDS = "plain_passwords"
    PLAIN_PROXY_PASSWORD = "plain_proxy_password"  # noqa: S105 # a finding
    CYCLE_TOO_LONG = "cycle_too_long"
    FEW_BYTES = "few_bytes"
    # In what runs.
    VANTAGE_WAITING = "vantage_waiting"
    VANTAGE_SILENT = "vantage_silent"
    NO_MESSAGES = "no_messages"
    MESSAGES_WAIT = "messages_wait"
    NOT_STORED = "not_stored"
    CONFIG_REFUSED = "config_refused"
    WRONG_CLOCK = "wrong_clock"
    # By trying.
    NO_RESOLVER = "no_resolver"
    RESOLVER_SILENT = "resolver_silent"
    RESOLVER_FAILS = "resolver_fails"
    NO_INTERFACE = "no_interface"
    NO_ADDRESS = "no_address"
    PROXY_SILENT = "proxy_silent"
    PROXY_LOGIN = "proxy_login"
    PROXY_PASSWORD = "proxy_password"  # noqa: S105 # a finding
    PROXY_REFUSES = "proxy_refuses"
    PROXY_TLS = "proxy_tls"
    PROXY_FAILS = "proxy_fails"
    PROXY_LEADS_NOWHERE = "proxy_leads_nowhere"
    REFERENCES_FAIL = "references_fail"
    CANNOT_WRITE = "cannot_write"
    OPEN_SECRETS = "open_secrets"
    DISK_FULL = "disk_full"
    DISK_LOW = "disk_low"
    PORT_IN_USE = "port_in_use"
    CANNOT_LISTEN = "cannot_listen"
    DATABASE = "database"
    DATABASE_OLD = "database_old"
    TARGET_SILENT = "target_silent"
    TARGET_UNTRIED = "target_untried"
    TARGET_REACHED = "target_reached"
    TARGET_LATER = "target_later"
    TARGET_FAILS = "target_fails"
    TARGET_SHORT = "target_short"
    PING_SILENT = "ping_silent"
    PING_REACHED = "ping_reached"
    PING_FAILS = "ping_fails"
    SOURCE_SILENT = "source_silent"
    PROMETHEUS_SILENT = "prometheus_silent"
    PROMETHEUS_UNAWARE = "prometheus_unaware"
    PROMETHEUS_FAILS = "prometheus_fails"
    STAMPS_SILENT = "stamps_silent"
    ARCHIVE = "archive"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_EXPIRES = "certificate_expires"
    CERTIFICATE_OTHER_HOST = "certificate_other_host"
    PAUSED_UNKNOWN = "paused_unknown"
    AGENT_KEY = "agent_key"
    AGENT_REVOKED = "agent_revoked"
    AGENT_UNKNOWN = "agent_unknown"
    COLLECTOR_SILENT = "collector_silent"
    COLLECTOR_BEHIND_PROXY = "collector_behind_proxy"
    COLLECTOR_REFUSES = "collector_refuses"
    COLLECTOR_CERTIFICATE = "collector_certificate"
    COLLECTOR_KEY = "collector_key"
    COLLECTOR_CLOCK = "collector_clock"
    TOO_SLOW = "too_slow"
    OUR_FAULT = "our_fault"


class Said(msgspec.Struct, frozen=True):
    """The sentences of a finding. Values are written as `%(name)s`."""

    problem: str
    remedy: str
