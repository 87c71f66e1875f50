"""`shutwatch probe`, as it is typed, of a real web server on loopback."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli.main import app

HOSTILE = "\x1b]0;owned\x07\x1b[2Jreached\x9b31m\u202egnp.exe"


@contextmanager
def page(title: str) -> Iterator[str]:
    """The URL of a page with this title."""
    body = f"<title>{title}</title>".encode()

    class Page(BaseHTTPRequestHandler):
        """Answers everything with it."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = HTTPServer(("127.0.0.1", 0), Page)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def test_what_a_page_says_moves_no_cursor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A censor's page writes nothing over what was found, nor anything to the clipboard."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHUTWATCH_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    with page(HOSTILE) as url:
        result = CliRunner().invoke(app, ["probe", url])
    assert result.exit_code == 0
    assert r"“\u001b]0;owned\u0007\u001b[2Jreached\u009b31m\u202egnp.exe”" in result.stdout
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(result.stdout)
