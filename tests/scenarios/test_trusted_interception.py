"""Interception by an authority that the vantage's machine trusts: a state has it installed."""

import pytest

from tests.lab.certificates import interceptor
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import UNHURRIED, Seen, seen, write_config
from tests.scenarios.test_lasting_faults import X_NAMES
from tests.scenarios.test_vantage_truth import POPULAR

pytestmark = pytest.mark.lab

KNOWN, WHOLE = "Qaznet Trust Network", "Russian Trusted Root CA"
REFERENCES = ["www.cloudflare.com", "www.gstatic.com", *POPULAR]


@pytest.fixture(scope="module")
def story() -> Seen:
    """Two networks: on one X alone is intercepted, on the other everything is."""
    networks = [LabNetwork("kazakh", 64500, "KZ"), LabNetwork("whole", 64501, "RU")]
    with Lab(networks, controls=2, direct=1) as lab:
        lab.network("kazakh").forge(X_NAMES, f"by {KNOWN}")
        lab.network("whole").forge([*X_NAMES, ".facebook.com", *REFERENCES], f"by {WHOLE}")
        system = lab.directory / "system.pem"
        system.write_bytes(b"".join(interceptor(o).cert_pem.bytes() for o in (KNOWN, WHOLE)))
        config = write_config(lab, egress="interface", platforms=["x"], probe=UNHURRIED)
        argv = ["shutwatch", "once", "--config", str(config), "--json"]
        return seen(lab.run(argv, env={"SSL_CERT_FILE": str(system)}))


def test_a_trusted_forgery_is_still_one(story: Seen) -> None:
    """It verifies for every program on that machine, and X is intercepted all the same."""
    assert story.platform("kazakh", "x")["state"] == "blocked"
    verdict = story.endpoint("kazakh", "https://x.com/")
    assert (verdict["rule_id"], verdict["evidence"]) == ("tls.known_certificate", "conclusive")


def test_a_network_that_reads_everything_singles_nobody_out(story: Seen) -> None:
    """No reference can be reached privately: the vantage says so, and never ok."""
    assert story.vantage("whole")["rule_id"] == "vantage.no_tls"
    assert story.platform("whole", "x")["state"] == "insufficient"
