"""Whether Prometheus runs and reads the metrics, by its own list of targets."""

from typing import Any
from urllib.parse import urlsplit

from monitor.doctor.trial import DIAL, Checked, Trial, found
from monitor.wording.findings import What
from probes.sockets.http_client import httpx
from probes.sockets.http_reason import why_no_answer


async def try_prometheus(trial: Trial) -> list[Checked]:
    """One where a Prometheus is named, else none."""
    if not trial.prometheus:
        return []
    address = trial.prometheus.rstrip("/")
    why, targets = "", []
    values = {"address": address, "port": str(trial.settings.listen_port)}
    try:
        async with httpx.AsyncClient(timeout=DIAL) as client:
            answer = await client.get(f"{address}/api/v1/targets", params={"state": "active"})
            targets = answer.raise_for_status().json()["data"]["activeTargets"]
    except httpx.HTTPStatusError as error:
        why = f"HTTP status {error.response.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        why = why_no_answer(error)
    except (ValueError, LookupError, TypeError):
        why = "what answers there is no Prometheus"
    if why:
        return [found("prometheus", address, What.PROMETHEUS_SILENT, **values, why=why)]
    ours = [one for one in targets if _port(one) == trial.settings.listen_port]
    if not ours:
        return [found("prometheus", address, What.PROMETHEUS_UNAWARE, **values)]
    # Before the first try a target is neither up nor down.
    if all(one.get("health") != "up" for one in ours):
        errors = (str(one.get("lastError") or "") for one in ours)
        why = next(filter(None, errors), "it has not tried yet")
        return [found("prometheus", address, What.PROMETHEUS_FAILS, **values, why=why)]
    return [Checked(check="prometheus", about=address)]


def _port(target: Any) -> int | None:
    try:
        return urlsplit(str(target["scrapeUrl"])).port
    except (ValueError, LookupError, TypeError):
        return None
