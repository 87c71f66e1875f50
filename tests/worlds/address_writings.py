"""Ways in which a page, a header, a name or a token can write an address.

`natural` are ways in which servers, templates and networks write addresses of readers as a matter
of course: those must not come through even where the vantage does not know its public address.
The others need somebody who hides the address on purpose: those must not come through once the
address is known, except the few in `BEYOND`.
"""

import base64
import hashlib
import ipaddress
import json
import zlib
from collections.abc import Callable, Sequence
from urllib.parse import quote

import msgspec

Writing = Callable[[str], str]


class Encoding(msgspec.Struct, frozen=True, kw_only=True):
    """One way to write an address."""

    name: str
    version: int
    """4 or 6."""
    natural: bool
    write: Writing


BEYOND = frozenset(
    {
        "v4 as words",
        "v4 backwards letter by letter",
        "v4 by another alphabet (rot 5)",
        "v4 base85",
        "v4 base32 in a longer text",
        "v4 base64 of two octets a character",
        "v4 base64 of what is packed",
        "v6 base85",
    }
)
"""Ways in which even a known address comes through: nobody writes them by accident."""

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def _packed(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def _octets(text: str) -> list[str]:
    return [str(octet) for octet in _packed(text)]


def _groups(text: str) -> list[str]:
    return ipaddress.ip_address(text).exploded.split(":")


def _short(text: str) -> list[str]:
    return [group.lstrip("0") or "0" for group in _groups(text)]


def _b64(data: str | bytes) -> str:
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


def _digits_from(zero: int) -> Writing:
    """Decimal digits of another script."""
    return lambda text: "".join(
        chr(zero + int(character)) if character.isdecimal() else character for character in text
    )


def _full_width(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) for character in text)


def _joined(separator: str) -> Writing:
    return lambda text: separator.join(_octets(text))


def _grouped(separator: str) -> Writing:
    return lambda text: separator.join(_groups(text))


def _dots(by: str) -> Writing:
    return lambda text: text.replace(".", by)


def _colons(by: str) -> Writing:
    return lambda text: text.replace(":", by)


def _each(form: str) -> Writing:
    """Every character by its code, in a form such as `&#{};`."""
    return lambda text: "".join(form.format(ord(character)) for character in text)


def _between(mark: str) -> Writing:
    """`mark` between every two characters."""
    return mark.join


def _mac(text: str) -> bytes:
    half = _packed(text)[8:]
    return bytes([half[0] ^ 2]) + half[1:3] + half[5:]


def _number(text: str) -> int:
    return int.from_bytes(_packed(text), "big")


