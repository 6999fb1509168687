"""The services that carry push messages: whether each takes the credentials that are set."""

from __future__ import annotations

from urllib.parse import quote

from functions.deliver_push.access_tokens import AccessTokens
from functions.deliver_push.service_account import ServiceAccount
from infrastructure.doctor.asking import SECONDS, get, seconds_from_now, unreachable
from infrastructure.doctor.findings import Finding, World, fault, ok, warning
from shared.errors import SettingMissing
from shared.http_call import Http, Silence
from shared.outcomes import Outcome
from shared.settings import Settings
from shared.statuses import Channel, OutcomeKind

ABOUT = "push"


async def look(world: World) -> list[Finding]:
    """Look at those that are set."""
    if Channel.PUSH not in world.settings.served():
        return []
    return [*await _fcm(world.settings), *await _onesignal(world.settings)]


async def _fcm(known: Settings) -> list[Finding]:
    """Log in to Google with the service account; no message follows."""
    if known.fcm_service_account is None:
        return []
    http = Http(1)
    try:
        tokens = AccessTokens(
            ServiceAccount.read(known.fcm_service_account.get_secret_value()), http, fetch_seconds=SECONDS
        )
        token = await tokens.get(seconds_from_now())
        await tokens.close()
    except SettingMissing as malformed:
        return [fault(ABOUT, str(malformed), "see FCM_SERVICE_ACCOUNT")]
    finally:
        await http.close()
    if not isinstance(token, Outcome):
        return [ok(ABOUT, "FCM takes the service account")]
    say = fault if token.kind is OutcomeKind.PERMANENT or not token.code.startswith("5") else warning
    return [say(ABOUT, f"FCM gives no access token: {token.code}, {token.reason}", "see FCM_SERVICE_ACCOUNT")]


async def _onesignal(known: Settings) -> list[Finding]:
    """List at most one message of the app."""
    if known.onesignal_app_id is None:
        return []
    if known.onesignal_api_key is None:
        return [fault(ABOUT, "ONESIGNAL_API_KEY is missing", "set it beside ONESIGNAL_APP_ID")]
    url = (
        f"{known.onesignal_base_url.rstrip('/')}/notifications?app_id={quote(known.onesignal_app_id, safe='')}&limit=1"
    )
    answer = await get(url, {"Authorization": f"Key {known.onesignal_api_key.get_secret_value().strip()}"})
    if isinstance(answer, Silence):
        return [unreachable(ABOUT, "OneSignal", answer)]
    if answer.status in (400, 401, 403, 404):
        remedy = "see ONESIGNAL_APP_ID and ONESIGNAL_API_KEY"
        return [fault(ABOUT, f"OneSignal refuses the app or its key ({answer.status})", remedy)]
    if answer.status != 200:
        return [warning(ABOUT, f"OneSignal answers {answer.status}", "try again later")]
    return [ok(ABOUT, "OneSignal takes the app and its key")]
