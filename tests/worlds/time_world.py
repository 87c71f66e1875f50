"""A small time authority and a small calendar of OpenTimestamps, on this machine.

The authority is OpenSSL's own `ts`, so what the product reads was not written by the product.
"""

import hashlib
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509

from monitor.stamps.time_authority import roots_in

_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = Test root
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[authority]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = clock
[clock]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


class Authority:
    """A time authority with a root of its own, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / "openssl.cnf").write_text(_CONFIG)
        (folder / "serial").write_text("01\n")
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        config = ("-config", "openssl.cnf")
        root = ("-keyout", "root.key", "-out", "root.pem", "-days", "30", "-extensions", "root")
        _openssl(folder, "req", "-x509", *new, *root, *config)
        subject = ("-subj", "/CN=Test time authority")
        _openssl(
            folder, "req", *new, *subject, "-keyout", "clock.key", "-out", "clock.csr", *config
        )
        signer = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "30")
        extensions = ("-extfile", "openssl.cnf", "-extensions", "authority")
        out = ("-in", "clock.csr", "-out", "clock.pem")
        _openssl(folder, "x509", "-req", *signer, *extensions, *out)
        self._one_at_a_time = threading.Lock()

    @property
    def root_file(self) -> Path:
        """PEM of its root."""
        return self.folder / "root.pem"

    @property
    def roots(self) -> tuple[x509.Certificate, ...]:
        """The same, read."""
        return tuple(roots_in(self.root_file))

    def reply(self, query: bytes) -> bytes:
        """Its reply to a query."""
        with self._one_at_a_time:
            (self.folder / "query.tsq").write_bytes(query)
            signer = ("-signer", "clock.pem", "-inkey", "clock.key")
            files = ("-queryfile", "query.tsq", "-out", "reply.tsr")
            where = ("-config", "openssl.cnf", "-section", "clock")
            _openssl(self.folder, "ts", "-reply", *where, *files, *signer)
            return (self.folder / "reply.tsr").read_bytes()

    def accepts(self, reply: bytes, data: bytes) -> bool:
        """Whether OpenSSL, which knows nothing of the product, finds that the reply holds."""
        (self.folder / "checked").write_bytes(data)
        (self.folder / "checked.tsr").write_bytes(reply)
        arguments = ("-data", "checked", "-in", "checked.tsr", "-CAfile", "root.pem")
        done = subprocess.run(
            ["openssl", "ts", "-verify", *arguments],
            cwd=self.folder,
            capture_output=True,
            check=False,
        )
        return done.returncode == 0 and b"Verification: OK" in done.stdout + done.stderr


def promise(calendar: str) -> bytes:
    """The end of a proof that a calendar answers with at first."""
    url = calendar.encode()
    payload = bytes([len(url)]) + url
    return b"\x00" + bytes.fromhex("83dfe30d2ef90c8e") + bytes([len(payload)]) + payload


def in_block(height: int) -> bytes:
    """The end of a proof that leads to a block; up to some two million."""
    number = b""
    while height >= 0x80:
        number += bytes([height & 0x7F | 0x80])
        height >>= 7
    number += bytes([height])
    return b"\x00" + bytes.fromhex("0588960d73d71901") + bytes([len(number)]) + number


class Clocks:
    """The two of them behind one port of this machine."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.url = ""
        self.digests: list[bytes] = []
        """What the calendar was given."""
        self.complete = False
        """Whether the calendar has a block for all of them."""
        self.spoilt = b""
        """What both answer instead, where it is not empty."""

    def answer(self, path: str, body: bytes) -> bytes | None:
        """What to answer with; None for 404."""
        if self.spoilt:
            return self.spoilt
        if path == "/tsr":
            return self.authority.reply(body)
        if path == "/digest":
            self.digests.append(body)
            return b"\xf0\x03end\x08" + promise(self.url)
        commitments = {hashlib.sha256(one + b"end").hexdigest() for one in self.digests}
        if path.removeprefix("/timestamp/") in commitments and self.complete:
            return b"\xf1\x05first\x08\x08" + in_block(840_000)
        return None


@contextmanager
def clocks(authority: Authority) -> Iterator[Clocks]:
    """Both of them, answering."""
    found = Clocks(authority)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = found.answer(self.path, body)
            self.send_response(404 if answer is None else 200)
            self.send_header("content-length", str(len(answer or b"")))
            self.end_headers()
            self.wfile.write(answer or b"")

        do_GET = do_POST = _answer  # noqa: N815 # the base's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base's name
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
