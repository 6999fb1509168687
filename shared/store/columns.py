"""Columns of a set: lists whose type says which Postgres array they are, written in one go.

psycopg finds out for each list what its elements are, and asks a dumper for each of them. Here a column knows, and
costs a third (docs/decisions/0015-columns.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from struct import pack
from typing import Any, ClassVar

from psycopg import AsyncConnection
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.rows import TupleRow
from pydantic_core import to_json

_NULL = b"\xff\xff\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # of timestamptz, in microseconds


class Column(list[Any]):
    """Values of one type, or None."""

    __slots__ = ()

    array_oid: ClassVar[int]
    element_oid: ClassVar[int]

    def binary(self) -> bytes:
        """Write the array as Postgres reads it: dimensions, whether there is a null, element type, then the values."""
        if not self:
            return pack(">iii", 0, 0, self.element_oid)
        values = self.written()
        head = pack(">iiiii", 1, int(_NULL in values), self.element_oid, len(values), 1)
        return head + b"".join(values)

    def written(self) -> list[bytes]:
        """Write each value: its length, then its bytes."""
        raise NotImplementedError


class Uuids(Column):
    """uuid[]: sixteen bytes each."""

    __slots__ = ()
    array_oid, element_oid = 2951, 2950

    def written(self) -> list[bytes]:
        """Write each value."""
        return [_NULL if value is None else b"\0\0\0\x10" + value.int.to_bytes(16) for value in self]


class Texts(Column):
    """text[]: UTF-8; a member of a StrEnum is its value."""

    __slots__ = ()
    array_oid, element_oid = 1009, 25

    def written(self) -> list[bytes]:
        """Write each value."""
        return [_NULL if value is None else len(raw := value.encode()).to_bytes(4) + raw for value in self]


class Integers(Column):
    """integer[]"""

    __slots__ = ()
    array_oid, element_oid = 1007, 23

    def written(self) -> list[bytes]:
        """Write each value."""
        return [_NULL if value is None else b"\0\0\0\x04" + value.to_bytes(4, signed=True) for value in self]


class Bigints(Column):
    """bigint[]"""

    __slots__ = ()
    array_oid, element_oid = 1016, 20

    def written(self) -> list[bytes]:
        """Write each value."""
        return [_NULL if value is None else b"\0\0\0\x08" + value.to_bytes(8, signed=True) for value in self]


class Smallints(Column):
    """smallint[]"""

    __slots__ = ()
    array_oid, element_oid = 1005, 21

    def written(self) -> list[bytes]:
        """Write each value."""
        return [_NULL if value is None else b"\0\0\0\x02" + value.to_bytes(2, signed=True) for value in self]


class Booleans(Column):
    """boolean[]"""

    __slots__ = ()
    array_oid, element_oid = 1000, 16

    def written(self) -> list[bytes]:
        """Write each value."""
        return [_NULL if value is None else b"\0\0\0\x01\x01" if value else b"\0\0\0\x01\0" for value in self]


class Floats(Column):
    """double precision[]"""

    __slots__ = ()
    array_oid, element_oid = 1022, 701

    def written(self) -> list[bytes]:
        """Write each value."""
        return [_NULL if value is None else pack(">id", 8, value) for value in self]


class Times(Column):
    """timestamptz[]: microseconds since 2000. Every time is aware."""

    __slots__ = ()
    array_oid, element_oid = 1185, 1184

    def written(self) -> list[bytes]:
        """Write each value."""
        return [_NULL if value is None else _moment(value) for value in self]


class Documents(Column):
    """jsonb[]: a version, then the text. None is the absence of a document; JSON's null is `JSON_NULL`."""

    __slots__ = ()
    array_oid, element_oid = 3807, 3802

    def written(self) -> list[bytes]:
        """Write each value."""
        return [_NULL if value is None else _document(value) for value in self]


class Bytes(Column):
    """bytea[]: as they are."""

    __slots__ = ()
    array_oid, element_oid = 1001, 17

    def written(self) -> list[bytes]:
        """Write each value."""
        return [_NULL if value is None else len(value).to_bytes(4) + value for value in self]


def _moment(value: datetime) -> bytes:
    since = value - _EPOCH
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return b"\0\0\0\x08" + microseconds.to_bytes(8, signed=True)


def _document(value: object) -> bytes:
    raw = b"null" if value is JSON_NULL else to_json(value)
    return (len(raw) + 1).to_bytes(4) + b"\x01" + raw


JSON_NULL = object()
"""JSON's null in a column of documents, where None is the absence of a document."""

KINDS: tuple[type[Column], ...] = (
    Uuids,
    Texts,
    Integers,
    Bigints,
    Smallints,
    Booleans,
    Floats,
    Times,
    Documents,
    Bytes,
)


def transposed(kinds: Sequence[Callable[[Sequence[Any]], Column]], rows: Sequence[Sequence[Any]]) -> list[Column]:
    """Turn rows into columns of these kinds; without rows, into empty ones."""
    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
    return [kind(values) for kind, values in zip(kinds, columns, strict=True)]


def register(connection: AsyncConnection[TupleRow]) -> None:
    """Teach a connection to write columns."""
    for kind, dumper in _DUMPERS.items():
        connection.adapters.register_dumper(kind, dumper)


def _dumper(kind: type[Column]) -> type[Dumper]:
    class ColumnDumper(Dumper):
        format = Format.BINARY
        oid = kind.array_oid

        def dump(self, obj: Column) -> bytes:
            return obj.binary()

    return ColumnDumper


_DUMPERS = {kind: _dumper(kind) for kind in KINDS}
