"""How many segments an SMS takes: GSM 03.38 where every character is in it, else UCS-2 (3GPP TS 23.038)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
"""Each is two septets: an escape, and itself."""


class Encoding(StrEnum):
    """How the characters of an SMS travel."""

    GSM_7 = "GSM-7"  # seven bits a character
    UCS_2 = "UCS-2"  # sixteen bits a UTF-16 unit


ALONE = {Encoding.GSM_7: 160, Encoding.UCS_2: 70}
IN_PARTS = {Encoding.GSM_7: 153, Encoding.UCS_2: 67}
"""Units in one segment of several: a header tells which it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """How a text travels. `units` are septets, or UTF-16 units."""

    encoding: Encoding
    units: int
    count: int
    not_gsm: tuple[str, ...] = ()


def segments(text: str) -> Segments:
    """Count the segments; `not_gsm` names the first characters that make it UCS-2.

    No escape sequence and no pair of surrogates is torn apart, so a segment may have a unit to spare.
    """
    foreign = tuple(dict.fromkeys(one for one in text if one not in GSM_BASIC and one not in GSM_EXTENSION))
    encoding = Encoding.UCS_2 if foreign else Encoding.GSM_7
    widths = [_width(one, encoding) for one in text]
    units = sum(widths)
    count = 1 if units <= ALONE[encoding] else _packed(widths, IN_PARTS[encoding])
    return Segments(encoding=encoding, units=units, count=count if text else 0, not_gsm=foreign[:10])


def _width(character: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM_7:
        return 2 if character in GSM_EXTENSION else 1
    return 2 if ord(character) > 0xFFFF else 1


def _packed(widths: list[int], room: int) -> int:
    count, left = 1, room
    for width in widths:
        if width > left:
            count, left = count + 1, room
        left -= width
    return count
