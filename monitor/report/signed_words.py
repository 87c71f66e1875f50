"""How much of a report is signed by the vantages themselves, in words."""

from monitor.report.batches import MOST_PACKED, Signed
from monitor.report.words import joined, plural


def enclosed_words(signed: Signed) -> str:
    """Of the enclosed measurements, how many the vantage that made them signed; a paragraph."""
    if not signed.looks:
        return ""
    whole = plural(signed.looks, "enclosed measurement")
    if not signed.batches:
        return f"Of {whole} none is signed by the vantage that made it: only agents sign."
    found = (
        f"Of {whole}, {signed.signed:,} stand here exactly as the vantage which made them signed "
        f"them with a key of its own, in {plural(signed.batches, 'batch')} by "
        f"{plural(signed.vantages, 'vantage')}."
    )
    return " ".join([found, *_left_out(signed), _where(signed)])


def limit_words(signed: Signed) -> list[str]:
    """What signatures do not show, and those that do not hold; sentences."""
    found = []
    if signed.differing:
        found.append(
            f"{plural(signed.differing, 'enclosed measurement')} came in a batch of an agent "
            "that does not hold what is stored: somebody changed the database, and "
            "nothing should be concluded from that."
        )
    if signed.broken:
        found.append(
            f"{plural(signed.broken, 'batch')} of agents could not be checked, or their signature "
            "does not hold: what came in them counts as not signed."
        )
    marks = _marks(signed)
    if signed.enclosed and marks:
        found.append(
            "Whether a vantage told the truth: a signature shows who said it. Of the enclosed "
            f"batches {joined(marks)}."
        )
    return found


def checked(signed: Signed) -> str:
    """What `verify` found; a line."""
    left = signed.looks - signed.signed
    marks = _marks(signed)
    return (
        f"{signed.signed:,} of {plural(signed.looks, 'measurement')} {_is(signed.signed)} exactly "
        f"as the vantage that made them signed them, in {plural(signed.batches, 'batch')} by "
        f"{plural(signed.vantages, 'vantage')}"
        + (f" ({joined(marks)})" if marks else "")
        + (f"; {plural(left, 'measurement')} {_is(left)} not signed by a vantage." if left else ".")
    )


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _marks(signed: Signed) -> list[str]:
    found = []
    if signed.revoked:
        found.append(f"{signed.revoked:,} by a key that was revoked since")
    if signed.quarantined:
        found.append(f"{signed.quarantined:,} by a vantage that is left out of events")
    return found


def _left_out(signed: Signed) -> list[str]:
    found = []
    if signed.left_out:
        found.append(
            f"{plural(signed.left_out, 'batch')} more {'was' if signed.left_out == 1 else 'were'} "
            f"left out: a report encloses {MOST_PACKED >> 20} MiB of them at most."
        )
    if signed.unlooked:
        found.append(f"Of {signed.unlooked:,} later ones it was not looked up.")
    return found


def _where(signed: Signed) -> str:
    if signed.enclosed:
        return (
            "These batches are enclosed as they were sent, with the public keys: “shutwatch "
            "verify” holds them against their signatures, and the measurements against them."
        )
    return (
        "The batches themselves are not enclosed, since each names its vantage and holds what it "
        "saw of everything else."
    )
