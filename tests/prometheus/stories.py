"""Alerts as Alertmanager gets them, for messages that are rendered and compared.

python -m tests.prometheus.stories  # writes tests/prometheus/messages anew, to be read
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monitor.wording.failures_and_methods import METHODS, METHODS_PAST
from tests.prometheus.alertmanager import FOLDER

MESSAGES = Path(__file__).parent / "messages"
"""One file for each story and form."""

Alert = dict[str, Any]

CONFIRMED = "ShutwatchPlatformBlockConfirmed"
SUSPECTED = "ShutwatchPlatformBlockSuspected"
THROTTLED = "ShutwatchPlatformThrottled"
SHUTDOWN = "ShutwatchCountryShutdownSuspected"
CUT = "ShutwatchInternationalCutSuspected"
ALLOWLIST = "ShutwatchAllowlistConfirmed"

PTCL = "PTCL (AS17557): connections are reset when the platform's name appears (tls.reset)"
NAYATEL = "Nayatel (AS23674): DNS says the name does not exist (dns.nxdomain)"
VOLUNTEERS = "OONI agrees: 2 of 3 tests failed, 1 network (Data: OONI (ooni.org), CC BY-NC-SA 4.0)"
OUTSIDE = (
    "IODA agrees: routes (BGP) -60%, active probing -80% (IODA, Georgia Tech Research Corporation "
    "(ioda.inetintel.cc.gatech.edu))"
)
META = ("Facebook", "Messenger", "Instagram", "Threads", "Meta", "WhatsApp")
OVER = "2026-03-01T14:32:10Z"
UNTIL = (
    "2026-03-01 14:09 UTC, 2026-03-01 19:09 local time (UTC+05:00); last seen blocked "
    "2026-03-01 14:08 UTC"
)


def about(alertname: str, title: str, owner: str = "Meta", **annotations: str) -> Alert:
    """An alert about a platform in Pakistan, firing since 11:50."""
    platform = title.lower()
    return {
        "status": "firing",
        "labels": {
            "alertname": alertname,
            "country": "PK",
            "platform": platform,
            "severity": "critical" if alertname == CONFIRMED else "warning",
        },
        "annotations": {
            "summary": f"{title} in Pakistan",
            "description": "Confirmed by repeated tests.",
            "country_name": "Pakistan",
            "platform_name": title,
            "owner": owner,
            "effect": "blocked",
            "state": "suspected" if alertname == SUSPECTED else "confirmed",
            "networks": f"{NAYATEL}; {PTCL}",
            "extent": "2 of 3 networks tested",
            "functions": "",
            "since": "2026-03-01 11:48 UTC, 2026-03-01 16:48 local time (UTC+05:00); "
            "last seen open 2026-03-01 11:43 UTC",
            "until": "",
            "witness": "",
            "event": f"pk-{platform}",
            "event_url": f"https://watch.example.org/events/pk-{platform}",
            "whole_owner": "",
            "runbook_url": f"https://watch.example.org/runbooks/{alertname}",
        }
        | annotations,
        "startsAt": "2026-03-01T11:50:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
    }


def other(
    alertname: str, summary: str, description: str, *, witness: str = "", **labels: str
) -> Alert:
    """An alert that is about no platform; `witness` says what others see of a shutdown."""
    national = {"until": "", "witness": witness} if alertname in (SHUTDOWN, CUT) else {}
    return {
        "status": "firing",
        "labels": {"alertname": alertname, "severity": "critical", **labels},
        "annotations": {
            "summary": summary,
            "description": description,
            "runbook_url": f"https://watch.example.org/runbooks/{alertname}",
            **({"country_name": "Pakistan"} if "country" in labels else {}),
            **(national or ({"until": ""} if alertname == ALLOWLIST else {})),
        },
        "startsAt": "2026-03-01T11:50:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
    }


UNSEEN = "after 2026-03-01 14:08 UTC, 2026-03-01 19:08 local time (UTC+05:00); nobody saw when"


def unseen(alert: Alert) -> Alert:
    """The same alert, resolved, about an event that was closed though nobody saw it end."""
    closed = over(alert)
    return closed | {"annotations": closed["annotations"] | {"until": UNSEEN}}


def over(alert: Alert) -> Alert:
    """The same alert, resolved, with the end of its event."""
    known = alert["annotations"]
    ended = {"state": "dismissed" if known.get("state") == "suspected" else "ended", "until": UNTIL}
    past = {"networks": _in_the_past(known.get("networks", ""))}
    end = {"until": UNTIL.replace("blocked", "cut off")} if "until" in known else {}
    told = known | (ended | past if "platform_name" in known else end)
    return unheard(alert) | {"annotations": told}


def _in_the_past(networks: str) -> str:
    for name in ("tls.reset", "dns.nxdomain"):
        networks = networks.replace(METHODS[name], METHODS_PAST[name])
    return networks


def unheard(alert: Alert) -> Alert:
    """The same alert, resolved after a day without data from the monitor: no end is known."""
    return alert | {"status": "resolved", "endsAt": OVER}


def slowed(state: str = "confirmed") -> Alert:
    """YouTube is slowed down."""
    return about(
        THROTTLED,
        "YouTube",
        "Google",
        effect="throttled",
        state=state,
        networks="PTCL (AS17557): transfers are slow (throttling.rate)",
    )


X = about(CONFIRMED, "X", "X Corp.")
STORIES: Mapping[str, Sequence[Alert]] = {
    "one-confirmed": [about(CONFIRMED, "X", "X Corp.", witness=VOLUNTEERS)],
    "one-function": [about(CONFIRMED, "YouTube", "Google", functions="videos")],
    "one-suspected": [
        about(
            SUSPECTED,
            "X",
            "X Corp.",
            networks=PTCL,
            extent="1 of 3 networks tested",
            since="before 2026-03-01 11:48 UTC, 2026-03-01 16:48 local time (UTC+05:00), the time "
            "of the first test",
        )
    ],
    "no-longer-seen": [about(CONFIRMED, "X", "X Corp.", state="unobserved")],
    "opening": [about(CONFIRMED, "X", "X Corp.", state="recovering")],
    "slowed": [slowed()],
    "slowed-no-longer-seen": [slowed("unobserved")],
    "slowed-opening": [slowed("recovering")],
    # An owner of whom one platform works again is not blocked as a whole.
    "partly-open": [
        *(about(CONFIRMED, title, whole_owner="Meta") for title in META[:2]),
        about(CONFIRMED, META[2], whole_owner="Meta", state="recovering"),
        about(CONFIRMED, META[3], whole_owner="Meta", state="unobserved"),
        slowed("recovering"),
    ],
    "one-ended": [over(X)],
    "over-and-firing": [over(X) | {"status": "firing"}, about(CONFIRMED, "TikTok", "ByteDance")],
    "end-unknown": [unheard(X)],
    "end-unseen": [unseen(X), over(about(CONFIRMED, "Telegram", "Telegram"))],
    "shutdown-unseen": [
        unseen(
            other(
                SHUTDOWN, "Pakistan may be cut off from the internet", "", country="PK"
            )
        )
    ],
    "shutdown-unknown": [
        unheard(other(SHUTDOWN, "Pakistan may be cut off from the internet", "", country="PK"))
    ],
    "withdrawn": [
        unheard(
            about(
                CONFIRMED,
                "X",
                "X Corp.",
                state="withdrawn",
                networks=_in_the_past(f"{NAYATEL}; {PTCL}"),
            )
        )
    ],
    "back-again": [
        about(
            CONFIRMED,
            "X",
            "X Corp.",
            since="2026-03-01 14:38 UTC, 2026-03-01 19:38 local time (UTC+05:00); last seen open "
            "2026-03-01 14:37 UTC; first blocked 2026-03-01 11:48 UTC",
        )
    ],
    "shutdown-over": [
        over(
            other(
                SHUTDOWN, "Pakistan may be cut off from the internet", "", country="PK"
            )
        )
    ],
    "suspicion-gone": [over(about(SUSPECTED, "X", "X Corp."))],
    "suspicion-unheard": [unheard(about(SUSPECTED, "X", "X Corp."))],
    "suspicion-confirmed": [unheard(about(SUSPECTED, "X", "X Corp.", state="confirmed"))],
    "suspicion-opening": [unheard(about(SUSPECTED, "X", "X Corp.", state="recovering"))],
    "suspicion-no-longer-seen": [unheard(about(SUSPECTED, "X", "X Corp.", state="unobserved"))],
    "suspicion-withdrawn": [unheard(about(SUSPECTED, "X", "X Corp.", state="withdrawn"))],
    "several": [
        X,
        about(CONFIRMED, "WhatsApp", effect="partial", networks="Jazz (AS45669): calls cannot be "
              "set up (udp.stun)", extent="1 of 3 networks tested"),
        about(SUSPECTED, "TikTok", "ByteDance", networks=PTCL),
        slowed(),
        over(about(CONFIRMED, "Telegram", "Telegram")),
    ],
    # As it is when the last of them fires: only its own alert says yet that now it is all of them.
    "all-of-meta": [
        *(about(CONFIRMED, title) for title in META[:-1]),
        about(CONFIRMED, META[-1], whole_owner="Meta"),
        X,
    ],
    "shutdown": [
        other(
            SHUTDOWN,
            "Pakistan may be cut off from the internet",
            "All field vantages there went offline, while a vantage elsewhere worked.",
            witness=OUTSIDE,
            country="PK",
        )
    ],
    "monitor-down": [
        over(other("ShutwatchMonitorDown", "shutwatch cannot be scraped", "", job="shutwatch")),
        other("ShutwatchStorageErrors", "shutwatch at i has storage errors",
              "Evidence may be lost.", job="shutwatch", instance="i"),
    ],
    "without-a-page": [about(CONFIRMED, "X", "X Corp.", event_url="", extent="")],
}  # fmt: skip
PROBES = (
    "Globalping agrees (evidence: strong): 12 of 12 tests failed, 6 networks (measured with "
    "Globalping (globalping.io))"
)
LONG = {
    "networks": "; ".join(
        f"{f'Mobile Operator {n:02} ':N<80} (AS{45669 + n}): encrypted connections to the "
        "platform's address fail with any name (tls.any_name)"
        for n in range(20)
    ),
    "extent": "20 of 20 networks tested",
    "functions": "calls, messages, what its apps connect to, pictures, videos (dc1), website",
    "since": "2026-03-01 11:48 UTC, 2026-03-01 08:48 in the capital "
    "(America/Argentina/Buenos_Aires, UTC-03:00); last seen open 2026-03-01 11:43 UTC; first "
    "blocked 2026-02-28 11:48 UTC",
    "witness": f"{PROBES}; {OUTSIDE}; {VOLUNTEERS}",
    "event_url": f"https://watch.example.org/events/{'0123456789' * 2}",
}
"""A block on twenty networks with the longest names."""
LONG_END = (
    "2026-03-01 14:09 UTC, 2026-03-01 11:09 in the capital (America/Argentina/Buenos_Aires, "
    "UTC-03:00); last seen blocked 2026-03-01 14:08 UTC"
)
"""The end of its event."""
FORMS = ("text", "telegram")
"""Forms that are compared whole, of every story."""


def render(alerts: Sequence[Alert], form: str) -> str:
    """What the committed templates make of alerts, by amtool."""
    data = {
        "receiver": "newsroom",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {"country": "PK"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://127.0.0.1:9093",
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.json"
        path.write_text(json.dumps(data), "utf-8")
        done = subprocess.run(
            [
                *("amtool", "template", "render"),
                f"--template.type={'html' if form in ('email', 'telegram') else 'text'}",
                f"--template.glob={FOLDER / '*.tmpl'}",
                f'--template.text={{{{ template "shutwatch.{form}" . }}}}',
                f"--template.data={path}",
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout


def main() -> None:
    """Write every message anew."""
    MESSAGES.mkdir(exist_ok=True)
    for name, alerts in STORIES.items():
        for form in FORMS:
            (MESSAGES / f"{name}.{form}").write_text(render(alerts, form), "utf-8")


if __name__ == "__main__":
    main()
