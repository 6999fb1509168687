"""What people want and when they are left alone, over HTTP; and what holds for all of a tenant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from functions.directory.documents import PreferencesAnswer, PreferencesDocument
from functions.directory.operations import GET_DEFAULTS, GET_PREFERENCES, PUT_DEFAULTS, PUT_PREFERENCES
from functions.directory.reading import USER_ID, answer, read_document, read_path
from functions.directory.users import unknown_user
from shared.access import Caller
from shared.contact_policy import ContactPolicy, QuietHoursRule
from shared.errors import Refused
from shared.operations import Operation
from shared.runtime import Resources
from shared.statuses import Channel
from shared.step import Handler
from shared.store.contacts import Preferences


class PreferenceRoutes:
    """Show and replace."""

    def __init__(self, resources: Resources) -> None:
        self._contacts = resources.store.contacts

    async def get(self, request: Request, caller: Caller) -> Response:
        """Show what a person has said."""
        key = read_path(request, "id", USER_ID)
        return answer(await self._shown(caller.tenant, key))

    async def put(self, request: Request, caller: Caller) -> Response:
        """Replace what a person has said; without a time zone theirs stays."""
        key = read_path(request, "id", USER_ID)
        document = await read_document(request, PreferencesDocument)
        policy = await self._contacts.policy(caller.tenant)
        _refuse_against_critical(document.preferences, policy)
        said = Preferences(wishes=document.preferences, quiet_hours=_hours(document), time_zone=document.time_zone)
        if not await self._contacts.put_preferences(caller.tenant, key, said):
            raise unknown_user()
        return answer(await self._shown(caller.tenant, key))

    async def get_defaults(self, request: Request, caller: Caller) -> Response:
        """Show what holds for all people of the tenant."""
        return answer(await self._contacts.policy(caller.tenant))

    async def put_defaults(self, request: Request, caller: Caller) -> Response:
        """Replace what holds for all people of the tenant."""
        policy = await read_document(request, ContactPolicy)
        _refuse_against_critical(policy.defaults, policy, within="defaults")
        await self._contacts.put_policy(caller.tenant, policy)
        return answer(policy)

    async def _shown(self, tenant: str, key: str) -> PreferencesAnswer:
        said = await self._contacts.preferences(tenant, key)
        if said is None:
            raise unknown_user()
        hours = said.quiet_hours
        return PreferencesAnswer(
            id=key,
            preferences=said.wishes,
            quiet_hours=QuietHoursRule.model_validate(hours) if hours else None if hours is None else False,
            time_zone=said.time_zone,
            critical=(await self._contacts.policy(tenant)).critical,
        )


def preference_handlers(resources: Resources) -> dict[Operation, Handler]:
    """Say who does what."""
    preferences = PreferenceRoutes(resources)
    return {
        GET_PREFERENCES: preferences.get,
        PUT_PREFERENCES: preferences.put,
        GET_DEFAULTS: preferences.get_defaults,
        PUT_DEFAULTS: preferences.put_defaults,
    }


def _hours(document: PreferencesDocument) -> dict[str, Any] | None:
    """Write the rule as it is stored: none is the tenant's, `{}` is none at all."""
    rule = document.quiet_hours
    if isinstance(rule, QuietHoursRule):
        return rule.model_dump(mode="json", by_alias=True)
    return None if rule is None else {}


def _refuse_against_critical(
    wishes: Mapping[str, Mapping[Channel, bool]], policy: ContactPolicy, within: str = "preferences"
) -> None:
    """Say it at once rather than keep a wish that would not be granted. One for every category leaves them out."""
    for category in policy.critical:
        refused = [channel for channel, enabled in wishes.get(category, {}).items() if not enabled]
        if refused:
            raise Refused(
                422,
                "Critical category",
                "This category is critical: it cannot be switched off.",
                field=f"{within}.{category}.{refused[0]}",
            )
