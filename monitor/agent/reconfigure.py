"""From one set of settings to the next while the agent runs, whoever gives them: its own file, or
collectors within what that file allows."""

from monitor.agent.agent_cycles import AgentCycles
from monitor.agent.collector_client import Signed
from monitor.agent.orders import Orders, OrdersError, follow
from monitor.agent.remote_controls import RemoteControls
from monitor.agent.spooling import SpoolRecorder
from monitor.app.cycle_runners import CycleRunners
from monitor.app.schedule import Schedule
from monitor.config.reload import same_measuring
from monitor.config.settings import Settings
from monitor.logs import configure, logger
from monitor.wire.answers import AgentSettings

log = logger(__name__)


class AgentReconfiguration:
    """Goes over from one to another."""

    def __init__(
        self,
        own: Settings,
        orders: Orders,
        desk: RemoteControls,
        runners: CycleRunners,
        schedule: Schedule,
        turns: AgentCycles,
        keeper: SpoolRecorder,
        in_use: Settings,
    ) -> None:
        """`own` are the settings of the agent's file, `in_use` those the rest was made with."""
        self._own = own
        self._orders = orders
        self._desk = desk
        self._runners = runners
        self._schedule = schedule
        self._turns = turns
        self._keeper = keeper
        self._in_use = in_use
        self._follow_the_rest()

    async def ordered(self, told: AgentSettings, signed: Signed) -> None:
        """Do what collectors say."""
        try:
            new = follow(self._own, told)
        except OrdersError as error:
            log.error("settings of the collector not taken", reason=str(error))
            self._orders.decline(told)
            return
        if not self._orders.take(told):
            log.warning("settings of the collector not taken, it has given newer ones before")
            return
        self._orders.keep(signed)
        self._follow_the_rest()
        await self._use(new)

    async def reloaded(self, old: Settings, new: Settings) -> None:
        """Go by another form of the agent's own file."""
        in_use = follow(new, self._orders.told)
        self._own = new
        await self._use(in_use)
        if new.log != old.log:
            configure(new.log)

    def _follow_the_rest(self) -> None:
        """What is no setting of the file."""
        self._turns.resting = self._orders.paused
        self._desk.use(() if self._orders.told is None else self._orders.told.known)

    async def _use(self, new: Settings) -> None:
        old = self._in_use
        before = runner = self._turns.runner
        if not same_measuring(old, new):
            runner = await self._runners.begin(new, ())
            runner.inherit(before, {vantage.id for vantage in new.vantages})
        self._turns.ledger.use(new)
        self._keeper.use(new)
        self._schedule.use(new, runner)
        self._in_use = new
        if runner is not before:
            self._runners.end(before, self._turns.unused(before))
            log.info(
                "settings changed",
                interval=new.interval,
                platforms=len(new.catalog.platforms),
                daily_bytes=new.probe.daily_bytes,
            )
