"""What a report says about the signatures of the vantages that measured."""

from collections.abc import Iterator

from monitor.report.batches import MOST_PACKED, Signed
from monitor.wording.words import Words


def how_much_is_signed(words: Words, signed: Signed) -> str:
    """How many enclosed measurements their vantages signed; a paragraph, empty for none."""
    if not signed.compared:
        return ""
    whole = _measurements(words, signed.compared)
    if not signed.batches:
        return words.gettext(
            "Signed by a key of the vantage: none of %(whole)s. Only agents sign.",
            whole=whole,
        )
    found = words.gettext(
        "Of %(whole)s, %(signed)s are in this report exactly as they were signed, in %(batches)s, "
        "with the keys that this installation enrolled for %(vantages)s. Whose keys these are, the "
        "report does not prove.",
        whole=whole,
        signed=words.number(signed.signed),
        batches=_batches(words, signed.batches),
        vantages=_vantages(words, signed.vantages),
    )
    return " ".join([found, *_not_enclosed(words, signed), _where(words, signed)])


def signature_limits(words: Words, signed: Signed) -> Iterator[str]:
    """What the signatures do not show, and how many are not valid; sentences."""
    if signed.differing:
        yield words.ngettext(
            "%(n)s enclosed measurement came in a batch of an agent that does not contain what is "
            "stored: somebody changed the database. Conclude nothing from it.",
            "%(n)s enclosed measurements came in batches of agents that do not contain what is "
            "stored: somebody changed the database. Conclude nothing from them.",
            signed.differing,
        )
    if signed.broken:
        yield words.ngettext(
            "%(n)s batch of an agent could not be checked, or its signature does not hold: its "
            "measurements count as not signed.",
            "%(n)s batches of agents could not be checked, or their signatures do not hold: their "
            "measurements count as not signed.",
            signed.broken,
        )
    marks = _marks(words, signed)
    if signed.enclosed and marks:
        yield words.gettext(
            "Whether a vantage told the truth: a signature shows which key signed it. Of the "
            "enclosed batches: %(marks)s.",
            marks=words.joined(marks),
        )


def _measurements(words: Words, number: int) -> str:
    return words.ngettext("%(n)s measurement", "%(n)s measurements", number)


def _batches(words: Words, number: int) -> str:
    return words.ngettext("%(n)s batch", "%(n)s batches", number)


def _vantages(words: Words, number: int) -> str:
    return words.ngettext("%(n)s vantage", "%(n)s vantages", number)


def _marks(words: Words, signed: Signed) -> list[str]:
    found = []
    if signed.revoked:
        found.append(
            words.gettext("%(n)s by a key that was revoked later", n=words.number(signed.revoked))
        )
    if signed.quarantined:
        found.append(
            words.gettext("%(n)s by a vantage in quarantine", n=words.number(signed.quarantined))
        )
    return found


def _not_enclosed(words: Words, signed: Signed) -> Iterator[str]:
    if signed.not_enclosed:
        yield words.ngettext(
            "%(n)s more batch is not enclosed: a report holds at most %(limit)s MiB of them.",
            "%(n)s more batches are not enclosed: a report holds at most %(limit)s MiB of them.",
            signed.not_enclosed,
            limit=words.number(MOST_PACKED >> 20),
        )
    if signed.not_compared:
        yield words.ngettext(
            "%(n)s later measurement was not checked for this.",
            "%(n)s later measurements were not checked for this.",
            signed.not_compared,
        )


def _where(words: Words, signed: Signed) -> str:
    if signed.enclosed:
        return words.gettext(
            "These batches are enclosed as they were sent, with the public keys: “shutwatch "
            "verify” checks their signatures, and compares the measurements with them."
        )
    return words.gettext(
        "The batches themselves are not enclosed, because each names its vantage and holds what it "
        "measured of everything else."
    )
