"""Was it measured, and from the right place?

No data is never ok. A VPN left on or a roaming phone says nothing about this network.
"""

from monitor.analysis.judge.rules.rule import Rule, vantage_rule

NOT_MEASURED: tuple[Rule, ...] = (
    Rule(
        id="look.none",
        meaning="Nothing was tested, so nothing is known.",
        wrong_when="Never: it claims nothing.",
        matches=lambda facts: not facts.measured,
    ),
    vantage_rule(
        "elsewhere",
        "The vantage's traffic leaves from another country, so this test says nothing about"
        " this one.",
        "The file that locates addresses is wrong.",
    ),
    vantage_rule(
        "other_network",
        "The vantage's traffic leaves from another network, so this test says nothing about"
        " this one.",
        "Both networks belong to one operator and are not listed as siblings.",
    ),
)
