"""What `verify` says of a report whose every proof holds: three lines, each with what is proven and
what is not. The rest would be left to hope: a whole report of an unknown key proves little."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.keys.keys import grouped
from monitor.report.batches import Signed
from monitor.report.log_file import Continuation
from monitor.report.seals import Countersignature, Times
from monitor.report.verify import Verified
from monitor.wording.visible_text import visible


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier report, beside this one."""

    continuation: Continuation
    other_key: str
    """Fingerprint of the key that signed it; empty where it is the key of this one."""


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What the reader has from elsewhere."""

    maker: bool = False
    """Whether it is the maker's, by which the report is signed."""
    earlier: Earlier | None = None
    countersigners: frozenset[str] = frozenset()
    """Fingerprints, as are the next."""
    vantages: frozenset[str] = frozenset()


def proven(verified: Verified, named: Named) -> tuple[str, str, str]:
    """Integrity, whose key, since when."""
    return (
        f"Integrity: {_integrity(verified, named)}",
        f"Whose key: {_whose(verified, named)}",
        f"Since when: {_since(verified)}",
    )


def _integrity(verified: Verified, named: Named) -> str:
    files = len(verified.manifest.files)
    found = [f"proven. Every byte of its {files} files is as one key signed it."]
    if verified.signed is not None:
        found.append(_by_vantages(verified.signed))
    if verified.log is None:
        found.append("It has no append-only log.")
    else:
        size, heads = verified.log.file.size, len(verified.log.file.heads)
        found.append(
            f"Its maker's append-only log has {_n(size, 'entry', 'entries')} and continues "
            f"{_n(heads, 'earlier head')}."
        )
    if named.earlier is not None:
        found.append(_EARLIER[named.earlier.continuation])
        if named.earlier.other_key:
            found.append(f"Another key signed that report: {grouped(named.earlier.other_key)}.")
    return " ".join([*found, "Not proven: that what it says is true."])


_EARLIER: Mapping[Continuation, str] = {
    Continuation.CONTINUES: "That of the earlier report you named is one of them.",
    Continuation.SAME: "The earlier report you named has the same log.",
    Continuation.EMPTY: "Not proven: that it continues the log of the earlier report you named, "
    "which has no entry.",
}


def _by_vantages(signed: Signed) -> str:
    batches = _n(signed.batches, "batch", "batches")
    whole, keys = _n(signed.compared, "measurement"), _n(len(signed.fingerprints), "other key")
    found = [f"{signed.signed} of {whole} are as {keys} signed them, in {batches}."]
    found.append(f"{signed.logged} of {batches} are in its maker's append-only log.")
    if signed.revoked:
        found.append(f"{signed.revoked} by a key that was revoked later.")
    if signed.quarantined:
        found.append(f"{signed.quarantined} by a vantage in quarantine.")
    return " ".join(found)


def _whose(verified: Verified, named: Named) -> str:
    digits = grouped(verified.manifest.fingerprint)
    found = [
        f"proven. It is the one you named, {digits}."
        if named.maker
        else f"not proven. Anybody can make a key. Compare {digits} with the fingerprint that you "
        "have from elsewhere, or name that with --key."
    ]
    found += [_countersigned(one, named) for one in verified.seals.countersignatures]
    if verified.signed is not None and verified.signed.fingerprints:
        found.append(_vantages(verified.signed.fingerprints, named))
    return " ".join(found)


def _countersigned(one: Countersignature, named: Named) -> str:
    note = f", with the note “{visible(one.note)}”" if one.note else ""
    who = f"“{visible(one.name)}”"
    if one.fingerprint in named.countersigners:
        return f"Countersigned by {who}, whose key you named{note}."
    return (
        f"Countersigned by a key that nobody vouches for and that calls itself {who}: "
        f"{grouped(one.fingerprint)}{note}."
    )


def _vantages(fingerprints: Sequence[str], named: Named) -> str:
    known = sum(one in named.vantages for one in fingerprints)
    rest = len(fingerprints) - known
    vouched = f"You named {known} of the keys of vantages. " if known else ""
    whose = _n(rest, "key belongs to a vantage", "keys belong to vantages")
    only = f"That {whose}, only the maker says." if rest else ""
    return (vouched + only).strip()


def _since(verified: Verified) -> str:
    times = verified.seals.times
    found = [_existed(times) or f"not proven. {_only_said(times, verified.manifest.generated_at)}"]
    signed = verified.signed
    if signed is not None and signed.dated and signed.dated_by is not None:
        found.append(
            f"{signed.dated} of {_n(signed.batches, 'batch', 'batches')} were in the log by "
            f"{_utc(signed.dated_by)}, as a stamp of the log that you trust says."
        )
    return " ".join([*found, "Not proven: when it was measured; no clock but the maker's saw it."])


def _existed(times: Times) -> str:
    if times.trusted is None:
        return ""
    if times.block is None:
        return (
            f"proven. It existed by {_utc(times.trusted)}, says a time authority whose root you "
            "named."
        )
    return (
        f"proven. It existed by {_utc(times.trusted)}, within two hours, if {times.block.hash} is "
        f"block {times.block.height} of Bitcoin."
    )


def _only_said(times: Times, generated_at: str) -> str:
    found = [f"Its maker says {visible(generated_at)}."]
    if times.claimed is not None:
        found.append(
            f"A time authority says {_utc(times.claimed)}; whether to trust it, say with "
            "--time-root."
        )
    if times.heights:
        blocks = ", ".join(map(str, times.heights))
        found.append(
            f"A proof leads to block {blocks} of Bitcoin; give its header with --bitcoin-headers."
        )
    if times.pending:
        found.append(
            f"{_n(times.pending, 'proof')} of OpenTimestamps waits for a block: its holder can "
            "complete it with `shutwatch report stamp`."
        )
    return " ".join(found)


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _n(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"
