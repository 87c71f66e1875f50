"""What our identifiers mean in plain words: one message for each state, failure, reason, change.

Every member of the vocabularies they come from has a message here, or a test fails.
"""

from collections.abc import Mapping

from monitor.analysis.events.event import EventKind, EventState
from monitor.analysis.verdict import Evidence, State, VantageState
from monitor.wording.languages import N_
from probes.failure import Failure
from probes.measure.follow_up_reasons import Reason
from probes.measurement import Layer
from storage.values.reviews import AnnotationKind, Mark

NO_DATA = "no_data"
"""Stands for a state where there is no recent look."""

STATES: Mapping[str, str] = {
    State.OK: N_("ok"),
    State.DEGRADED: N_("degraded"),
    State.THROTTLED: N_("slowed down"),
    State.BLOCKED: N_("blocked"),
    State.DOWN: N_("down"),
    State.INSUFFICIENT: N_("not enough to tell"),
    NO_DATA: N_("no data"),
}
"""A platform at a network, as one word in a table."""

STATE_MEANINGS: Mapping[str, str] = {
    State.OK: N_("reached, with an answer that proves to be its own"),
    State.DEGRADED: N_("parts that are not essential, or HTTP/3 alone, are blocked"),
    State.THROTTLED: N_("slowed down while other things are not"),
    State.BLOCKED: N_("an essential part fails here and works at a control elsewhere"),
    State.DOWN: N_("fails at the control as well, so nobody here is blocking it"),
    State.INSUFFICIENT: N_("looked at, but not enough to say anything"),
    NO_DATA: N_("not looked at lately; nothing is known"),
}
"""The same in a sentence, for the legend."""

EVENT_STATES: Mapping[str, str] = {
    EventState.SUSPECTED: N_("suspected"),
    EventState.CONFIRMED: N_("confirmed"),
    EventState.RECOVERING: N_("seems over"),
    EventState.UNOBSERVED: N_("out of sight"),
    EventState.ENDED: N_("ended"),
    EventState.DISMISSED: N_("not confirmed"),
    EventState.WITHDRAWN: N_("withdrawn"),
}

EVENT_STATE_MEANINGS: Mapping[str, str] = {
    EventState.SUSPECTED: N_("A lead, not a finding: wait until it is confirmed."),
    EventState.CONFIRMED: N_("Seen often enough that chance is no explanation."),
    EventState.RECOVERING: N_("It works again, not yet for long enough to call it over."),
    EventState.UNOBSERVED: N_("It was blocked when last seen, and nobody can see it now."),
    EventState.ENDED: N_("It is over."),
    EventState.DISMISSED: N_("It was suspected and never confirmed, and the signs went away."),
    EventState.WITHDRAWN: N_(
        "Later data showed that there was no reason for it, or that it was part of another."
    ),
}

KINDS: Mapping[str, str] = {
    EventKind.BLOCK: N_("block"),
    EventKind.SHUTDOWN: N_("shutdown"),
    EventKind.INTERNATIONAL_CUT: N_("cut off from abroad"),
    EventKind.VANTAGE_SILENT: N_("vantage lost"),
    EventKind.OUTAGE: N_("outage"),
    EventKind.INSTRUMENT: N_("our own fault"),
}

EVIDENCE: Mapping[str, str] = {
    Evidence.NONE: N_("none"),
    Evidence.WEAK: N_("weak"),
    Evidence.STRONG: N_("strong"),
    Evidence.CONCLUSIVE: N_("conclusive"),
}

EVIDENCE_MEANINGS: Mapping[str, str] = {
    Evidence.NONE: N_("Nobody is accused."),
    Evidence.WEAK: N_("It fits a block, and innocent explanations are left."),
    Evidence.STRONG: N_("Several looks agree on what honest networks do not do."),
    Evidence.CONCLUSIVE: N_("Strong, and further looks ruled out the innocent explanations."),
}

VANTAGE_STATES: Mapping[str, str] = {
    VantageState.OK: N_("well"),
    VantageState.LOSSY: N_("lossy"),
    VantageState.OFFLINE: N_("offline"),
    VantageState.CAPTIVE_PORTAL: N_("login page"),
    VantageState.INTERNATIONAL_CUT: N_("cut off from abroad"),
    VantageState.UNKNOWN: N_("not known"),
}

VANTAGE_MEANINGS: Mapping[str, str] = {
    VantageState.OK: N_("references answer"),
    VantageState.LOSSY: N_("references answer at times; timeouts prove nothing"),
    VantageState.OFFLINE: N_("its own line is down; nothing is judged"),
    VantageState.CAPTIVE_PORTAL: N_("a login page answers for everybody; nothing is judged"),
    VantageState.INTERNATIONAL_CUT: N_("only references within the country answer"),
    VantageState.UNKNOWN: N_("no recent look at a reference"),
}

ROLES: Mapping[str, str] = {
    "web": N_("website"),
    "api": N_("what its apps talk to"),
    "media": N_("pictures and videos"),
    "chat": N_("messages"),
    "links": N_("short links"),
    "calls": N_("calls"),
    "registration": N_("signing up"),
    "doh": N_("DNS over HTTPS"),
    "dot": N_("DNS over TLS"),
}
"""Parts of a platform, as the shipped catalogue names them."""

LAYERS: Mapping[str, str] = {
    Layer.EGRESS: N_("Way out"),
    Layer.DNS: N_("Name (DNS)"),
    Layer.TCP: N_("Connection (TCP)"),
    Layer.TLS: N_("Encryption (TLS)"),
    Layer.HTTP: N_("Page (HTTP)"),
    Layer.APP: N_("Own protocol"),
    Layer.QUIC: N_("HTTP/3 (QUIC)"),
    Layer.TRANSFER: N_("Speed"),
}

