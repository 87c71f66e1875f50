"""Ed25519 keys in files, made when first needed, and signatures by them.

An installation has two keys: one proves that two reports come from the same installation and are
unchanged, the other proves the same of answers to agents. An agent's key proves it of its batches.
A key does not tell who owns it: for that people exchange its fingerprint over another channel.
"""

import base64
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from storage import url as database_url

# Most commands load this module with the settings, and use no key: what does imports cryptography.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_NAME = "shutwatch-signing.pem"
"""Of the key that signs reports."""
ORDERS_KEY_NAME = "shutwatch-orders.pem"
"""Of the key that signs answers to agents."""
_HEX = frozenset("0123456789abcdef")
_DIGITS = 64


class KeyFileError(Exception):
    """The key cannot be used; the message names the file and the remedy."""


def key_path(setting: str, source: str, database: str, name: str = KEY_NAME) -> Path:
    """Path of the key of that name: the setting, relative to the folder of the configuration file
    (`source`).

    Without the setting it is next to the database, or in the current folder when the database is
    not a file.
    """
    if setting:
        return Path(source).parent / setting
    file = database_url.file_of(database)
    return Path(file).parent / name if file else Path(name)


class _NoKeyFileError(KeyFileError):
    """There is no file of that name."""


def load_or_make(path: Path) -> "Ed25519PrivateKey":
    """The key at `path`, made with mode 0600 when there is none. Raises KeyFileError."""
    try:
        return load(path)
    except _NoKeyFileError:
        return _make(path)


def load(path: Path) -> "Ed25519PrivateKey":
    """The key at `path`. Raises KeyFileError, also when there is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found = path.stat().st_mode
        if stat.S_ISREG(found) and found & 0o077:
            raise KeyFileError(f"{path} can be read by other users: chmod 600")
        key = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError as error:
        raise _NoKeyFileError(f"{path} does not exist") from error
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror or error}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path} holds no readable key; move it away") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path} holds another kind of key than Ed25519; move it away")
    return key


def _make(path: Path) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from storage.values.private_file import give_to_owner

    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        # The file has its mode from the start, so nobody else can open it.
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            give_to_owner(out.fileno(), path.parent)
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        try:
            # Unlike a rename, a link never replaces a key that another process made meanwhile.
            os.link(partial, path)
        except FileExistsError:
            return load(path)
        finally:
            partial.unlink()
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror or error}") from error
    return key


def public_text(key: "Ed25519PrivateKey") -> str:
    """The public key, base64 of its 32 bytes."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def is_public(text: str) -> bool:
    """Whether it is a public key as `public_text` writes it."""
    try:
        _raw(text)
    except ValueError:
        return False
    return True


def fingerprint(public: str) -> str:
    """64 hexadecimal digits: the SHA-256 of a public key as `public_text` writes it.

    Raises ValueError for any other text.
    """
    return hashlib.sha256(_raw(public)).hexdigest()


def grouped(digits: str) -> str:
    """A fingerprint in groups of four digits, as people read it out."""
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def is_fingerprint(text: str) -> bool:
    """Whether it is a fingerprint as `fingerprint` writes it."""
    return len(text) == _DIGITS and _HEX.issuperset(text)


def same_fingerprint(written: str, digits: str) -> bool:
    """Whether a person wrote that fingerprint; spaces and colons do not matter.

    Raises ValueError for less than a whole fingerprint, since a part proves nothing.
    """
    bare = "".join(written.replace(":", "").split()).lower()
    if not is_fingerprint(bare):
        raise ValueError(f"a fingerprint has {_DIGITS} hexadecimal digits")
    return bare == digits


def sign(key: "Ed25519PrivateKey", purpose: bytes, message: bytes) -> str:
    """The signature of a message, base64; valid for that `purpose` only."""
    return base64.b64encode(key.sign(purpose + message)).decode()


def signed_by(public: str, signature: str, purpose: bytes, message: bytes) -> bool:
    """Whether that key signed the message for that purpose.

    Only the canonical base64 of a signature counts, so a batch has one valid signature text.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        raw = base64.b64decode(signature, validate=True)
        if base64.b64encode(raw).decode() != signature:
            return False
        Ed25519PublicKey.from_public_bytes(_raw(public)).verify(raw, purpose + message)
    except (ValueError, InvalidSignature):
        return False
    return True


def _raw(public: str) -> bytes:
    raw = base64.b64decode(public, validate=True)
    if len(raw) != 32 or base64.b64encode(raw).decode() != public:
        raise ValueError("not a public key")
    return raw
