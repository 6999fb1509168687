"""People to whom so much happens that they want to hear of it once.

Drawn from a seed of its own: runs without digests are what they were before there were any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from functions.ingest.requests import Submission
from tests.simulation.people import Scenario, submission

HOW_MANY = 0.25
"""In so many of the runs there are digests."""

WINDOWS: tuple[Mapping[str, Any], ...] = ({"every": 60}, {"every": 60}, {"every": 200}, {"at": "12:02"})


def with_digests(scenario: Scenario, random: Random, seconds: float, began: datetime) -> Scenario:
    """Let the events of one type be collected in some of the runs, and let more of them happen."""
    if random.random() > HOW_MANY:
        return scenario
    event_type = random.choice(sorted(scenario.workflows))
    workflow = {**scenario.workflows[event_type], "digest": dict(random.choice(WINDOWS))}
    posts = [_post(f"item-{number}", event_type, random, seconds, began) for number in range(random.randint(2, 8))]
    return replace(scenario, posts=(*scenario.posts, *posts), workflows={**scenario.workflows, event_type: workflow})


def _post(key: str, event_type: str, random: Random, seconds: float, began: datetime) -> tuple[float, Submission]:
    at = random.uniform(0, seconds * random.choice([0.1, 0.9]))
    post = submission(key, random.choice(["ada", "ada", "bob", "nobody"]), event_type, random)
    if random.random() < 0.1:
        post = replace(post, collapse_key="one")
    if random.random() < 0.1:
        post = replace(post, expires_at=began + timedelta(seconds=at + random.choice([20, 90, 600])))
    return at, post
