"""What holds for all people of a tenant who have said nothing else, and what each of them may say. Pure.

Who wants what is decided by the most specific word: the person's about the category, the person's about every category
(`*`), the tenant's default for the category, the tenant's default for every category; else it is wanted. A critical
category is always wanted, knows no quiet hours, and counts towards no cap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, time
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from shared.quiet_hours import DEFAULT_ZONE, SILENT, QuietHours, quiet_until
from shared.statuses import Channel
from shared.whole_numbers import WHOLE

EVERY = "*"
"""Every category."""

MAX_CATEGORIES = 100


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise PydanticCustomError("time_zone", "It must be an IANA time zone, such as Europe/Berlin") from None
    return name


TimeZone = Annotated[
    str,
    StringConstraints(strict=True, max_length=64, pattern=r"^(UTC|[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)+)$"),
    AfterValidator(_known_zone),
]
Category = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9_-]{1,64}$")]
AnyCategory = Annotated[str, StringConstraints(strict=True, pattern=r"^(\*|[a-z0-9_-]{1,64})$")]
ClockTime = Annotated[str, StringConstraints(strict=True, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Wishes = Annotated[dict[AnyCategory, dict[Channel, StrictBool]], Field(max_length=MAX_CATEGORIES)]
Channels = Annotated[tuple[Channel, ...], Field(min_length=1, max_length=len(Channel))]

AUDIBLE: Channels = tuple(channel for channel in Channel if channel not in SILENT)


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class QuietHoursRule(_Rule):
    """From when to when a person is left alone, by the clocks of their zone: 22:00 to 07:00 goes over midnight."""

    starts: ClockTime = Field(alias="from")
    ends: ClockTime = Field(alias="to")
    channels: Channels = AUDIBLE

    @model_validator(mode="after")
    def _is_a_part_of_the_day(self) -> Self:
        if self.starts == self.ends:
            raise ValueError("quiet hours are a part of the day: from and to must differ")
        return self

    def hours(self) -> QuietHours:
        """Read the clock's times."""
        starts, ends = time.fromisoformat(self.starts), time.fromisoformat(self.ends)
        return QuietHours(starts=starts, ends=ends, channels=frozenset(self.channels))


class Period(StrEnum):
    """Over how long a cap counts, back from now."""

    HOUR = "hour"
    DAY = "day"


class Cap(_Rule):
    """At most so many messages for one person on one channel, of one category or of all that are not critical."""

    channel: Channel
    category: AnyCategory = EVERY
    most: Annotated[int, Field(strict=True, ge=1, le=1_000), WHOLE]
    per: Period


class ContactPolicy(_Rule):
    """What holds for all people of a tenant who have said nothing else."""

    time_zone: TimeZone = DEFAULT_ZONE
    critical: Annotated[tuple[Category, ...], Field(max_length=MAX_CATEGORIES)] = ()
    defaults: Wishes = Field(default_factory=dict)
    quiet_hours: QuietHoursRule | None = None
    caps: Annotated[tuple[Cap, ...], Field(max_length=20)] = ()

    def is_wanted(self, wishes: Mapping[str, Mapping[Channel, bool]], category: str, channel: Channel) -> bool:
        """Tell whether a person with these wishes wants a category on a channel."""
        if category in self.critical:
            return True
        said = (
            words[named][channel]
            for words in (wishes, self.defaults)
            for named in (category, EVERY)
            if channel in words.get(named, {})
        )
        return next(said, True)

    def is_full(self, category: str, channel: Channel, taken: Iterable[tuple[str, float]]) -> bool:
        """Tell whether a person has had enough: `taken` are the categories of what they were sent on this channel, each
        with its age in seconds. What is critical takes no place."""
        places = list(taken)
        return any(
            sum(cap.category in (EVERY, named) and age < _SECONDS[cap.per] for named, age in places) >= cap.most
            for cap in self.caps
            if cap.channel is channel and cap.category in (EVERY, category)
        )


_SECONDS = {Period.HOUR: 3_600, Period.DAY: 86_400}
LONGEST_PERIOD_SECONDS = max(_SECONDS.values())

NO_POLICY = ContactPolicy()


@lru_cache(maxsize=1000)
def read_policy(text: str | None) -> ContactPolicy:
    """Read a stored policy. Tenants are few; one that a newer version has written is as none."""
    try:
        return ContactPolicy.model_validate_json(text) if text else NO_POLICY
    except ValidationError:
        return NO_POLICY


@lru_cache(maxsize=1000)
def _own_hours(text: str) -> QuietHoursRule | None:
    try:
        return QuietHoursRule.model_validate_json(text)
    except ValidationError:  # {}: switched off
        return None


NOBODY_SLEEPS: Mapping[Channel, datetime] = MappingProxyType({})


def left_alone(
    policy: ContactPolicy, own_hours: str | None, zone: str | None, category: str, moment: datetime
) -> Mapping[Channel, datetime]:
    """Say for each channel on which a person is left alone at a moment until when.

    `own_hours` is the person's rule as it is stored: none is the tenant's, `{}` is no quiet hours at all.
    """
    rule = policy.quiet_hours if own_hours is None else _own_hours(own_hours)
    if rule is None or category in policy.critical:
        return NOBODY_SLEEPS
    until = quiet_until(moment, zone or policy.time_zone, rule.hours())
    return dict.fromkeys(rule.channels, until) if until else NOBODY_SLEEPS
