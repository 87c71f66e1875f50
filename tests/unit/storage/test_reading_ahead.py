"""Pages come in their order, however long each takes, and nothing is read that nobody wants."""

import asyncio
from contextlib import aclosing

import pytest

from storage.export.reading_ahead import read_ahead


class Shelf:
    """Pages that are found one after the other, and read when they are let."""

    def __init__(self, pages: int) -> None:
        self.found = 0
        self.pages = pages
        self.begun: list[int] = []
        self.let = [asyncio.Event() for _ in range(pages)]
        self.broken = -1

    async def find(self) -> int | None:
        """The number of the next page."""
        await asyncio.sleep(0)
        self.found += 1
        return self.found - 1 if self.found <= self.pages else None

    async def read(self, page: int) -> str:
        """What is on it."""
        self.begun.append(page)
        await self.let[page].wait()
        if page == self.broken:
            raise OSError(f"page {page} is broken")
        return f"page {page}"


async def turns() -> None:
    """Let everything go on that can."""
    for _ in range(30):
        await asyncio.sleep(0)


async def test_pages_come_in_their_order() -> None:
    """Also when later ones are there first."""
    shelf = Shelf(4)
    for event in reversed(shelf.let):
        event.set()
    assert [page async for page in read_ahead(shelf.find, shelf.read, 2)] == [
        *("page 0", "page 1", "page 2", "page 3")
    ]


@pytest.mark.parametrize("ahead", [0, 1, 2])
async def test_so_many_are_read_while_one_is_worked_on(ahead: int) -> None:
    """And no more of them, while whoever takes them takes none."""
    shelf = Shelf(9)
    for event in shelf.let:
        event.set()
    async with aclosing(read_ahead(shelf.find, shelf.read, ahead)) as pages:
        assert await anext(pages) == "page 0"
        await turns()
        assert shelf.begun == list(range(1 + ahead))
        assert await anext(pages) == "page 1"
        await turns()
        assert shelf.begun == list(range(2 + ahead))


async def test_what_fails_is_told_in_its_place() -> None:
    """After the pages before it."""
    shelf = Shelf(4)
    shelf.broken = 2
    for event in shelf.let:
        event.set()
    pages = read_ahead(shelf.find, shelf.read, 2)
    assert [await anext(pages), await anext(pages)] == ["page 0", "page 1"]
    with pytest.raises(OSError, match="page 2 is broken"):
        await anext(pages)
    assert len(asyncio.all_tasks()) == 1


async def test_who_goes_leaves_nothing_under_way() -> None:
    """Pages that were being read are let go of."""
    shelf = Shelf(5)
    shelf.let[0].set()
    async with aclosing(read_ahead(shelf.find, shelf.read, 2)) as pages:
        assert await anext(pages) == "page 0"
        await turns()
        assert shelf.begun == [0, 1, 2]
    assert len(asyncio.all_tasks()) == 1
