"""The `[agent]` table: an agent is one vantage, with its collectors."""

import re
from pathlib import Path

import pytest

from monitor.config.load import load_config
from monitor.config.toml_problem import ConfigError
from tests.unit.monitor.agent.test_agent_orders import AGENT


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (AGENT.replace("https://c.example", "http://c.example"), "https://"),
        (AGENT.replace("https://c.example", "https://c.example/path"), "https://"),
        (AGENT.replace('["https://c.example"]', "[]"), "one collector at least"),
        (re.sub('collector_key = ".*"', 'collector_key = "abc"', AGENT), "44 characters"),
        (AGENT + 'proxy = "ftp://proxy.example:21"\n', "socks5://host:port"),
        (f'[[vantage]]\nid = "b"\ncountry = "PK"\n{AGENT}', "an agent is one vantage"),
        (f"{AGENT}\n[collector]\n", "in one file with [agent]"),
    ],
)
def test_mistakes_in_an_agents_file_are_told(tmp_path: Path, wrong: str, told: str) -> None:
    """Each with what would be right."""
    file = tmp_path / "agent.toml"
    file.write_text(wrong)
    with pytest.raises(ConfigError, match=re.escape(told)):
        load_config(file, {})


def test_a_control_may_be_an_agent(tmp_path: Path) -> None:
    """Alone, without a field vantage."""
    file = tmp_path / "agent.toml"
    file.write_text(AGENT.replace('country = "PK"', 'country = "NL"\nrole = "control"'))
    assert load_config(file, {}).vantages[0].role == "control"
