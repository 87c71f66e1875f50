"""`${NAME}` in a configuration: secrets come from environment variables, or from files that they
name, as containers have them, and not from the configuration."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote

_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CREDENTIALS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(.*)@(.*)", re.DOTALL)


def expander(environ: Mapping[str, str]) -> Callable[[str], str]:
    """A function that replaces `${NAME}` in a text, and turns `$${` into a plain `${`.

    Without a variable NAME, the variable NAME_FILE names a file with one line, the value. A user
    name or a password in a URL is percent-encoded here, so the variable holds it as it is. The
    function raises ValueError that names what is missing and holds no value of the environment.
    """
    return partial(_expanded, environ)


def _expanded(environ: Mapping[str, str], text: str) -> str:
    if "${" not in text:
        return text
    url = _CREDENTIALS.fullmatch(text)
    if url is None:
        return _VARIABLE.sub(partial(_value, environ), text)
    scheme, credentials, rest = url.groups()
    encoded = _VARIABLE.sub(lambda found: quote(_value(environ, found), safe=""), credentials)
    return f"{scheme}{encoded}@{_VARIABLE.sub(partial(_value, environ), rest)}"


def _value(environ: Mapping[str, str], found: re.Match[str]) -> str:
    name = found[1]
    if name is None:
        return "${"
    if not _NAME.fullmatch(name) or not found[0].endswith("}"):
        raise ValueError(
            "${NAME} with a name of letters, digits and underscores; for a plain ${ write $${"
        )
    if name not in environ:
        if f"{name}_FILE" in environ:
            return _in_file(f"{name}_FILE", environ[f"{name}_FILE"])
        raise ValueError(
            f"set the environment variable {name} before shutwatch starts, "
            "or write $${ for a plain ${"
        )
    value = environ[name]
    if not value.isprintable():  # bytes that are not text come as lone surrogates
        raise ValueError(f"the environment variable {name} must hold text on one line")
    return value


def _in_file(variable: str, file: str) -> str:
    try:
        value = Path(file).read_text("utf-8-sig").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"the file that {variable} names cannot be read: {reason}") from None
    if not value.isprintable() or not value:
        raise ValueError(f"the file that {variable} names must hold text on one line")
    return value
