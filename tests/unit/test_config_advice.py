"""What `check` asks an operator to think over."""

from pathlib import Path

import pytest

from monitor.config import default_settings, load_config
from monitor.config_advice import advice

FIELDS = """
[[vantage]]
id = "a"
country = "PK"
asn = 1
[[vantage]]
id = "b"
country = "PK"
asn = 2
"""
CONTROLS = """
[[vantage]]
id = "c"
country = "DE"
asn = 3
role = "control"
[[vantage]]
id = "d"
country = "NL"
asn = 4
role = "control"
"""


def advised(folder: Path, text: str) -> tuple[str, ...]:
    """The advice on a configuration with this text."""
    path = folder / "shutwatch.toml"
    path.write_text(text)
    return advice(load_config(path, {}))


def test_the_recommended_set_up_needs_no_advice(tmp_path: Path) -> None:
    """Two networks in a country with domestic references, two controls in two networks."""
    assert advised(tmp_path, FIELDS + CONTROLS) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FIELDS, "No control vantage: failures alone will be insufficient"),
        (FIELDS + CONTROLS.rpartition("[[vantage]]")[0], "One control vantage only (c)"),
        (FIELDS + CONTROLS.replace("asn = 4", "asn = 3"), "c and d are in the same network"),
        (
            FIELDS
            + CONTROLS.replace("asn = 3", 'network = "One"').replace("asn = 4", 'network = "one"'),
            "c and d are in the same network",
        ),
        (FIELDS + CONTROLS.replace('"DE"', '"PK"'), "Control c is in PK"),
        (FIELDS.rpartition("[[vantage]]")[0] + CONTROLS, "One vantage only in PK"),
        (FIELDS.replace("asn = 2", "") + CONTROLS, "No asn for b"),
        (FIELDS + CONTROLS + "[references]\nuplink = []\n", "No uplink references"),
        (FIELDS + CONTROLS + "[references]\ninternational = []\n", "No international references"),
        (FIELDS.replace("PK", "KE") + CONTROLS, "No domestic references for KE"),
        ('database = "sqlite:////no/such/data.db"\n' + FIELDS + CONTROLS, "/no/such"),
    ],
)
def test_each_weakness_is_named_alone(text: str, words: str, tmp_path: Path) -> None:
    """One weakness, one sentence, with the vantages or countries it is about."""
    found = advised(tmp_path, text)
    assert len(found) == 1
    assert words in found[0]


def test_without_a_file_the_missing_control_is_the_only_advice() -> None:
    """Who just tries it out is told the one thing that matters."""
    found = advice(default_settings())
    assert len(found) == 1
    assert found[0].startswith("No control vantage")
