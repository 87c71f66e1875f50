"""A program that asks a collector for attention it must not get: requests of an unknown key.

    python stranger.py HOST PORT REQUESTS HEADERS.json

Prints how often each status came, as JSON.
"""

import http.client
import json
import sys
import threading
from collections import Counter
from pathlib import Path

AT_ONCE = 10
BODY = b"x" * 200_000


def main() -> None:
    """Ask, over and over, from several threads."""
    host, port, number, headers = sys.argv[1:]
    sent = json.loads(Path(headers).read_text("utf-8"))
    found: Counter[int] = Counter()
    threads = [
        threading.Thread(target=ask, args=(host, int(port), int(number) // AT_ONCE, sent, found))
        for _ in range(AT_ONCE)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump(found, sys.stdout)


def ask(host: str, port: int, number: int, headers: dict[str, str], found: Counter[int]) -> None:
    """One connection's worth."""
    connection = http.client.HTTPConnection(host, port, timeout=60)
    for _ in range(number):
        connection.request("POST", "/agent/v1/batches", body=BODY, headers=headers)
        answer = connection.getresponse()
        answer.read()
        found[answer.status] += 1


if __name__ == "__main__":
    main()