_V4_NATURAL: dict[str, Writing] = {
    "plain": str,
    "with a port": lambda a: f"{a}:51812",
    "with a mask": lambda a: f"{a}/32",
    "in a sentence": lambda a: f"Your address {a}, is recorded.",
    "zero padded": lambda a: ".".join(octet.zfill(3) for octet in _octets(a)),
    "spaces around dots": _dots(" . "),
    "space after dots": _dots(". "),
    "percent": _each("%{:02x}"),
    "dots percent": _dots("%2E"),
    "percent twice": _dots("%252e"),
    "percent three times": _dots("%25252e"),
    "decimal entities": _each("&#{};"),
    "dots as entities without semicolon": _dots("&#46"),
    "every character an entity without semicolon": _each("&#x{:x}"),
    "hexadecimal entities": _each("&#x{:X};"),
    "hexadecimal dots without semicolon": _dots("&#x2e"),
    "zero padded entities": _each("&#{:07d};"),
    "named dots": _dots("&period;"),
    "entities escaped again": _dots("&amp;#46;"),
    "JavaScript escapes": _each("\\u{:04x}"),
    "short JavaScript escapes": _each("\\x{:02x}"),
    "braced JavaScript escapes": _each("\\u{{{:x}}}"),
    "escapes escaped again": _each("\\\\u{:04x}"),
    "quoted-printable dots": _dots("=2E"),
    "defanged": _dots("[.]"),
    "defanged round": _dots("(.)"),
    "defanged with spaces": _dots(" [.] "),
    "defanged in words": _dots("[dot]"),
    "defanged in round words": _dots("(dot)"),
    "dots in words": _dots(" dot "),
    "dashed name": lambda a: a.replace(".", "-") + ".dsl.isp.example",
    "underscored": _dots("_"),
    "dashed name after letters": lambda a: "host-" + a.replace(".", "-") + ".isp.example",
    "padded dashed name": lambda a: "-".join(o.zfill(3) for o in _octets(a)) + ".isp.example",
    "padded name without marks": lambda a: "".join(o.zfill(3) for o in _octets(a)) + ".isp.example",
    "reverse pointer": lambda a: ipaddress.ip_address(a).reverse_pointer,
    "reversed dashed name": lambda a: "-".join(_octets(a)[::-1]) + ".isp.example",
    "hexadecimal name": lambda a: _packed(a).hex() + ".dsl.isp.example",
    "hexadecimal name, capitals": lambda a: _packed(a).hex().upper() + ".dsl.isp.example",
    "hexadecimal name after letters": lambda a: "ip-" + _packed(a).hex() + ".dsl.isp.example",
    "hexadecimal name after 0x": lambda a: "0x" + _packed(a).hex() + ".dsl.isp.example",
    "decimal name": lambda a: f"{_number(a)}.dsl.isp.example",
    "decimal name after letters": lambda a: f"h{_number(a)}.dsl.isp.example",
    "a parameter in hexadecimal": lambda a: "/block?ip=" + _packed(a).hex(),
    "a parameter as a number": lambda a: f"/block?ip={_number(a)}&t=1",
    "a member as a number": lambda a: f'{{"client_ip": {_number(a)}}}',
    "Arabic-Indic digits": _digits_from(0x660),
    "Persian digits": _digits_from(0x6F0),
    "Devanagari digits": _digits_from(0x966),
    "Bengali digits": _digits_from(0x9E6),
    "Burmese digits": _digits_from(0x1040),
    "Thai digits": _digits_from(0xE50),
    "Khmer digits": _digits_from(0x17E0),
    "Persian digits as entities": lambda a: "".join(
        f"&#{0x6F0 + int(c)};" if c.isdecimal() else c for c in a
    ),
    "Persian digits as escapes": lambda a: "".join(
        f"\\u{0x6F0 + int(c):04x}" if c.isdecimal() else c for c in a
    ),
    "Persian digits percent": lambda a: quote(_digits_from(0x6F0)(a)),
    "Arabic digits and decimal marks": lambda a: _digits_from(0x660)(a).replace(".", "٫"),
    "full width": _full_width,
    "mathematical digits": _digits_from(0x1D7CE),
    "ideographic stops": _dots("。"),
    "middle dots": _dots("·"),
    "one-dot leaders": _dots("․"),
    "zero-width spaces": _between("\u200b"),
    "zero-width spaces at dots": _dots("\u200b.\u200b"),
    "zero-width joiners": _between("\u200d"),
    "word joiners": _between("\u2060"),
    "soft hyphens": _between("\u00ad"),
    "byte order marks": _between("\ufeff"),
    "direction marks": lambda a: "\u202a" + a.replace(".", "\u200e.\u200e") + "\u202c",
    "zero-width entities": _dots("&#8203;."),
    "named soft hyphens": _dots("&shy;."),
    "line break chances": _dots(".<wbr>"),
    "octets in tags": lambda a: ".".join(f"<b>{octet}</b>" for octet in _octets(a)),
    "octets in spans alone": lambda a: "".join(f"<span>{o}</span>" for o in _octets(a)),
    "octets in cells": lambda a: "".join(f"<td class='n'>{o}</td>\n" for o in _octets(a)),
    "digits in tags": lambda a: "".join(f"<i>{character}</i>" for character in a),
    "dots in tags": _dots("<span>.</span>"),
    "comments between": _dots("<!-- x -->.<!-- y -->"),
    "JSON array": lambda a: json.dumps([int(octet) for octet in _octets(a)]),
    "JSON array without spaces": lambda a: "[" + ",".join(_octets(a)) + "]",
    "JSON array of texts": lambda a: json.dumps(_octets(a)),
    "round array": lambda a: "(" + ", ".join(_octets(a)) + ")",
    "base64": _b64,
    "base64 in JSON": lambda a: _b64(f'{{"client":"{a}","t":1}}'),
    "base64 for URLs": lambda a: base64.urlsafe_b64encode(f"?ip={a}&>".encode()).decode(),
    "base64 without padding": lambda a: _b64(a).rstrip("="),
    "base64 twice": lambda a: _b64(_b64(a)),
    "base64 twice in JSON": lambda a: _b64(_b64(f'{{"ip":"{a}"}}')),
    "base64 in JSON in base64": lambda a: _b64(json.dumps({"data": _b64(a)})),
    "base64 of a dashed name": lambda a: _b64(a.replace(".", "-") + ".isp.example"),
    "mapped": lambda a: f"::ffff:{a}",
    "mapped in hexadecimal": lambda a: f"::ffff:{_packed(a)[:2].hex()}:{_packed(a)[2:].hex()}",
    "translated by NAT64": lambda a: f"64:ff9b::{_packed(a)[:2].hex()}:{_packed(a)[2:].hex()}",
    "characters in hexadecimal": lambda a: a.encode().hex(),
    "masked": lambda a: ".".join([*_octets(a)[:3], "xxx"]),
    "masked by a star": lambda a: ".".join([*_octets(a)[:3], "*"]),
    "base64 over lines": lambda a: base64.encodebytes(f"{'-' * 50}{a}{'-' * 50}".encode()).decode(),
    "octal escapes": lambda a: "".join(f"\\{ord(character):03o}" for character in a),
    "escapes of style sheets": lambda a: "".join(f"\\{ord(character):x} " for character in a),
}
_V4_HIDDEN: dict[str, Writing] = {
    "hexadecimal": lambda a: _packed(a).hex(),
    "hexadecimal number": lambda a: "0x" + _packed(a).hex(),
    "hexadecimal octets": lambda a: ".".join(hex(octet) for octet in _packed(a)),
    "hexadecimal with colons": lambda a: _packed(a).hex(":"),
    "members of an object": lambda a: json.dumps(
        dict(zip("abcd", map(int, _octets(a)), strict=True))
    ),
    "attributes": lambda a: " ".join(
        f'data-{n}="{o}"' for n, o in zip("abcd", _octets(a), strict=True)
    ),
    "fields of a form": lambda a: "".join(f'<input value="{octet}">' for octet in _octets(a)),
    "without marks": lambda a: "".join(_octets(a)),
    "characters in hexadecimal, apart": lambda a: a.encode().hex(" "),
    "base32 in a longer text": lambda a: base64.b32encode(f"ip={a}".encode()).decode(),
    "base64 of two octets a character": lambda a: _b64(a.encode("utf-16-le")),
    "base64 of what is packed": lambda a: _b64(zlib.compress(f"ip={a}".encode())),
    "hexadecimal with commas": lambda a: _packed(a).hex(","),
    "hexadecimal escapes of octets": lambda a: "".join(f"\\\\x{o:02x}" for o in _packed(a)),
    "hexadecimal from the other end": lambda a: _packed(a)[::-1].hex(),
    "a number": lambda a: str(_number(a)),
    "a number from the other end": lambda a: str(int.from_bytes(_packed(a), "little")),
    "a negative number": lambda a: str(_number(a) - 2**32),
    "octal octets": lambda a: ".".join(f"0{octet:o}" for octet in _packed(a)),
    "binary octets": lambda a: ".".join(f"{octet:08b}" for octet in _packed(a)),
    "binary": lambda a: "".join(f"{octet:08b}" for octet in _packed(a)),
    "two parts": lambda a: f"{_packed(a)[0]}.{int.from_bytes(_packed(a)[1:], 'big')}",
    "three parts": lambda a: ".".join(
        (*_octets(a)[:2], str(int.from_bytes(_packed(a)[2:], "big")))
    ),
    "commas": _joined(", "),
    "slashes": _joined("/"),
    "bars": _joined(" | "),
    "spaces": _joined(" "),
    "lines": _joined("\n"),
    "stars": _joined("*"),
    "padded without marks": lambda a: "".join(octet.zfill(3) for octet in _octets(a)),
    "base64 of the number": lambda a: _b64(_packed(a)),
    "base64 of the number twice": lambda a: _b64(_b64(_packed(a))),
    "base32": lambda a: base64.b32encode(a.encode()).decode(),
    "MD5": lambda a: hashlib.md5(a.encode(), usedforsecurity=False).hexdigest(),
    "SHA-1": lambda a: hashlib.sha1(a.encode(), usedforsecurity=False).hexdigest(),
    "SHA-256": lambda a: hashlib.sha256(a.encode()).hexdigest(),
    "as words": lambda a: " ".join(_WORDS[int(c)] if c.isdecimal() else "dot" for c in a),
    "backwards letter by letter": lambda a: a[::-1],
    "by another alphabet (rot 5)": lambda a: "".join(
        str((int(c) + 5) % 10) if c.isdecimal() else "," for c in a
    ),
    "base85": lambda a: base64.b85encode(a.encode()).decode(),
    "in two sentences": lambda a: "It begins {}.{} and ends {}.{}".format(*_octets(a)),
}
_V6_NATURAL: dict[str, Writing] = {
    "plain": str,
    "capitals": str.upper,
    "in full": lambda a: ":".join(_groups(a)),
    "without gaps": lambda a: ":".join(_short(a)),
    "in brackets with a port": lambda a: f"[{a}]:443",
    "with a zone": lambda a: f"{a}%eth0",
    "with a prefix length": lambda a: f"{a}/64",
    "colons percent": lambda a: quote(a, safe=""),
    "percent": _each("%{:02x}"),
    "percent twice": _colons("%253a"),
    "decimal entities": _each("&#{};"),
    "colons as entities without semicolon": _colons("&#58"),
    "hexadecimal entities": _each("&#x{:X};"),
    "named colons": _colons("&colon;"),
    "entities escaped again": _colons("&amp;#58;"),
    "JavaScript escapes": _each("\\u{:04x}"),
    "short JavaScript escapes": _each("\\x{:02x}"),
    "defanged": _colons("[:]"),
    "full width": _full_width,
    "full-width colons": _colons("："),
    "zero-width spaces": _between("\u200b"),
    "soft hyphens": _between("\u00ad"),
    "zero-width entities": _colons("&#8203;:"),
    "line break chances": _colons(":<wbr>"),
    "groups in tags": lambda a: ":".join(f"<b>{group}</b>" for group in _groups(a)),
    "letters in tags": lambda a: "".join(f"<i>{character}</i>" for character in a),
    "dashed name in full": lambda a: "-".join(_groups(a)) + ".isp.example",
    "dashed name": lambda a: a.replace(":", "-") + ".isp.example",
    "dashed name without gaps": lambda a: "-".join(_short(a)) + ".isp.example",
    "literal name": lambda a: a.replace(":", "-") + ".ipv6-literal.net",
    "underscored": lambda a: "_".join(_groups(a)),
    "reverse pointer": lambda a: ipaddress.ip_address(a).reverse_pointer,
    "nibbles": lambda a: ".".join("".join(_groups(a))),
    "hexadecimal name": lambda a: "".join(_groups(a)) + ".v6.isp.example",
    "a parameter in hexadecimal": lambda a: "/block?client_ip=" + "".join(_groups(a)),
    "base64": _b64,
    "base64 in JSON": lambda a: _b64(f'{{"client":"{a}","t":1}}'),
    "base64 twice": lambda a: _b64(_b64(a)),
    "base64 twice in JSON": lambda a: _b64(_b64(f'{{"ip":"{a}"}}')),
    "JSON array of octets": lambda a: json.dumps([int(octet) for octet in _octets(a)]),
    "half with the mark of a MAC": lambda a: ":".join(_short(a)[4:]),
    "half with the mark of a MAC, in full": lambda a: ":".join(_groups(a)[4:]),
    "link-local with the same half": lambda a: "fe80::" + ":".join(_short(a)[4:]),
}
_V6_HIDDEN: dict[str, Writing] = {
    "hexadecimal": lambda a: "".join(_groups(a)),
    "a number": lambda a: str(_number(a)),
    "hexadecimal with colons": lambda a: _packed(a).hex(":"),
    "characters in hexadecimal": lambda a: a.encode().hex(),
    "base64 of the number": lambda a: _b64(_packed(a)),
    "base64 of the number twice": lambda a: _b64(_b64(_packed(a))),
    "JSON array of groups": lambda a: json.dumps(_groups(a)),
    "groups with commas": _grouped(", "),
    "MAC with colons": lambda a: _mac(a).hex(":"),
    "MAC with dashes": lambda a: _mac(a).hex("-").upper(),
    "MAC with dots": lambda a: _mac(a).hex(".", 2),
    "MAC": lambda a: _mac(a).hex(),
    "half in hexadecimal": lambda a: _packed(a)[8:].hex(),
    "half with dashes": lambda a: "-".join(_groups(a)[4:]),
    "network": lambda a: ":".join(_short(a)[:4]) + "::/64",
    "network with dashes": lambda a: "-".join(_groups(a)[:4]),
    "MD5": lambda a: hashlib.md5(a.encode(), usedforsecurity=False).hexdigest(),
    "SHA-256": lambda a: hashlib.sha256(a.encode()).hexdigest(),
    "backwards letter by letter": lambda a: a[::-1],
    "base85": lambda a: base64.b85encode(a.encode()).decode(),
}


def _all() -> Sequence[Encoding]:
    kinds = (
        (4, True, _V4_NATURAL),
        (4, False, _V4_HIDDEN),
        (6, True, _V6_NATURAL),
        (6, False, _V6_HIDDEN),
    )
    return [
        Encoding(name=f"v{version} {name}", version=version, natural=natural, write=write)
        for version, natural, writings in kinds
        for name, write in writings.items()
    ]


ENCODINGS = tuple(_all())
