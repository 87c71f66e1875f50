"""Half an agent, to be killed: spools cycles as fast as it may and hands them in.

`python -m tests.e2e.agent_worker FOLDER URL`. Says `put ID ID …` once a cycle is durable.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from monitor.agent.collector_clock import AgentClock, Anchor, this_machine
from monitor.agent.saved_state import ANCHOR, recalled
from monitor.logs import LogSettings, configure
from tests.worlds.agent_world import World, seen


async def main() -> None:
    """Until killed."""
    configure(LogSettings(level="critical"))  # which goes to standard error
    folder, url = Path(sys.argv[1]), sys.argv[2]
    world = World(folder, (url,), (str(folder / "authority.pem"),))
    await world.spool.open()
    clock = AgentClock(this_machine(), recalled(await world.spool.notes(), ANCHOR, Anchor))
    chance = random.Random()
    async with world.courier(clock):
        for number in range(10_000):
            cycle = seen(number, at=clock.now())
            await world.spool.put(world.maker(clock).make(cycle))
            ids = " ".join(look.id for look in cycle.measurements)
            # In one write: a line in two could lose its end to the kill.
            os.write(1, f"put {ids}\n".encode())
            world.woken.set()
            await asyncio.sleep(chance.uniform(0, 0.02))


if __name__ == "__main__":
    asyncio.run(main())
