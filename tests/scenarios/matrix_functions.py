"""The rows about one function of a shipped platform that is blocked or slow."""

import msgspec

from tests.scenarios.matrix import NOT_COVERED, Answer, Scenario, State, blocked


def _function(name: str, story: str, state: State, rule_id: str, evidence: str) -> Scenario:
    """One function of a shipped platform is blocked; the answer is the platform's."""
    method = rule_id.partition(".")[0].replace("app", "udp")
    proof = f"test_a_blocked_function_is_named_and_the_rest_works[{name}]"
    return Scenario(
        name=name,
        group="beyond",
        story=story,
        ooni=NOT_COVERED,
        answer=msgspec.structs.replace(blocked(rule_id, evidence), state=state, method=method),
        proved_in=f"test_functions.py::{proof}",
    )


def _speed(name: str, story: str, state: State, sub_method: str, proof: str = "") -> Scenario:
    """One function of a shipped platform is slow; the answer is the platform's."""
    proof = proof or f"test_a_slowed_function_is_named_and_the_rest_is_ok[{name}]"
    return Scenario(
        name=name,
        group="beyond",
        story=story,
        ooni=NOT_COVERED,
        answer=Answer(
            state=state,
            rule_id=f"throttling.{sub_method}",
            method="throttling",
            sub_method=sub_method,
            evidence="strong",
        ),
        proved_in=f"test_speed_of_functions.py::{proof}",
    )


FUNCTIONS: tuple[Scenario, ...] = (
    _function(
        "youtube-video",
        "YouTube's video servers are dropped by name, its pages and thumbnails are not.",
        "blocked",
        "tls.timeout",
        "conclusive",
    ),
    _function(
        "whatsapp-media",
        "The host of WhatsApp's pictures and voice messages is dropped by name; the fallback and"
        " messages work.",
        "degraded",
        "tls.timeout",
        "conclusive",
    ),
    _function(
        "facebook-pictures",
        "The host of Facebook's pictures is reset by name, the one of its scripts is not.",
        "degraded",
        "tls.reset",
        "conclusive",
    ),
    _function(
        "messenger-calls",
        "UDP to the servers of calls is dropped; their name resolves, and HTTP/3 passes.",
        "degraded",
        "app.stun",
        "weak",
    ),
    _function(
        "telegram-dc2-4",
        "All addresses of two of Telegram's five data centres are dropped: their accounts are cut"
        " off, others are not.",
        "degraded",
        "tcp.timeout",
        "strong",
    ),
    _function(
        "telegram-ipv4",
        "The IPv4 addresses of all of Telegram's data centres are dropped; they answer over IPv6,"
        " which most people do not have.",
        "partial",
        "tcp.timeout",
        "strong",
    ),
    _function(
        "signal-dns",
        "DNS leads Signal, whose certificates are by an authority of its own, to a block page.",
        "blocked",
        "dns.hijack",
        "conclusive",
    ),
    _function(
        "signal-opened",
        "Signal's connections are opened by a box with certificates of its own.",
        "blocked",
        "tls.certificate",
        "conclusive",
    ),
)
"""Proved in `test_functions.py`, which reads the answers from here; a name is also a network's."""


SPEED: tuple[Scenario, ...] = (
    _speed(
        "youtube-video-128k",
        "YouTube's video servers are held to 128 kbit/s by name, its pages and thumbnails are not.",
        "throttled",
        "rate",
    ),
    _speed(
        "youtube-video-frozen",
        "Each connection to YouTube's video servers falls silent after 16 KiB, by name.",
        "throttled",
        "stall",
    ),
    _speed(
        "whatsapp-media-32k",
        "All connections to the hosts of WhatsApp's pictures and voice messages share 32 kbit/s.",
        "degraded",
        "rate",
    ),
    _speed(
        "whatsapp-media-16k",
        "All connections to the host of WhatsApp's pictures share 16 kbit/s: a handshake takes"
        " seconds.",
        "degraded",
        "rate",
        "test_the_harder_the_throttling_the_surer_the_verdict[16k]",
    ),
    _speed(
        "whatsapp-media-32k-object",
        "The same at 32 kbit/s, with an object that the operator names.",
        "degraded",
        "rate",
        "test_the_harder_the_throttling_the_surer_the_verdict[32k-object]",
    ),
    _speed(
        "x-128k-shared",
        "All hosts of X share 128 kbit/s: handshakes time out beside each other.",
        "throttled",
        "rate",
        "test_a_shared_line_is_slow_and_nothing_is_dropped",
    ),
    _speed(
        "tiktok-pictures-frozen",
        "Connections to a server of TikTok's pictures fall silent after 20 KB, whatever the name.",
        "degraded",
        "stall",
    ),
)
