"""Which addresses the way to a silent one is compared with."""

from probes.measure.verified_addresses import VerifiedAddresses


def test_ways_are_compared_with_those_to_what_answers_now() -> None:
    """On the day everything is dropped most addresses that verified lately are silent as well:
    ways to them end at the same router, and half of the platforms seemed to have a dead route."""
    known = VerifiedAddresses()
    for number in range(4):
        known.add(f"reference-{number}.example", f"192.0.{number}.7")
        known.add(f"platform-{number}.example", f"198.51.{number}.7")
    for number in range(4):
        known.unanswered(f"198.51.{number}.7")
    assert set(known.apart("203.0.113.7", 4)) == {f"192.0.{number}.7" for number in range(4)}
    known.add("platform-0.example", "198.51.0.7")
    assert "198.51.0.7" in known.apart("203.0.113.7", 4)
