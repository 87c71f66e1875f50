"""What an exit is known by: its certificate, its password, and the lines for the monitor."""

import hashlib
import hmac
import secrets
import ssl
from pathlib import Path
from urllib.parse import quote

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from monitor.config.collector import server_context
from monitor.keys.self_signed import self_signed
from storage.values.private_file import write_private
from storage.values.steady_clock import utc_now

USER = "shutwatch"
CERTIFICATE, PASSWORD = "control.pem", "control-password"  # names of files
_BYTES = 24


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate with its key in one file, and the digest of the password."""

    certificate: Path
    pin: str
    """SHA-256 of the certificate, 64 hexadecimal digits."""
    digest: str
    """SHA-256 of the password, 64 hexadecimal digits."""

    def context(self) -> ssl.SSLContext:
        """For the listener. Raises OSError."""
        return server_context(str(self.certificate), str(self.certificate))

    def login(self, user: str, password: str) -> bool:
        """Whether these are right."""
        return user == USER and hmac.compare_digest(_digest(password), self.digest)


def identity(folder: Path, *, new_password: bool = False) -> tuple[Identity, str]:
    """The identity kept in a folder, made where there is none; and the password where it is new,
    else "": of an old one the digest alone is kept. Raises OSError or ValueError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate, kept = folder / CERTIFICATE, folder / PASSWORD
    if not certificate.exists():
        write_private(certificate, self_signed(utc_now()))
    shown = x509.load_pem_x509_certificate(certificate.read_bytes())
    password = ""
    if new_password or not kept.exists():
        password = secrets.token_urlsafe(_BYTES)
        write_private(kept, f"{_digest(password)}\n".encode())
    made = Identity(
        certificate=certificate,
        pin=shown.fingerprint(SHA256()).hex(),
        digest=kept.read_text("ascii").strip(),
    )
    return made, password


def way_out(made: Identity, password: str, address: str, port: int) -> str:
    """The `egress` by which a monitor reaches this control."""
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return f"socks5+tls://{USER}:{quote(password, safe='')}@{where}#{made.pin}"


def lines(egress: str, country: str) -> str:
    """For the monitor's configuration."""
    return (
        f'[[vantage]]\nid = "control-{country.lower()}"\ncountry = "{country}"\n'
        f'role = "control"\negress = "{egress}"\n'
    )


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
