"""`shutwatch ooni invite`: what volunteers' phones are asked to test, and what they are told."""

import json

import pytest
from typer.testing import CliRunner

from monitor.cli.main import app

RUN = CliRunner()


def test_the_descriptor_names_the_catalogue_and_nothing_runs_by_itself() -> None:
    """The shape that OONI's server accepts; background runs only on purpose."""
    asked = ["ooni", "invite", "--json", "--platform", "x", "--platform", "telegram"]
    result = RUN.invoke(app, [*asked, "--author", "campaign@example.org"])
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    web, telegram = made["nettests"]
    assert web["test_name"] == "web_connectivity"
    assert "https://x.com/" in web["inputs"]
    assert (telegram["test_name"], telegram["inputs"]) == ("telegram", None)
    for test in made["nettests"]:
        assert test["is_background_run_enabled_default"] is False
        assert test["is_manual_run_enabled_default"] is True
        assert test["targets_name"] is None
    assert made["author"] == "campaign@example.org"
    assert 2 <= len(made["name"]) <= 50
    assert 2 <= len(made["short_description"]) <= 200


def test_the_invitation_says_the_risk_before_how() -> None:
    """Whoever is invited reads first who sees it."""
    result = RUN.invoke(app, ["ooni", "invite", "--platform", "x"])
    text = result.stdout
    assert text.index("Whoever runs your network sees") < text.index("Install OONI Probe")
    assert "The tests run only when you start them." in text
    by_itself = RUN.invoke(app, ["ooni", "invite", "--platform", "x", "--background"]).stdout
    assert "also runs the tests by itself" in by_itself


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--platform", "twiter"], "is none of"),
        (["--lang", "xx"], "is none of"),
        (["--name", "x"], "2 to 50 characters"),
        (["--platform", "public-dns"], "is none of"),
    ],
)
def test_a_mistake_is_named(more: list[str], said: str) -> None:
    """Exit code 2."""
    result = RUN.invoke(app, ["ooni", "invite", *more])
    assert result.exit_code == 2
    assert said in result.output
