"""A set in the frame's hands: what travelled together is taken apart, and answered as one."""

from __future__ import annotations

from collections.abc import Sequence

from shared.events import Event, Garbled, MixedBundle
from shared.step.answers import DONE, LATER, Told

Item = Event | Garbled
Parcel = Event | Garbled | MixedBundle
"""What one message holds: an event, a bundle of them, or bytes that are neither."""


class Handed:
    """The events of a set, by their place in it, and the answers so far.

    A bundle is done when all its members are. If one of them must come again the bundle does; the others find that
    they are done already, as any copy does.
    """

    def __init__(self, parcels: Sequence[Parcel], told: Told | None) -> None:
        self.items: list[Item] = []
        self.answers: dict[int, int] = {}
        self._parcels: list[int] = []  # of each item
        self._missing: list[int] = []  # answers, of each parcel
        self._told = told
        for place, parcel in enumerate(parcels):
            members = _members(parcel)
            self.items += members
            self._parcels += [place] * len(members)
            self._missing.append(len(members))
        self._given = [DONE] * len(parcels)

    def answer(self, answers: Sequence[tuple[int, int]]) -> None:
        """Give answers to events, each once."""
        ended = []
        for place, status in answers:
            if place in self.answers:
                continue
            self.answers[place] = status
            parcel = self._parcels[place]
            self._missing[parcel] -= 1
            if status != DONE:
                self._given[parcel] = status
            if not self._missing[parcel]:
                ended.append((parcel, self._given[parcel]))
        if self._told and ended:
            self._told(ended)

    def end(self) -> list[int]:
        """Return the answers to what was handed over, in order; whatever was not concluded comes again."""
        self.answer([(place, LATER) for place in range(len(self.items)) if place not in self.answers])
        return self._given


def _members(parcel: Parcel) -> Sequence[Item]:
    if isinstance(parcel, Garbled):
        return (parcel,)
    return parcel.members or (parcel,) if isinstance(parcel, Event) else parcel.members
