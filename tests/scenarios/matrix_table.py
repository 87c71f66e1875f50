"""All rows, and docs/scenarios.md written from them so that it cannot fall behind.

python -m tests.scenarios.matrix_table > docs/scenarios.md
"""

import sys
from collections.abc import Iterable

from tests.scenarios import blackbox_said
from tests.scenarios.matrix import Answer, Scenario
from tests.scenarios.matrix_beyond import BEYOND
from tests.scenarios.matrix_ooni import OONI
from tests.scenarios.matrix_own_doing import OWN_DOING

_BEYOND = (*BEYOND, *OWN_DOING)
SCENARIOS: tuple[Scenario, ...] = (*OONI, *_BEYOND)
_INTRODUCTION = """\
# Scenarios

<!-- Written by `python -m tests.scenarios.matrix_table`; a test fails when this is stale. -->

What shutwatch says of every scenario that OONI's Web Connectivity tests itself with, and of those
that it does not. Each is set up with real packets in a laboratory of network namespaces, tested
by `shutwatch once`, and compared with this table; [rules.md](rules.md) explains rules and evidence.

OONI's column is what its own tests state as the right result: *accessible*, *blocked* by a method,
*down* (neither accessible nor blocked), or *no verdict*.

blackbox_exporter's column is what its modules `http_2xx` / `tcp_connect`, set as its own example
sets them (the first prefers IPv4, the second IPv6), said of the scenario's URL and of that URL's
host and port, by way of the same network and its resolver in the same laboratory; of a scenario
about a whole platform they were asked about its start page. *up* means that a page came with a
status of 2xx, or that a connection was made. It does not mean open to people: a block page that
answers 200 is *up*, and so is the start page of a platform whose videos, calls or messages are
blocked; and *down* does not tell a block from a site that fails for everybody. After – stands why
there is no answer. `make soak` asks again; the answers here are those of version {version}.
"""
_HEAD = (
    "| scenario | what happens | OONI | blackbox_exporter | shutwatch | rule | evidence"
    " | why another answer | proved by |"
)
_MATRIX = "test_matrix_answers.py"


def render() -> str:
    """The whole document."""
    introduction = _INTRODUCTION.format(version=blackbox_said.recording().version)
    parts = [introduction, "## What OONI tests", _table(OONI), "## What else happens"]
    parts.append(_table(_BEYOND))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _table(rows: Iterable[Scenario]) -> str:
    lines = [_HEAD, "|---" * 9 + "|"]
    for row in rows:
        answer = row.answer
        proof = row.proved_in or f"{_MATRIX}::test_scenario[{row.name}]"
        cells = [
            f"`{row.name}`",
            row.story,
            row.ooni,
            blackbox_said.cell(row.name),
            _said(answer),
            f"`{answer.rule_id}`",
            answer.evidence if answer.evidence != "none" else "",
            f"{row.differs} **Not yet so:** {row.wrong}.".strip() if row.wrong else row.differs,
            f"`{proof}`",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _said(answer: Answer) -> str:
    word = answer.sub_method.replace("_", " ")
    return f"{answer.state} ({answer.method}, {word})" if answer.method else answer.state


if __name__ == "__main__":
    sys.stdout.write(render())
