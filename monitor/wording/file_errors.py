"""What the system says of a file that cannot be used, and what to do then."""

import errno

_REMEDIES = {
    errno.ENOENT: "check the name, and the folder you are in",
    errno.EISDIR: "name a file, not a folder",
    errno.ENOTDIR: "a part of that path is a file, not a folder",
    errno.EACCES: "name a place where this user may, or try as its owner",
    errno.EROFS: "name a place that can be written to",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EEXIST: "name a new one",
    errno.ENOSPC: "make room there, or name another disk",
    errno.EDQUOT: "make room there, or name another disk",
    errno.EFBIG: "name a place where files may be larger",
}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def file_error(error: OSError, name: object = None) -> str:
    """Name, reason and remedy; `name` where the error has none, or another than was typed."""
    named = name or error.filename
    why = error.strerror or str(error)
    return ": ".join(str(part) for part in (named, why, named and remedy(error)) if part)


def remedy(error: OSError) -> str:
    """What to do then; empty where nothing is known."""
    return _REMEDIES.get(error.errno or 0, "")


def is_full(error: OSError) -> bool:
    """Whether there is no room for what was being written."""
    return error.errno in _FULL


def is_misnamed(error: OSError) -> bool:
    """Whether another name, or another place, would do."""
    return bool(error.filename) and error.errno in _REMEDIES.keys() - _FULL
