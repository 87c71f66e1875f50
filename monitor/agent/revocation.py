"""What an agent does when its operator revoked its key: it ends, and does not begin again.

Nobody judges what it measures any more, so every packet would be a risk without a use. The news
holds for one key: with a new one, which is enrolled anew, the agent works again.
"""

from typing import TYPE_CHECKING

from monitor.agent.paths import AgentFiles
from monitor.logs import logger

if TYPE_CHECKING:  # commands that show the state load this module, and connect to nobody
    from monitor.agent.collector_client import CollectorClient

log = logger(__name__)


class RevokedKeyError(Exception):
    """The agent's key was revoked; the message says what its host can do."""

    def __init__(self) -> None:
        super().__init__(
            "the operator revoked this agent's key, so it measures and sends nothing any more: "
            "`shutwatch agent wipe` deletes what is left; after that `shutwatch agent join` "
            "makes this machine a vantage again, by a new invitation"
        )


def is_revoked(files: AgentFiles, fingerprint: str) -> bool:
    """Whether the key of this fingerprint is known to be revoked."""
    try:
        return files.revoked.read_text().strip() == fingerprint
    except FileNotFoundError:
        return False


async def end_when_revoked(client: "CollectorClient", files: AgentFiles, fingerprint: str) -> None:
    """Wait until a collector says that the key was revoked, note it for the next start, and raise
    RevokedKeyError."""
    await client.revoked.wait()
    log.error("the operator revoked this agent's key, it ends for good")
    try:
        files.revoked.touch(mode=0o600)
        files.revoked.write_text(f"{fingerprint}\n")
    except OSError as error:
        # The next process hears it again, with its first request.
        log.warning("that it was revoked could not be noted", reason=error.strerror)
    raise RevokedKeyError
