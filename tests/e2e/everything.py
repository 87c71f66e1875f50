"""All that a database holds, table by table: as it is, decoded and decompressed."""

import base64
import binascii
import gzip
import ipaddress
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress

from sqlalchemy import MetaData, create_engine, make_url, select

from storage.values.compression import PackingError
from storage.values.compression import unpack as unpack_looks
from storage.values.zstandard import zstd


def needles(address: str) -> set[bytes]:
    """The address as text, and in the encodings a page or a database could hold it in."""
    parsed = ipaddress.ip_address(address)
    texts = {address, parsed.exploded, parsed.packed.hex(), address.replace(".", "-")}
    binary = {parsed.packed} if parsed.version == 6 else set()  # four bytes occur by chance
    return {text.encode() for text in texts} | binary


def cells(url: str) -> Iterator[tuple[str, bytes]]:
    """Every cell of every table there is, named by table and column, in every form it has."""
    parts = make_url(url)
    if parts.drivername == "postgresql":
        parts = parts.set(drivername="postgresql+psycopg")
    engine = create_engine(parts)
    known = MetaData()
    known.reflect(engine)
    try:
        with engine.connect() as connection:
            for table in known.sorted_tables:
                for row in connection.execute(select(table)):
                    for column, cell in zip(table.columns, row, strict=True):
                        for form in _forms(cell):
                            yield f"{table.name}.{column.name}", form
    finally:
        engine.dispose()


def found(url: str, addresses: Iterable[str]) -> dict[str, set[str]]:
    """Address → where it, in whatever spelling, is in the database."""
    wanted = {address: needles(address) for address in addresses}
    places: dict[str, set[str]] = {}
    for where, cell in cells(url):
        for address, spellings in wanted.items():
            if any(spelling in cell for spelling in spellings):
                places.setdefault(address, set()).add(where)
    return places


def _forms(cell: object) -> Iterator[bytes]:
    if cell is None:
        return
    raw = bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()
    yield raw
    with suppress(binascii.Error, ValueError):
        if len(raw) >= 16:
            yield base64.b64decode(raw, validate=True)
    for unpack in (
        zlib.decompress,
        gzip.decompress,
        lambda body: zlib.decompress(body, -zlib.MAX_WBITS),
        lambda body: zstd.ZstdDecompressor().decompress(body),
        unpack_looks,  # which need their dictionary
    ):
        with suppress(zlib.error, OSError, EOFError, zstd.ZstdError, PackingError):
            yield unpack(raw)
