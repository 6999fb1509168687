"""Records that are made quickly are dataclasses in everything else."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace

import pytest

from shared.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Quick:
    """Some fields, by place and by name, with every kind of default."""

    first: int
    second: str = "b"
    many: list[int] = field(default_factory=list)
    named: int = field(default=7, kw_only=True)


@dataclass(frozen=True, slots=True)
class Guarded:
    """The same, as the standard library makes it."""

    first: int
    second: str = "b"
    many: list[int] = field(default_factory=list)
    named: int = field(default=7, kw_only=True)


def test_it_is_called_as_the_other_one_is() -> None:
    ours, theirs = inspect.signature(Quick), inspect.signature(Guarded)

    assert [(one.name, one.kind) for one in ours.parameters.values()] == [
        (one.name, one.kind) for one in theirs.parameters.values()
    ]
    assert asdict(Quick(1)) == asdict(Guarded(1))
    assert asdict(Quick(1, "x", [2], named=3)) == asdict(Guarded(1, "x", [2], named=3))


@pytest.mark.parametrize("wrong", [{}, {"first": 1, "third": 3}])
def test_it_refuses_what_the_other_one_refuses(wrong: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Quick(**wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Quick(1, "b", [], 7)  # type: ignore[call-arg]


def test_what_is_made_for_one_is_not_shared_with_another() -> None:
    assert Quick(1).many is not Quick(1).many


def test_equal_ones_are_equal_and_hash_alike_and_are_copied_and_replaced() -> None:
    @quick
    @dataclass(frozen=True, slots=True)
    class Hashed:
        first: int
        second: str = "b"

    one = Hashed(1)

    assert (one, hash(one)) == (Hashed(1), hash(Hashed(1)))
    assert one != Hashed(2)
    assert replace(one, second="c") == Hashed(1, "c")
    assert copy.deepcopy(one) == copy.copy(one) == one
    assert [each.name for each in fields(one)] == ["first", "second"]


def test_it_travels_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(Quick(1, many=[2]))) == Quick(1, many=[2])


def test_a_record_without_fields_can_be_made() -> None:
    @quick
    @dataclass(frozen=True, slots=True)
    class Empty:
        pass

    assert Empty() == Empty()


def test_a_base_that_is_guarded_is_refused() -> None:
    with pytest.raises(TypeError, match="a base of Heir is guarded"):

        @quick
        @dataclass(frozen=True, slots=True)
        class Heir(Guarded):
            more: int = 0


def test_others_keep_their_guard() -> None:
    with pytest.raises(FrozenInstanceError):
        Guarded(1).first = 2  # type: ignore[misc]
