"""Two sorted listings as one, each value once."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def merged(
    one: AsyncIterator[Sequence[T]],
    other: AsyncIterator[Sequence[T]],
    place: Callable[[T], Any],
    size: int = 0,
) -> AsyncIterator[Sequence[T]]:
    """Pages of both in the order of `place`; of values with the same place only that of `one`.
    `size` is the most values in a page, when it is not 0.

    Mostly one of them ends before the other begins, and whole pages pass.
    """
    left, right = await _next(one), await _next(other)
    while left and right:
        if place(left[-1]) < place(right[0]):
            page, left = left, await _next(one)
        elif place(right[-1]) < place(left[0]):
            page, right = right, await _next(other)
        else:
            page, left, right = _interleaved(left, right, place)
            left, right = left or await _next(one), right or await _next(other)
        for start in range(0, len(page), size or len(page)):
            yield page[start : start + size] if size else page
    rest, following = (left, one) if left else (right, other)
    while rest:
        yield rest
        rest = await _next(following)


async def _next(pages: AsyncIterator[Sequence[T]]) -> Sequence[T]:
    async for page in pages:
        if page:
            return page
    return ()


def _interleaved(
    left: Sequence[T], right: Sequence[T], place: Callable[[T], Any]
) -> tuple[Sequence[T], Sequence[T], Sequence[T]]:
    """What surely comes next, and what remains of both: one of them is used up."""
    lefts, rights = list(map(place, left)), list(map(place, right))
    page: list[T] = []
    a = b = 0
    while a < len(left) and b < len(right):
        if rights[b] < lefts[a]:
            page.append(right[b])
            b += 1
            continue
        if rights[b] == lefts[a]:
            b += 1
        page.append(left[a])
        a += 1
    return page, left[a:], right[b:]
