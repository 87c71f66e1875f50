"""Questions to a source beside those it is followed for, with a state of their own: what fails of
them is left alone by itself, and delays nothing else."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from monitor.following.unforeseen import unforeseen
from monitor.logs import logger
from monitor.sources.fault import SourceFault, after_answer, after_fault, left_alone
from storage.store import SourceStore, StorageError
from storage.values.sourced import SourceState

log = logger(__name__)

_QUOTA = "limited"


class Aside:
    """One kind of such questions."""

    def __init__(self, name: str, store: SourceStore, now: Callable[[], datetime]) -> None:
        """`name` is that of its state; `now` gives UTC."""
        self._name = name
        self._store = store
        self._now = now
        self.state = SourceState()

    async def restore(self) -> None:
        """Go on where another process stopped. StorageError."""
        self.state = (await self._store.source_states()).get(self._name, SourceState())

    async def ask(self, read: Callable[[SourceState], Awaitable[SourceState]]) -> None:
        """Have `read` ask, unless it failed lately, and keep what it returns. Raises StorageError,
        and SourceFault where the quota is empty, which is the whole source's."""
        now = self._now()
        if left_alone(self.state, now):
            return
        try:
            state = after_answer(await read(self.state))
        except SourceFault as fault:
            if fault.problem == _QUOTA:
                raise
            state = self._after(fault, now)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - noted without its text
            state = self._after(unforeseen(error, self._name), now)
        if state != self.state:
            await self._store.add_sourced((), self._name, state)
            self.state = state

    def _after(self, fault: SourceFault, now: datetime) -> SourceState:
        log.warning("part of a source cannot be read", part=self._name, reason=str(fault))
        return after_fault(self.state, fault, now)
