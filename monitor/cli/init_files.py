"""The files that `shutwatch init` writes: all of them or none, and what was there stays until then.

Each is written under another name first. All are loaded from there, and then take their places. A
symlink stays, and what it leads to is replaced.
"""

import os
import re
from collections import ChainMap
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec
import typer

from monitor.cli.exits import BAD_USAGE, bad_usage, exit_on
from monitor.config.load import load_config
from monitor.config.settings import Settings
from monitor.config.toml_problem import ConfigError
from monitor.keys.passwords import new_user
from monitor.setup.answers import Answers, config_text
from storage.values.private_file import PRIVATE
from storage.values.steady_clock import utc_now

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_PARTIAL = ".partial"
_FIRST = re.compile(r'"' + _VARIABLE.pattern)
"""What begins with a variable."""
_USERS, _CERTIFICATE = "-users.txt", "-collector.pem"


def check_name(path: Path, *, force: bool) -> None:
    """Exit where that file cannot be written, or must not."""
    if not _is_text(str(path)):
        raise bad_usage(f"{path}: the name of the file is not UTF-8: name another")
    if path.is_dir():
        raise bad_usage(f"{path} is a folder: name a file")
    if path.exists() and not path.is_file():
        raise bad_usage(f"{path} is no regular file: name another")
    if path.exists() and not force:
        raise bad_usage(f"{path} exists already: name another, or add --force")


def write_example(path: Path, text: str) -> None:
    """Write a file that needs no loading. Raises OSError."""
    _put({path: text})


def written(path: Path, answers: Answers, name: str, password: str, *, force: bool) -> Settings:
    """Write the configuration, and the files of users and of the certificate that it names; load
    it. Exits where it cannot be loaded; raises OSError."""
    users, certificate = (path.with_name(path.stem + end) for end in (_USERS, _CERTIFICATE))
    texts: dict[Path, str] = {}
    # What an address is without its variables, Apprise cannot tell.
    whole = tuple(one for one in answers.messages if not missing_variables(one))
    tried = msgspec.structs.replace(answers, messages=whole)
    with ExitStack() as drafts:
        if name:
            with exit_on(ValueError, code=BAD_USAGE, prefix="give "):
                user = new_user(name, password)
            check_name(users, force=force)
            texts[users] = f"{user.line}\n"
            draft = _draft(users, texts[users], drafts)
            tried = msgspec.structs.replace(tried, users=draft.name)
            answers = msgspec.structs.replace(answers, users=users.name)
        if answers.agents_at is not None:
            from monitor.keys.self_signed import self_signed  # loads cryptography

            check_name(certificate, force=True)
            host, draft = answers.agents_at[0], certificate
            if not certificate.exists():
                texts[certificate] = self_signed(utc_now(), host).decode()
                draft = _draft(certificate, texts[certificate], drafts)
            _check_certificate(draft, host)
            tried = msgspec.structs.replace(tried, certificate=draft.name)
            answers = msgspec.structs.replace(answers, certificate=certificate.name)
        _load(_draft(path, config_text(tried), drafts), path)
    text = config_text(answers)
    _put({**texts, path: text})
    return load_config(path, _with_missing(text), asks_apprise=False)


def missing_variables(text: str) -> list[str]:
    """The environment variables that a configuration names and that are not set here."""
    names = dict.fromkeys(_VARIABLE.findall(text))
    return [one for one in names if one not in os.environ and f"{one}_FILE" not in os.environ]


def _put(texts: Mapping[Path, str]) -> None:
    """Write all files, or none. Raises OSError."""
    with ExitStack() as drafts:
        made = []
        for path, text in texts.items():
            place = Path(os.path.realpath(path)) if path.is_symlink() else path
            made.append((_draft(place, text, drafts), place))
        for draft, place in made:
            draft.replace(place)


def _draft(path: Path, text: str, drafts: ExitStack) -> Path:
    """The text in a file beside `path`, which is gone at the end unless it took its place. Its mode
    is 0600, since it may hold passwords."""
    if not _is_text(text):
        raise bad_usage("an answer is not UTF-8: set the terminal to UTF-8, and type it again")
    draft = path.with_name(f"{path.name}{_PARTIAL}")
    draft.unlink(missing_ok=True)
    drafts.callback(draft.unlink, missing_ok=True)
    try:
        with os.fdopen(os.open(draft, _NEW, PRIVATE), "wb") as out:
            out.write(text.encode())
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # as it was typed
    return draft


def _is_text(text: str) -> bool:
    """Whether it can be written: what is typed in another encoding cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _load(draft: Path, path: Path) -> None:
    """Exit where it cannot be loaded, with every reason."""
    try:
        load_config(draft, _with_missing(draft.read_text(encoding="utf-8")))
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(str(problem).replace(_PARTIAL, ""), err=True)
        raise bad_usage(f"{path} was not written: correct the answer above") from error


def _check_certificate(file: Path, host: str) -> None:
    """Exit where a certificate that was there before is another host's. It is never replaced:
    agents trust it."""
    from monitor.keys.self_signed import is_for

    with exit_on(ValueError, code=BAD_USAGE, prefix=f"{file}: "):
        if not is_for(file.read_bytes(), host):
            raise bad_usage(
                f"{file} is the certificate of another host than {host}: name that one, or move "
                "the file away and invite the agents again"
            )


def _with_missing(text: str) -> Mapping[str, str]:
    """The environment, with a value for each variable that is only set where shutwatch runs."""
    missing = missing_variables(text)
    begun = dict.fromkeys(set(missing).intersection(_FIRST.findall(text)), "missing://missing")
    return ChainMap(dict(os.environ), begun, dict.fromkeys(missing, "missing"))
