"""Callers who come while others are being stored wait together, and lose nothing to each other."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from storage.sql.received_group_commit import GroupCommit


class Disk:
    """Takes groups of words, each when it is told to; has no room for the word `bad`."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.turn = asyncio.Semaphore(0)
        self.tells = True
        self.commits = GroupCommit(self.prepare, self.write, weigh=len, most=9)

    async def prepare(self, words: Sequence[str]) -> list[str]:
        """In capitals; `odd` has none."""
        self.done.append(f"prepare {' '.join(words)}")
        if "odd" in words:
            raise ValueError("odd")
        return [word.upper() for word in words]

    async def write(self, words: list[str], waits_for_disk: Callable[[], None]) -> list[int]:
        """Their lengths."""
        self.done.append(f"write {' '.join(words)}")
        if "BAD" in words:
            raise OSError("bad")
        if self.tells:
            waits_for_disk()
        await self.turn.acquire()
        self.done.append(f"wrote {' '.join(words)}")
        return [len(word) for word in words]

    def put(self, *words: str) -> list[asyncio.Task[int]]:
        """Callers, in this order."""
        return [asyncio.create_task(self.commits.put(word)) for word in words]


async def turns() -> None:
    """Let everything go on that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_those_who_wait_are_made_ready_while_the_disk_is_waited_for() -> None:
    """And are not written before it is done."""
    disk = Disk()
    first = disk.put("one")
    await turns()
    later = disk.put("two", "six")
    await turns()
    assert disk.done == ["prepare one", "write ONE"]
    disk.turn.release()
    await turns()
    last = disk.put("four")
    disk.turn.release()
    disk.turn.release()
    assert await asyncio.gather(*first, *later, *last) == [3, 3, 3, 4]
    assert disk.done == [
        *("prepare one", "write ONE", "wrote ONE"),
        *("prepare two six", "write TWO SIX", "wrote TWO SIX"),
        *("prepare four", "write FOUR", "wrote FOUR"),
    ]


async def test_who_comes_before_the_disk_is_waited_for_is_made_ready_meanwhile() -> None:
    """All of them at once, within the weight that a group may have."""
    disk = Disk()
    callers = disk.put("one", "two", "six", "ten", "twelve")
    await turns()
    assert disk.done == ["prepare one two six", "write ONE TWO SIX", "prepare ten twelve"]
    disk.turn.release()
    disk.turn.release()
    assert await asyncio.gather(*callers) == [3, 3, 3, 3, 6]
    assert disk.done[3:] == ["wrote ONE TWO SIX", "write TEN TWELVE", "wrote TEN TWELVE"]


async def test_who_never_says_that_it_waits_is_waited_for() -> None:
    """Nothing is made ready before then, and nothing stands still."""
    disk = Disk()
    disk.tells = False
    callers = disk.put("one", "two", "six", "ten")
    await turns()
    assert disk.done == ["prepare one two six", "write ONE TWO SIX"]
    disk.turn.release()
    disk.turn.release()
    assert await asyncio.gather(*callers) == [3, 3, 3, 3]


@pytest.mark.parametrize(("word", "error"), [("bad", OSError), ("odd", ValueError)])
async def test_what_cannot_be_stored_takes_nobody_along(word: str, error: type[Exception]) -> None:
    """Its caller alone hears of it, whether it was making ready or writing that failed."""
    disk = Disk()
    for _ in range(3):
        disk.turn.release()
    one, wrong, six, ten = disk.put("one", word, "six", "ten")
    assert list(await asyncio.gather(one, six, ten)) == [3, 3, 3]
    with pytest.raises(error, match=word):
        await wrong
    assert [done for done in disk.done if done.startswith("wrote")] == [
        *("wrote ONE", "wrote SIX", "wrote TEN")
    ]


async def test_a_caller_who_is_gone_is_not_missed() -> None:
    """The others get their answers."""
    disk = Disk()
    one, two = disk.put("one", "two")
    await turns()
    one.cancel()
    disk.turn.release()
    assert await two == 3
    with pytest.raises(asyncio.CancelledError):
        await one
