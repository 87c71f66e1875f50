"""Takes whatever Alertmanager sends, over HTTP and by mail, and notes it in a file, line by line.

    python receiver.py HTTP_PORT SMTP_PORT FILE

A program of its own, on the standard library alone, so that it can be run inside a namespace. Each
line is an object: `path` and `body` of a request, or `subject` and `text` and `html` of a mail.
"""

import email
import email.policy
import json
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TELEGRAM = {"ok": True, "result": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "group"}}}
"""What Telegram answers; the others only look at the status."""

_writing = threading.Lock()


def note(into: Path, line: dict[str, Any]) -> None:
    """Append one line at once, whole."""
    with _writing, into.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def http_server(port: int, into: Path) -> ThreadingHTTPServer:
    """Answers every request as Telegram would."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            note(into, {"path": self.path, "body": json.loads(body)})
            answer = json.dumps(TELEGRAM).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def smtp_server(port: int, into: Path) -> socketserver.ThreadingTCPServer:
    """A mail server that takes everything, without TLS or a password (RFC 5321)."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 receiver")
            while line := self.rfile.readline():
                word = line.split()[0].upper() if line.split() else b""
                if word == b"DATA":
                    self.say("354 go on")
                    note(into, mail(b"".join(iter(self.rfile.readline, b".\r\n"))))
                self.say("250 receiver" if word != b"QUIT" else "221 bye")
                if word == b"QUIT":
                    return

        def say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    return socketserver.ThreadingTCPServer(("127.0.0.1", port), Handler)


def mail(raw: bytes) -> dict[str, Any]:
    """Subject and both bodies of a message as it came."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    bodies = {"text": message.get_body(("plain",)), "html": message.get_body(("html",))}
    contents = {name: body.get_content() for name, body in bodies.items() if body is not None}
    return {"subject": str(message["Subject"]), **contents}


def main(http_port: int, smtp_port: int, into: Path) -> None:
    """Serve until killed."""
    servers = (http_server(http_port, into), smtp_server(smtp_port, into))
    into.touch()
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
