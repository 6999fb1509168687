"""Which providers the channels need, and what stands in for those that are not configured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from infrastructure.sandbox import telegram
from infrastructure.sandbox.fcm import FCM
from infrastructure.sandbox.onesignal import ONESIGNAL
from infrastructure.sandbox.sandbox import Sandbox
from infrastructure.sandbox.twilio import SMS_SENDER, TWILIO, WHATSAPP_SENDER
from shared.errors import SettingMissing
from shared.settings import Settings
from shared.statuses import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What some channels need: `setting` is the one that is missed first, `stand_in` the settings of the sandbox's."""

    channels: frozenset[Channel]
    setting: str
    is_met: Callable[[Settings], bool]
    stand_in: Callable[[Sandbox], Mapping[str, object]]


NEEDS = (
    Need(
        channels=frozenset({Channel.EMAIL}),
        setting="SMTP_URL",
        is_met=lambda settings: settings.smtp_url is not None,
        stand_in=lambda sandbox: {"smtp_url": SecretStr(sandbox.smtp.url)},
    ),
    Need(
        channels=frozenset({Channel.TELEGRAM}),
        setting="TELEGRAM_BOT_TOKEN",
        is_met=lambda settings: settings.telegram_bot_token is not None,
        stand_in=lambda sandbox: {
            "telegram_bot_token": SecretStr(telegram.TOKEN),
            "telegram_base_url": f"{sandbox.http.url}/telegram",
        },
    ),
    Need(
        # The account only. A sender that is missing ends the start of its function: the sandbox's would be sent to the
        # real account otherwise, or the other channel's messages to the sandbox.
        channels=frozenset({Channel.SMS, Channel.WHATSAPP}),
        setting="TWILIO_ACCOUNT_SID",
        is_met=lambda settings: settings.twilio_account_sid is not None and settings.twilio_auth_token is not None,
        stand_in=lambda sandbox: {
            "twilio_account_sid": TWILIO.account_sid,
            "twilio_auth_token": SecretStr(TWILIO.auth_token),
            "twilio_base_url": f"{sandbox.http.url}/{TWILIO.name}",
            "twilio_sms_from": SMS_SENDER,
            "twilio_whatsapp_from": WHATSAPP_SENDER,
        },
    ),
    Need(
        channels=frozenset({Channel.PUSH}),
        setting="FCM_SERVICE_ACCOUNT or ONESIGNAL_APP_ID",
        is_met=lambda settings: settings.fcm_service_account is not None or settings.onesignal_app_id is not None,
        stand_in=lambda sandbox: {**FCM.settings(sandbox.http.url), **ONESIGNAL.settings(sandbox.http.url)},
    ),
)


def unmet(settings: Settings) -> list[Need]:
    """List what the served channels need and nobody has configured."""
    return [need for need in NEEDS if need.channels & settings.served() and not need.is_met(settings)]


def may_stand_in(settings: Settings) -> bool:
    """Tell whether the sandbox may stand in: where nothing is configured, or somebody says so."""
    return settings.database_url is None or settings.sandbox


def require(settings: Settings) -> None:
    """Refuse to start without a provider, unless the sandbox may stand in for it.

    Raises:
        SettingMissing: names the setting, and the two other ways out.
    """
    if may_stand_in(settings):
        return
    for need in unmet(settings):
        channels = ", ".join(sorted(need.channels & settings.served()))
        raise SettingMissing(
            f"{need.setting} is missing: set it, or leave {channels} out of CHANNELS, or set SANDBOX=true to keep "
            "every message in the sandbox's inbox"
        )


def sandboxed(settings: Settings, sandbox: Sandbox) -> dict[str, object]:
    """Write the settings by which the sandbox stands in."""
    return {name: value for need in unmet(settings) for name, value in need.stand_in(sandbox).items()}


def as_environment(found: Mapping[str, object]) -> dict[str, str]:
    """Write settings as another process reads them."""
    return {
        name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in found.items()
    }
