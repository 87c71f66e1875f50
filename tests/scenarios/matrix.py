"""The scenario matrix: what the field tests itself with, and what it does not, beside our answer.

One row per scenario. A row is set up in the lab by `build` (on the censored network that the row
names, on the internet, or both) and looked at through the real command; its answer is the one
thought right, and `differs` says why where the field's documented answer is another one. Rows
with `proved_in` are proved by that test.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from tests.lab.hosts import LabHost, Page, web_page
from tests.lab.lab import Lab
from tests.lab.network import Network

OPEN = "open"
"""The network where nothing is censored: every row is also looked at from there."""
NOT_COVERED = "not covered"
"""Of what OONI does not test itself with."""
State = Literal["ok", "blocked", "degraded", "down", "insufficient", "partial", "throttled"]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the scenario's endpoint, or of its platform where one function is blocked."""

    state: State
    rule_id: str
    method: str = ""
    sub_method: str = ""
    evidence: str = "none"


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the matrix."""

    name: str
    """Also the platform's name in the lab's catalogue."""
    story: str
    group: Literal["ooni", "beyond"] = "ooni"
    ooni: str
    """Documented: accessible, blocked (dns, tcp_ip, http-failure, http-diff), down, no verdict;
    or `NOT_COVERED`."""
    answer: Answer
    differs: str = ""
    """Why our answer is another one, where it is."""
    network: str = ""
    """The censored network; empty when the story is the site's own, the same from everywhere."""
    build: Callable[[Lab, Network], object] | None = None
    url: str = ""
    """By default `https://NAME.example/`."""
    hosts: tuple[LabHost, ...] | None = None
    """What there is; by default one site under the scenario's name."""
    elsewhere: State | None = None
    """The state on the open network; by default ok, or for a site's own story the answer's."""
    platform: State | None = None
    """The platform's state, where it is not its endpoint's."""
    run: str = ""
    """Rows of one run share a lab and a look; see `look`."""
    proved_in: str = ""
    """The test that proves it, as FILE::TEST, where that is not the matrix's own."""
    wrong: str = ""
    """What is said so far instead of the answer, where that is known to be wrong."""

    @property
    def host(self) -> str:
        """The name of its site."""
        return f"{self.name}.example"

    @property
    def look(self) -> str:
        """The run it belongs to. Cleartext stands apart: it can never be trusted by itself, so
        even where it works it is looked at again, and questions about it are limited in number."""
        cleartext = self.endpoint.startswith("http:") or self.name.endswith("-http")
        return self.run or ("cleartext" if cleartext else "matrix")

    @property
    def endpoint(self) -> str:
        """What is looked at."""
        return self.url or f"https://{self.host}/"

    @property
    def sites(self) -> tuple[LabHost, ...]:
        """The hosts it needs."""
        return (site(self.host),) if self.hosts is None else self.hosts


def site(name: str, page: Page | None = None, **more: object) -> LabHost:
    """A site that serves one page, in cleartext as well."""
    shown = page or Page(body=web_page(f"Bulletin of {name}"))
    host = LabHost(name=name, https={"": shown}, http={"": shown})
    return msgspec.structs.replace(host, **more)


def ok(rule_id: str = "endpoint.reached") -> Answer:
    """It works."""
    return Answer(state="ok", rule_id=rule_id)


def down() -> Answer:
    """It fails for everybody."""
    return Answer(state="down", rule_id="control.also_fails")


def insufficient(rule_id: str) -> Answer:
    """Not enough is known to say."""
    return Answer(state="insufficient", rule_id=rule_id)


def blocked(sign: str, evidence: str) -> Answer:
    """Blocked, by `method.sub_method`, which is also the rule's id."""
    method, _, sub_method = sign.partition(".")
    return Answer(
        state="blocked", rule_id=sign, method=method, sub_method=sub_method, evidence=evidence
    )


SAME = ok("http.same_as_control")


def catalogue(rows: Mapping[str, str]) -> str:
    """An operator's catalogue file with one platform for each name → URL."""
    tables = [
        f'[platform.{name}]\ntitle = "{name}"\n\n[platform.{name}.function.web]\ncore = true\n'
        f'endpoints = ["{url}"]\n'
        for name, url in rows.items()
    ]
    return "\n".join(tables)
