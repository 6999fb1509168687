"""Twilio: whether the account is there and the token is its own, and which senders are set."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

from infrastructure.doctor.asking import get, unreachable
from infrastructure.doctor.findings import Finding, World, fault, ok, warning
from shared.http_call import Silence
from shared.settings import Settings
from shared.twilio.opening import SENDERS

ABOUT = "Twilio"


async def look(world: World) -> list[Finding]:
    """Ask for the account, which changes nothing."""
    known = world.settings
    used = SENDERS.keys() & known.served()
    if known.twilio_account_sid is None or known.twilio_auth_token is None or not used:
        return []
    findings = [
        fault(ABOUT, f"{SENDERS[channel].upper()} is missing", f"set it, or leave {channel} out of CHANNELS")
        for channel in sorted(used)
        if getattr(known, SENDERS[channel]) is None
    ]
    return [await _account(known, known.twilio_account_sid, known.twilio_auth_token.get_secret_value()), *findings]


async def _account(known: Settings, sid: str, token: str) -> Finding:
    url = f"{known.twilio_base_url.rstrip('/')}/2010-04-01/Accounts/{quote(sid, safe='')}.json"
    answer = await get(url, {"Authorization": f"Basic {b64encode(f'{sid}:{token}'.encode()).decode()}"})
    if isinstance(answer, Silence):
        return unreachable(ABOUT, "Twilio", answer)
    if answer.status in (401, 403, 404):
        return fault(ABOUT, f"the account is refused ({answer.status})", "see TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
    if answer.status != 200:
        return warning(ABOUT, f"Twilio answers {answer.status}", "try again later")
    status = str((answer.document or {}).get("status", "unknown"))
    if status != "active":
        return fault(ABOUT, f"the account is {status}", "see Twilio's console")
    return ok(ABOUT, "the account is active")