FAILURES: Mapping[str, str] = {
    Failure.ADDRESS_FAMILY_NOT_SUPPORTED: N_("this kind of address does not work here"),
    Failure.ADDRESS_IN_USE: N_("our own machine had no free port"),
    Failure.ADDRESS_NOT_AVAILABLE: N_("our own machine had no such address"),
    Failure.CONNECTION_ABORTED: N_("the connection was given up"),
    Failure.CONNECTION_REFUSED: N_("the connection was refused"),
    Failure.CONNECTION_RESET: N_("the connection was cut (reset)"),
    Failure.DNS_BOGON: N_("an address that no public service can have"),
    Failure.DNS_NO_ANSWER: N_("the name is said to have no address"),
    Failure.DNS_NON_RECOVERABLE: N_("the name could not be resolved"),
    Failure.DNS_NXDOMAIN: N_("the name is said not to exist"),
    Failure.DNS_REFUSED: N_("the question was refused"),
    Failure.DNS_WRONG_QUERY_ID: N_("an answer to another question"),
    Failure.DNS_SERVER_MISBEHAVING: N_("the resolver gave a garbled answer"),
    Failure.DNS_SERVFAIL: N_("the resolver reported a fault"),
    Failure.DNS_TEMPORARY: N_("the name could not be resolved for the moment"),
    Failure.EOF: N_("the connection was closed in the middle"),
    Failure.GENERIC_TIMEOUT: N_("no answer in time"),
    Failure.HOST_UNREACHABLE: N_("the address was reported as unreachable"),
    Failure.HTTP_INVALID_REDIRECT: N_("a redirect that leads nowhere"),
    Failure.INTERRUPTED: N_("we were interrupted"),
    Failure.NETWORK_DOWN: N_("our own line was down"),
    Failure.NETWORK_RESET: N_("the line was lost"),
    Failure.NETWORK_UNREACHABLE: N_("the network was reported as unreachable"),
    Failure.NOT_CONNECTED: N_("the connection was lost"),
    Failure.PERMISSION_DENIED: N_("our own machine did not allow it"),
    Failure.QUIC_INCOMPATIBLE_VERSION: N_("no common version"),
    Failure.SSL_FAILED_HANDSHAKE: N_("the encrypted greeting failed"),
    Failure.SSL_INVALID_CERTIFICATE: N_("a certificate that is not valid"),
    Failure.SSL_INVALID_HOSTNAME: N_("a certificate of another name"),
    Failure.SSL_UNKNOWN_AUTHORITY: N_("a certificate that no known authority signed"),
    Failure.TIMED_OUT: N_("no answer at all"),
}
"""What a layer showed when it failed."""

REASONS: Mapping[str, str] = {
    Reason.INNOCUOUS_SNI: N_("The same address, greeted by a harmless name"),
    Reason.NAME_AGAIN: N_("The platform's name once more, right after the harmless one"),
    Reason.SNI_ELSEWHERE: N_("The platform's name, said to a harmless address"),
    Reason.OPEN_RESOLVER: N_("The name, asked of another resolver"),
    Reason.OPEN_RESOLVER_TCP: N_("The name, asked of another resolver over TCP"),
    Reason.DOH: N_("The name, asked over an encrypted way (DoH)"),
    Reason.HONEST_ADDRESS: N_("An address of the platform that others gave"),
    Reason.HTTP3: N_("The same over HTTP/3 (QUIC)"),
}
"""What was tried besides, to find out what acts."""

CHANGES: Mapping[str, str] = {
    "opened": N_("First signs seen: suspected"),
    "confirmed": N_("Confirmed"),
    "network_affected": N_("Another network blocks it"),
    "network_recovering": N_("A network seems open again"),
    "network_recovered": N_("A network is open again"),
    "network_unobserved": N_("A network can no longer be seen"),
    "method_added": N_("It is blocked in another way as well"),
    "scope_widened": N_("More of the platform is blocked"),
    "pattern_found": N_("It keeps regular hours"),
    "recovering": N_("It seems open again"),
    "reblocked": N_("It is blocked again"),
    "unobserved": N_("Nobody can see it any more"),
    "ended": N_("Over"),
    "reopened": N_("It came back"),
    "dismissed": N_("Given up: the signs went away"),
    "revised": N_("Corrected by later data"),
    "withdrawn": N_("Withdrawn"),
}
"""By `EventLogEntry.change`."""

MARKS: Mapping[str, str] = {
    Mark.CONFIRMED: N_("A person confirms it"),
    Mark.REJECTED: N_("A person rejects it"),
    Mark.NOTE: N_("A person notes"),
}

ANNOTATIONS: Mapping[str, str] = {
    AnnotationKind.ELECTION: N_("Election"),
    AnnotationKind.PROTEST: N_("Protest"),
    AnnotationKind.EXAM: N_("Exams"),
    AnnotationKind.UNREST: N_("Unrest"),
    AnnotationKind.COURT_ORDER: N_("Court order"),
    AnnotationKind.OFFICIAL_ORDER: N_("Official order"),
    AnnotationKind.OFFICIAL_DENIAL: N_("Official denial"),
    AnnotationKind.OFFICIAL_STATEMENT: N_("Official statement"),
    AnnotationKind.REPORT: N_("Report"),
    AnnotationKind.OTHER: N_("Other"),
}
