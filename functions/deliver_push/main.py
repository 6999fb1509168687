"""Deliver one push message.

takes   delivery.requested (channel push)
gives   delivery.succeeded | delivery.failed
status  queued -> sending -> sent | retrying | deferred | failed | unknown
"""

from __future__ import annotations

from cloudevents.http import CloudEvent

from functions.deliver_push.fcm import Fcm
from functions.deliver_push.onesignal import OneSignal
from functions.deliver_push.provider import PushProvider, Service
from functions.deliver_push.service_account import ServiceAccount
from shared.errors import SettingMissing
from shared.http_call import Http
from shared.runtime import Resources
from shared.settings import EVERY_OTHER_TENANT, Settings
from shared.statuses import Channel, PushService
from shared.step import answer, delivery


def push(resources: Resources) -> PushProvider:
    """Make the provider from the settings.

    Raises:
        SettingMissing: neither service is configured, one is by half, or a tenant uses none that is.
    """
    settings, http = resources.settings, Http()
    services = {**_fcm(settings, http), **_onesignal(settings, http)}
    if not services:
        raise SettingMissing("FCM_SERVICE_ACCOUNT or ONESIGNAL_APP_ID is not set: push needs one of them")
    said = settings.push_services()
    for tenant, names in said.items():
        if not names & services.keys():
            raise SettingMissing(f"PUSH_PROVIDERS gives {tenant} {' and '.join(names)}, which is not configured")
    in_use = frozenset().union(*said.values())
    nobody: frozenset[PushService] = frozenset()
    others = said.get(EVERY_OTHER_TENANT, nobody)
    return PushProvider(
        {name: service for name, service in services.items() if name in in_use},
        lambda tenant: said.get(tenant, others),
        http,
    )


def _fcm(settings: Settings, http: Http) -> dict[PushService, Service]:
    if settings.fcm_service_account is None:
        return {}
    account = ServiceAccount.read(settings.fcm_service_account.get_secret_value())
    return {PushService.FCM: Fcm(account, settings.fcm_base_url, http)}


def _onesignal(settings: Settings, http: Http) -> dict[PushService, Service]:
    app_id, api_key = settings.onesignal_app_id, settings.onesignal_api_key
    if app_id is None and api_key is None:
        return {}
    if app_id is None or api_key is None:
        raise SettingMissing("ONESIGNAL_APP_ID and ONESIGNAL_API_KEY go together: one of them is not set")
    return {PushService.ONESIGNAL: OneSignal(app_id, api_key.get_secret_value(), settings.onesignal_base_url, http)}


FUNCTION = delivery("deliver-push", Channel.PUSH, push)


async def deliver_push(event: CloudEvent) -> None:
    """Take one event from functions-framework."""
    await answer(event)
