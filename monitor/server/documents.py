"""The documents at `/docs`: the files of the site that `make docs` builds into `site/` here.

Packages hold the site, a checkout has it once it is built. The files' names are read once, at the
first request, so no request can name a file outside. docs/adr/0057 has the reasons.
"""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec
from starlette.responses import FileResponse, Response

FOLDER = Path(str(files(__package__) / "site"))
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The built documents."""

    files: dict[str, Path]
    """By path below `/docs/`; a folder's own page is its `index.html`."""
    policy: str
    """Content-Security-Policy: the site's own files, the scripts written in its pages, and styles,
    since the search makes its own."""

    def document(self, path: str) -> Response | None:
        """The file at `/docs/` and `path`; None when there is none."""
        found = self.files.get(f"{path}index.html" if path[-1:] in ("", "/") else path)
        if found is None:
            return None
        return FileResponse(found, headers={"Content-Security-Policy": self.policy})


@cache
def built_site(folder: Path) -> Site:
    """Read what is built in a folder; without one there is no file. Needs a thread."""
    found = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    scripts = {
        script
        for path in found.values()
        if path.suffix == ".html"
        for script in _SCRIPT.findall(path.read_bytes())
    }
    digests = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in scripts)
    allowed = " ".join(sorted(f"'sha256-{digest}'" for digest in digests))
    policy = (
        "default-src 'none'; "
        f"script-src 'self' {allowed}; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
        "worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    return Site(files=found, policy=policy)
