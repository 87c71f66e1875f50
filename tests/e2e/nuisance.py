"""Asks a collector for what it refuses, from an address of its own:
`python -m tests.e2e.nuisance PORT CA SOURCE OTHER KEY`.

OTHER is an address that it claims to hand on requests for, KEY what batches are sealed to. Prints
the statuses that came.
"""

import asyncio
import ssl
import sys
from datetime import UTC, datetime

from monitor.wire.answers import BATCHES, TIME
from tests.collector.world import new_id, request, sealed_request
from tests.e2e.fleet import NAME
from tests.worlds.http_client import httpx


async def main() -> None:
    """Ask."""
    port, ca, source, other, key = sys.argv[1:]
    passed_on = {
        "X-Forwarded-For": other,
        "X-Real-IP": other,
        "Forwarded": f"for={other}",
        "Via": f"1.1 {other}",
        "User-Agent": f"probe/{other}",
    }
    now = datetime.now(UTC)
    async with httpx.AsyncClient(
        base_url=f"https://{NAME}:{port}",
        verify=ssl.create_default_context(cafile=ca),
        transport=httpx.AsyncHTTPTransport(
            local_address=source, verify=ssl.create_default_context(cafile=ca)
        ),
        headers=passed_on,
        trust_env=False,
    ) as client:
        told = []
        for vantage in ("khi-ptcl", other, "ptcl"):
            headers, body = sealed_request(*request(b"{}", sent_at=now, vantage=vantage), key)
            told.append(await client.post(BATCHES, headers=headers, content=body))
        told.append(await client.post(BATCHES, content=f"from {other}".encode()))
        told.append(await client.post(f"{BATCHES}?from={other}", headers={"id": new_id()}))
        told.append(await client.get(f"/{other}"))
        told.append(await client.get(TIME))
    print(*(answer.status_code for answer in told))  # noqa: T201 # that is its answer


if __name__ == "__main__":
    asyncio.run(main())
