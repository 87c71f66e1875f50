"""The rows about lines that let little pass."""

from tests.scenarios.matrix import NOT_COVERED, Scenario, insufficient


def _line(name: str, story: str, rule_id: str) -> Scenario:
    """A line that lets little pass; the answer is that of a platform that is kept out."""
    proof = f"test_what_a_line_lets_pass_is_told_and_nobody_is_accused[{name}]"
    return Scenario(
        name=name,
        group="beyond",
        story=story,
        ooni=NOT_COVERED,
        answer=insufficient(rule_id),
        proved_in=f"test_allowlists.py::{proof}",
    )


LISTS: tuple[Scenario, ...] = (
    _line(
        "allowlist-google",
        "Only Google's addresses and domestic ones pass, and DNS. Cut lines with Google's caches"
        " inside the country look the same.",
        "vantage.allowlist",
    ),
    _line(
        "allowlist-names",
        "Connections are made to everybody; of foreign names only Google's may be sent on them.",
        "vantage.allowlist",
    ),
    _line(
        "allowlist-dns",
        "The resolver knows Google's names and domestic ones, and says that no others exist.",
        "vantage.allowlist",
    ),
    _line(
        "free-bundle",
        "Only Facebook's and Messenger's addresses pass, as in a bundle that costs nothing.",
        "vantage.allowlist",
    ),
    _line(
        "references-muted",
        "Greetings with X's names and those of every reference abroad are dropped.",
        "vantage.allowlist",
    ),
    _line(
        "allowlist-home-names",
        "Connections are made to everybody, and no foreign name may be sent on them.",
        "vantage.allowlist",
    ),
    _line(
        "large-packets-abroad",
        "The lines abroad lose packets of more than 1300 bytes, and no error says so.",
        "vantage.large_packets",
    ),
    _line(
        "foreign-lines-cut",
        "Nothing abroad is reached from a country whose domestic references are shipped.",
        "vantage.international_cut",
    ),
    _line(
        "resolver-silent",
        "The resolver answers for no name; foreign addresses do.",
        "vantage.resolver_down",
    ),
    _line(
        "resolver-cut-off",
        "The resolver reports a fault for every foreign name; foreign addresses answer.",
        "vantage.resolver_cut_off",
    ),
)
"""Proved in `test_allowlists.py`, which reads the answers from here; a name is also a network's."""
