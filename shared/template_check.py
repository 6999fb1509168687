"""Ask, before a notification is accepted, whether its template can be written with what it brings."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from shared.errors import Refused
from shared.problems import FieldsRefused
from shared.rendering import built_in, needs
from shared.statuses import Channel
from shared.store.templates import Templates
from shared.templates import ALWAYS_THERE, FALLBACK_LANGUAGE, TemplateVersion
from shared.templating import missing

FRESH_SECONDS = 1.0
KEPT = 1_000


class TemplateCheck:
    """What is published, as it was a second ago at most: a busy intake asks the database once a second, not each time.

    It is a courtesy to the client. What is published when the notification is routed decides what is written.
    """

    def __init__(self, templates: Templates, *, clock: Callable[[], float] = time.monotonic, kept: int = KEPT) -> None:
        self._templates = templates
        self._clock = clock
        self._kept = kept
        self._seen: OrderedDict[tuple[str, str], tuple[float, TemplateVersion | None]] = OrderedDict()

    async def require(
        self,
        tenant: str,
        name: str,
        channel: Channel,
        variables: Mapping[str, Any],
        *,
        locale: str = FALLBACK_LANGUAGE,
    ) -> None:
        """Let it pass if the words for a channel have every variable that they certainly need.

        One that is needed only in a branch or a loop is not asked for: the data decides on it.

        Raises:
            Refused: 422, there is no such template, it has no words for this channel, or a variable is missing.
        """
        version = await self._published(tenant, name)
        found = version.words(channel, locale) if version else None
        if found is None:
            why = f"There are no published words for {channel} by this name."
            raise Refused(422, "Unknown template", why, field="template")
        absent = missing(needs(channel, found[1]).required, {**dict.fromkeys(ALWAYS_THERE), **variables})
        if absent:
            errors = [(f"variables.{path}", f"The template {name} needs it.") for path in absent]
            raise FieldsRefused(422, "Variables missing", errors)

    async def _published(self, tenant: str, name: str) -> TemplateVersion | None:
        """Find the published version, else what is built in."""
        key, now = (tenant, name), self._clock()
        read_at, version = self._seen.get(key, (None, None))
        if read_at is not None and now - read_at < FRESH_SECONDS:
            return version
        number = await self._templates.published(tenant, name)
        if number is None:
            version = built_in(name)
        elif version is None or version.version != number:
            version = await self._templates.version(tenant, name, number)
        self._seen[key] = (now, version)
        self._seen.move_to_end(key)
        while len(self._seen) > self._kept:
            self._seen.popitem(last=False)
        return version
