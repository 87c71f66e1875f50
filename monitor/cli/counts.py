"""Numbers of things, as people read them."""


def counted(number: int, one: str, many: str = "") -> str:
    """`1 event`, `2,000 events`; `many` where it is not `one` and an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
