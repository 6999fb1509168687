"""Columns of our own writing, held to what psycopg writes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.adapt import PyFormat, Transformer
from psycopg.types.json import Jsonb
from pydantic_core import from_json

from shared.statuses import Channel
from shared.store import columns
from shared.store.columns import JSON_NULL, Bytes, Column, Documents, Floats, Texts, Times, Uuids

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
TIME = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
VALUES = {
    columns.Uuids: st.uuids(),
    columns.Texts: TEXT,
    columns.Booleans: st.booleans(),
    columns.Floats: st.floats(allow_nan=False),
    columns.Times: TIME,
    columns.Bytes: st.binary(),
}


def by_psycopg(values: list[Any]) -> tuple[bytes, int]:
    """Have psycopg write an array; return its type as well."""
    transformer = Transformer()
    (written,) = transformer.dump_sequence([values], [PyFormat.BINARY])
    assert written is not None
    return bytes(written), (transformer.types or (0,))[0]


def read_back(column: Column) -> list[Any]:
    """Have psycopg read what we wrote."""
    loader = Transformer().get_loader(column.array_oid, psycopg.pq.Format.BINARY)
    found: list[Any] = loader.load(column.binary())
    return found


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_a_column_is_written_byte_for_byte_as_psycopg_writes_it(kind: type[Column], data: st.DataObject) -> None:
    values = data.draw(st.lists(VALUES[kind] | st.none(), min_size=1).filter(lambda found: set(found) != {None}))

    written, oid = by_psycopg(values)

    assert (kind(values).binary(), kind.array_oid) == (written, oid)


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none()))
def test_big_integers_are_read_back(values: list[int | None]) -> None:
    assert read_back(columns.Bigints(values)) == values


@given(st.lists(st.integers(-(2**31), 2**31 - 1) | st.none()))
def test_integers_are_read_back(values: list[int | None]) -> None:
    assert read_back(columns.Integers(values)) == values


@given(st.lists(st.integers(-(2**15), 2**15 - 1) | st.none()))
def test_small_integers_are_read_back(values: list[int | None]) -> None:
    assert read_back(columns.Smallints(values)) == values


@given(st.lists(st.dictionaries(TEXT, TEXT | st.integers(0, 9) | st.none()) | st.none()))
def test_documents_are_read_back(values: list[dict[str, Any] | None]) -> None:
    assert read_back(Documents(values)) == values


def test_jsons_null_is_a_document_and_none_is_the_absence_of_one() -> None:
    ours = Documents([JSON_NULL, None, {"a": 1}])

    assert ours.binary() == by_psycopg([Jsonb(None), None, Jsonb({"a": 1}, lambda value: '{"a":1}')])[0]
    assert from_json(b"null") is None


def test_a_member_of_an_enumeration_is_its_value() -> None:
    assert read_back(Texts([Channel.EMAIL])) == ["email"]


@pytest.mark.parametrize("kind", columns.KINDS, ids=lambda kind: kind.__name__)
def test_an_empty_column_is_an_empty_array_of_its_type(kind: type[Column]) -> None:
    assert read_back(kind()) == []


@pytest.mark.parametrize("kind", [Uuids, Texts, Floats, Times, Bytes, Documents], ids=lambda kind: kind.__name__)
def test_a_column_of_nothing_but_nulls_keeps_its_type(kind: type[Column]) -> None:
    assert read_back(kind([None, None])) == [None, None]


def test_rows_become_columns_also_when_there_are_none() -> None:
    kinds = (Texts, Times)

    assert columns.transposed(kinds, [("a", None), ("b", None)]) == [["a", "b"], [None, None]]
    assert [type(column) for column in columns.transposed(kinds, [])] == [Texts, Times]
