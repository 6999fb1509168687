"""Tell the stories of ten notifications against a private instance, and hold it to every word."""

from __future__ import annotations

import asyncio

import click

from infrastructure.local.demo_stage import DemoBroken, Stage, open_stage, tell
from infrastructure.local.demo_stories import AFTERWARDS, STORIES, prepare


async def demo() -> None:
    """Play the stories, then tell them in order.

    Raises:
        DemoBroken: something that was told did not happen.
    """
    async with open_stage() as stage:
        await prepare(stage)
        ends = await asyncio.gather(*[story(stage) for story in STORIES.values()], return_exceptions=True)
        ends += await asyncio.gather(*[story(stage) for story in AFTERWARDS.values()], return_exceptions=True)
        broken = []
        for title, end in zip([*STORIES, *AFTERWARDS], ends, strict=True):
            broken += await _told(stage, title, end)
        if broken:
            raise DemoBroken("; ".join(broken))
        click.echo("\nAll of it happened.")


async def _told(stage: Stage, title: str, end: list[str] | BaseException) -> list[str]:
    """Tell one story; return what of it did not happen."""
    click.secho(f"\n{title}", bold=True)
    if isinstance(end, BaseException):
        click.secho(f"   did not happen: {end}", fg="red")
        return [f"{title}: {end!r}"]
    for key in end:
        tell(await stage.call("GET", f"/api/v1/notifications/{key}"))
    return []
