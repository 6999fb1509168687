"""How many segments an SMS takes."""

from __future__ import annotations

import pytest

from shared.sms import GSM_BASIC, GSM_EXTENSION, Encoding, segments

GSM, UCS = Encoding.GSM_7, Encoding.UCS_2


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", GSM, 0, 0),
        ("a" * 160, GSM, 160, 1),
        ("a" * 161, GSM, 161, 2),
        ("a" * 306, GSM, 306, 2),
        ("a" * 307, GSM, 307, 3),
        ("€" * 80, GSM, 160, 1),
        ("€" * 81, GSM, 162, 2),
        ("a" * 152 + "€" + "a" * 153, GSM, 307, 3),  # the escape sequence is not torn apart: a septet is lost
        ("a" * 151 + "€" + "a" * 153, GSM, 306, 2),
        ("äöüßÄÖÜñàé", GSM, 10, 1),
        ("{}[]|\\^~", GSM, 16, 1),
        ("one\ntwo\r\n", GSM, 9, 1),
        ("ф" * 70, UCS, 70, 1),
        ("ф" * 71, UCS, 71, 2),
        ("ф" * 134, UCS, 134, 2),
        ("ф" * 135, UCS, 135, 3),
        ("😀" * 35, UCS, 70, 1),
        ("😀" * 36, UCS, 72, 2),
        ("😀" * 67, UCS, 134, 3),  # 33 pairs to a segment: the 67th unit stays empty
        ("a" * 69 + "ş", UCS, 70, 1),
        ("a" * 160 + "ç", UCS, 161, 3),  # the small cedilla is not in the alphabet, the capital is
        ("Ç", GSM, 1, 1),
        ("`", UCS, 1, 1),
        ("“quoted”", UCS, 8, 1),
    ],
)
def test_a_text_takes_as_many_segments_as_its_characters_need(
    text: str, encoding: Encoding, units: int, count: int
) -> None:
    found = segments(text)

    assert (found.encoding, found.units, found.count) == (encoding, units, count)


def test_the_alphabet_has_all_of_its_places() -> None:
    assert (len(GSM_BASIC), len(GSM_EXTENSION)) == (127, 10)  # the 128th is the escape to the extension
    assert not GSM_BASIC & GSM_EXTENSION


def test_the_characters_that_cost_the_most_room_are_named_once_each() -> None:
    assert segments("a“b”c“d").not_gsm == ("“", "”")
    assert segments("plain").not_gsm == ()
