"""The Prometheus of the tests, inside a network namespace."""

import socket
from pathlib import Path

import pytest

from tests.lab.namespaces import Namespaces
from tests.prometheus.server import PrometheusError, PrometheusServer

pytestmark = pytest.mark.prometheus


@pytest.mark.lab
def test_it_runs_and_answers_inside() -> None:
    """It scrapes and is asked inside the namespace, and nothing listens outside."""
    with Namespaces() as namespaces:
        inside = namespaces.make()
        inside.wait_up()
        enter = inside.enter(Path("/"))
        with PrometheusServer(["127.0.0.1:29091"], enter=enter, port=29091) as prometheus:
            prometheus.eventually(lambda: prometheus.value('up{job="shutwatch"}') == 1)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", 29091), timeout=1)


def test_a_refused_question_tells_why() -> None:
    """A query that is no PromQL raises with Prometheus's own words."""
    with (
        PrometheusServer([]) as prometheus,
        pytest.raises(PrometheusError, match="parse error"),
    ):
        prometheus.query("this is no query")


def test_a_failed_start_tells_why(tmp_path: Path) -> None:
    """When it does not start, the error holds what it logged, and nothing is left running."""
    broken = tmp_path / "rules.yml"
    broken.write_text("groups: [{name: x, rules: [{record: a, expr: '('}]}]")
    server = PrometheusServer([], [broken])
    with pytest.raises(PrometheusError, match="could not parse expression"):
        server.__enter__()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)
