"""Password hashes, and the files of users and tokens that may sign in.

Only the scrypt hash (RFC 7914) of a password and a random salt is stored. A token is long and
random, so its plain SHA-256 digest, the only form kept in memory, does not reveal it.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator

import msgspec

LOG2_N, R, P = 15, 8, 3
"""Cost of a new hash: 32 MiB of memory and about 0.1 s."""
_MOST_LOG2_N, _MOST_R, _MOST_P = 17, 16, 16
"""Highest cost that a file may set, so that no line of it exhausts a small machine."""
_SALT, _KEY = 16, 32
SHORTEST_PASSWORD = 10
"""Characters."""
SHORTEST_TOKEN = 32
"""Characters; a random token this long cannot be guessed, so it needs no slow hash."""

_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_LINE = re.compile(
    r"(?P<name>[^:\s]+):scrypt:(?P<n>\d{1,2}):(?P<r>\d{1,2}):(?P<p>\d{1,2})"
    r":(?P<salt>[A-Za-z0-9+/=]+):(?P<key>[A-Za-z0-9+/=]+)"
)


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user who may sign in: one line of the file."""

    name: str
    log2_n: int
    r: int
    p: int
    salt: str
    """Base64."""
    key: str
    """Base64 of scrypt's hash."""

    def __repr__(self) -> str:
        return f"User(name={self.name!r})"

    @property
    def line(self) -> str:
        """The line in the file."""
        return f"{self.name}:scrypt:{self.log2_n}:{self.r}:{self.p}:{self.salt}:{self.key}"

    def knows(self, password: str) -> bool:
        """Whether this is the password. Takes 0.1 s on purpose."""
        made = _scrypt(password, base64.b64decode(self.salt), self.log2_n, self.r, self.p)
        return hmac.compare_digest(made, base64.b64decode(self.key))


NOBODY = User(
    name="",
    log2_n=LOG2_N,
    r=R,
    p=P,
    salt=base64.b64encode(bytes(_SALT)).decode(),
    key=base64.b64encode(bytes(_KEY)).decode(),
)
"""Checks the password of an unknown name, so that the answer takes as long as for a known one."""


def new_user(name: str, password: str, *, log2_n: int = LOG2_N) -> User:
    """A new user; `log2_n` is the cost. Raises ValueError that says what would be right."""
    if not _NAME.fullmatch(name):
        raise ValueError("a name of up to 64 letters, digits, dots, dashes, underscores and @")
    if len(password) < SHORTEST_PASSWORD:
        raise ValueError(f"a password of at least {SHORTEST_PASSWORD} characters")
    salt = secrets.token_bytes(_SALT)
    return User(
        name=name,
        log2_n=log2_n,
        r=R,
        p=P,
        salt=base64.b64encode(salt).decode(),
        key=base64.b64encode(_scrypt(password, salt, log2_n, R, P)).decode(),
    )


def digest(token: str) -> str:
    """SHA-256 of a token, hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def read_users(text: str) -> tuple[User, ...]:
    """The users of a file. Raises ValueError with the number of a bad line, never its text."""
    users: dict[str, User] = {}
    for number, line in _lines(text):
        user = _user(line)
        if user is None:
            raise ValueError(f"line {number} as `shutwatch password NAME` writes it")
        if user.name in users:
            raise ValueError(f"one line for each name, but line {number} repeats one")
        users[user.name] = user
    return tuple(users.values())


def read_tokens(text: str) -> tuple[str, ...]:
    """The digests of a file's tokens. Raises ValueError with the number of a bad line only."""
    found: dict[str, None] = {}
    for number, line in _lines(text):
        if len(line) < SHORTEST_TOKEN or not line.isascii() or not line.isprintable():
            raise ValueError(
                f"line {number} to be a token of {SHORTEST_TOKEN} characters or more, such as "
                "`openssl rand -hex 32` makes"
            )
        found[digest(line)] = None
    return tuple(found)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are neither empty nor comments, with their numbers."""
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.strip()
        if entry and not entry.startswith("#"):
            yield number, entry


def _user(line: str) -> User | None:
    found = _LINE.fullmatch(line)
    if found is None or not _NAME.fullmatch(found["name"]):
        return None
    log2_n, r, p = int(found["n"]), int(found["r"]), int(found["p"])
    if not (10 <= log2_n <= _MOST_LOG2_N and 1 <= r <= _MOST_R and 1 <= p <= _MOST_P):
        return None
    try:
        salt = base64.b64decode(found["salt"], validate=True)
        key = base64.b64decode(found["key"], validate=True)
    except binascii.Error:
        return None
    if len(salt) < _SALT or len(key) != _KEY:
        return None
    return User(name=found["name"], log2_n=log2_n, r=r, p=p, salt=found["salt"], key=found["key"])


def _scrypt(password: str, salt: bytes, log2_n: int, r: int, p: int) -> bytes:
    n = 1 << log2_n
    return hashlib.scrypt(
        password.encode("utf-8", "surrogateescape"),
        salt=salt,
        n=n,
        r=r,
        p=p,
        # The memory that OpenSSL computes for this cost, and a margin.
        maxmem=128 * r * (n + p + 2) + 1024 * 1024,
        dklen=_KEY,
    )
