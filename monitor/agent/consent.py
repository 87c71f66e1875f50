"""What an agent's host allows a collector to order: endpoints that it accepted, one by one, and
catalogues signed by an offline key that the agent's file names.

What was accepted lies beside the spool, written by `shutwatch agent accept`; so does the newest
signing key and catalogue of each offline key, against older ones that are sent again.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from monitor.agent.ordered_catalog import Allowed
from monitor.agent.paths import AgentFiles
from monitor.config.settings import Settings
from monitor.keys.keys import fingerprint
from monitor.logs import logger
from monitor.wire.answers import AgentSettings
from monitor.wire.catalog_proof import Newest, fault_of, newest_of
from probes.catalog.catalog import Endpoint, Reference
from storage.values.private_file import write_private

T = TypeVar("T")

log = logger(__name__)


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What the host accepted."""

    endpoints: tuple[Endpoint, ...] = ()
    references: tuple[Reference, ...] = ()


class Consent:
    """The host's consent, read anew each time it is asked about."""

    def __init__(
        self, files: AgentFiles, catalog_keys: Collection[str], now: Callable[[], datetime]
    ) -> None:
        """`catalog_keys` are fingerprints of offline keys; `now` gives UTC, and of several clocks
        the one that is furthest ahead, so that nobody revives a key that has ended."""
        self._files = files
        self._trusted = catalog_keys
        self._now = now

    def allowed(self, new: AgentSettings) -> Allowed:
        """What these settings may add."""
        accepted = self.accepted()
        return Allowed(
            endpoints=frozenset(accepted.endpoints),
            references=frozenset(accepted.references),
            everything=new.catalog_proof is not None and not self.fault(new),
        )

    def fault(self, new: AgentSettings) -> str:
        """Why no trusted offline key stands behind the settings' catalogue, as a clause; empty when
        one does."""
        proof = new.catalog_proof
        if proof is None:
            return "it is not signed"
        newest = self._newest()
        before = newest.get(proof.signer.offline)
        return fault_of(proof, new.catalog, trusted=self._trusted, now=self._now(), newest=before)

    def remember(self, new: AgentSettings) -> None:
        """Take no older signing key or catalogue than these settings' from now on."""
        proof = new.catalog_proof
        if proof is None or self.fault(new):
            return
        newest = dict(self._newest())
        found = newest_of(proof, newest.get(proof.signer.offline))
        if newest.get(proof.signer.offline) == found:
            return
        newest[proof.signer.offline] = found
        try:
            write_private(self._files.signers, msgspec.json.encode(newest))
        except OSError as error:
            log.warning("the newest signing key was not kept", reason=error.strerror)

    def accepted(self) -> Accepted:
        """What the host accepted; nothing where that cannot be read."""
        return _read(self._files.accepted, Accepted) or Accepted()

    def accept(self, endpoints: Collection[Endpoint], references: Collection[Reference]) -> None:
        """Accept these too. Raises OSError."""
        before = self.accepted()
        together = Accepted(
            endpoints=tuple(dict.fromkeys((*before.endpoints, *endpoints))),
            references=tuple(dict.fromkeys((*before.references, *references))),
        )
        write_private(self._files.accepted, msgspec.json.encode(together))

    def forget(self) -> None:
        """Take back all that was accepted. Raises OSError."""
        self._files.accepted.unlink(missing_ok=True)

    def _newest(self) -> Mapping[str, Newest]:
        return _read(self._files.signers, dict[str, Newest]) or {}


def consent_of(settings: Settings, files: AgentFiles, now: Callable[[], datetime]) -> Consent:
    """What the host of an agent allows, by its settings and files."""
    setup = settings.agent
    assert setup is not None  # noqa: S101 # asked of agents alone
    return Consent(files, setup.catalog_keys, now)


def signer_of(new: AgentSettings) -> str:
    """Fingerprint of the offline key that a catalogue names; empty for none."""
    try:
        return "" if new.catalog_proof is None else fingerprint(new.catalog_proof.signer.offline)
    except ValueError:
        return ""


def _read(file: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        log.warning("what the host allows cannot be read", file=file.name, reason=str(error))
        return None
