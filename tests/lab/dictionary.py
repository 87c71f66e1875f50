"""Makes a dictionary that looks are packed with (`storage.values.compression`), of what looks see
in the lab.

    sudo .venv/bin/python -m tests.lab.dictionary storage/values/looks.dictionary

One cycle of everything that is shipped, over HTTP/3 as well, on lines that nobody touches and on
lines censored in many ways. What was packed with a dictionary can be read with that one alone: the
one that is there stays there for ever, and a new one comes beside it, with another id.
"""

import argparse
import json
import sys
from pathlib import Path

from storage.values.zstandard import zstd
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork

ID = 1
"""Of the dictionary made here; stands in each frame packed with it."""
SIZE = 4096
"""Bytes. With twice as much, looks pack no better."""
LARGEST = 8192
"""Bytes of a look worth learning from: what is larger is mostly pages."""
CYCLES = """
import asyncio, json, pathlib, sys
import msgspec
from monitor.app.cycle_job import measure_and_judge
from monitor.app.cycle_runners import cycle_runner
from monitor.config.load import load_config

async def cycles():
    settings = load_config(pathlib.Path(sys.argv[1]), {})
    async with cycle_runner(settings, force_quic=True) as runner:
        fields = [one.id for one in settings.vantages if one.role == "field"]
        made = [await measure_and_judge(runner, one) for one in fields]
    looks = [look for cycle in made for look in cycle.measurements]
    print(json.dumps([msgspec.json.encode(look.observations).decode() for look in looks]))

asyncio.run(cycles())
"""
_NAMES = ["x.com", "www.facebook.com", "web.whatsapp.com", "www.youtube.com", "www.tiktok.com"]


def looks() -> list[bytes]:
    """The observations of each look, as they are packed."""
    lines = [LabNetwork(f"line-{number}", 64500 + number) for number in range(8)]
    with Lab(lines, controls=1, quic=True) as lab:
        _censor(lab)
        script, config = lab.directory / "cycles.py", lab.directory / "patient.toml"
        script.write_text(CYCLES)
        config.write_text(lab.config(probe={"dns_timeout": "2s", "tcp_timeout": "3s"}))
        done = lab.run([sys.executable, str(script), str(config)], timeout=600)
    if done.returncode:
        raise SystemExit(done.stderr)
    return [text.encode() for text in json.loads(done.stdout)]


def _censor(lab: Lab) -> None:
    """Three lines are left alone."""
    lab.network("line-3").block(sni=_NAMES, how="reset")
    lab.network("line-4").block(dns=_NAMES, how="nxdomain")
    lab.network("line-5").block(dns=_NAMES, how="inject", answer=["127.0.0.1"])
    lab.network("line-6").block(sni=_NAMES, how="drop")
    lab.network("line-7").block(quic=_NAMES, how="drop")
    lab.network("line-7").page(_NAMES, status=403)


def trained(samples: list[bytes], size: int, number: int) -> bytes:
    """A dictionary of `size` bytes with the id `number`, which is behind its first four bytes."""
    made = zstd.train_dict(samples, size).dict_content
    return made[:4] + number.to_bytes(4, "little") + made[8:]


def main() -> None:
    """Look, learn, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    file: Path = parser.parse_args().file
    samples = [one for one in looks() if len(one) <= LARGEST]
    with file.open("xb") as new:
        new.write(trained(samples, SIZE, ID))
    parser.exit(
        message=f"{len(samples)} looks, {sum(map(len, samples)) // len(samples)} bytes each\n"
    )


if __name__ == "__main__":
    main()
