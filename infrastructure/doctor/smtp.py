"""The mail servers: each is greeted, TLS is begun and the login made as for a mail, and left again without one."""

from __future__ import annotations

import asyncio
import contextlib

import aiosmtplib

from functions.deliver_email.connections import STARTTLS
from functions.deliver_email.relay import Encryption, Relay, read_relays
from infrastructure.doctor.findings import Finding, World, fault, ok, warning
from shared.errors import SettingMissing
from shared.settings import is_loopback
from shared.statuses import Channel

ABOUT = "e-mail"
SECONDS = 8.0
GOODBYE_SECONDS = 1.0


async def look(world: World) -> list[Finding]:
    """Look at all of them at once."""
    if world.settings.smtp_url is None or Channel.EMAIL not in world.settings.served():
        return []
    try:
        relays = read_relays(world.settings.smtp_url.get_secret_value())
    except SettingMissing as malformed:
        return [fault(ABOUT, str(malformed), "see docs/email.md")]
    return list(await asyncio.gather(*[_greet(relay) for relay in relays]))


async def _greet(relay: Relay) -> Finding:
    smtp = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        use_tls=relay.encryption is Encryption.FROM_THE_START,
        start_tls=STARTTLS[relay.encryption],
        tls_context=await asyncio.to_thread(relay.tls_context),
        local_hostname="localhost",  # without it the library asks the DNS for our own name
        timeout=SECONDS,
    )
    try:
        return await _converse(smtp, relay)
    except (aiosmtplib.SMTPException, OSError, ValueError) as failure:
        return _explain(failure, relay)
    finally:
        smtp.close()


async def _converse(smtp: aiosmtplib.SMTP, relay: Relay) -> Finding:
    await smtp.connect()
    if smtp.is_ehlo_or_helo_needed:
        await smtp.ehlo()
    is_encrypted = smtp.transport is not None and smtp.transport.get_extra_info("sslcontext") is not None
    if relay.user is not None:
        if not smtp.supports_extension("auth"):
            return fault(
                ABOUT, f"{relay.name} offers no login, and SMTP_URL has a user", "is this its port for clients?"
            )
        await smtp.login(relay.user, relay.password or "")
    with contextlib.suppress(aiosmtplib.SMTPException, OSError):
        await smtp.quit(timeout=GOODBYE_SECONDS)
    how = [word for word, is_so in (("TLS", is_encrypted), ("logged in", relay.user is not None)) if is_so]
    found = f"{relay.name} answers{': ' if how else ''}{', '.join(how)}"
    if not is_encrypted and not is_loopback(relay.host):
        return warning(
            ABOUT, f"{found}, and offers no TLS: mails cross the network in the clear", "smtps://, or STARTTLS"
        )
    return ok(ABOUT, found)


def _explain(failure: Exception, relay: Relay) -> Finding:
    """Tell what went wrong; a server's own words may hold a name, so only its code is told."""
    if isinstance(failure, aiosmtplib.SMTPAuthenticationError):
        return fault(ABOUT, f"{relay.name} refuses the login ({failure.code})", "see user and password in SMTP_URL")
    if isinstance(failure, aiosmtplib.SMTPResponseException):
        return fault(ABOUT, f"{relay.name} answers {failure.code} before any mail", "ask whoever runs it")
    if relay.encryption is Encryption.REQUIRED and "STARTTLS" in str(failure):
        found = f"{relay.name} offers no STARTTLS, and a password would cross the network in the clear"
        return fault(ABOUT, found, "smtps://, or another port")
    if isinstance(failure, TimeoutError | aiosmtplib.SMTPTimeoutError):
        return fault(ABOUT, f"{relay.name} does not answer in time", "is the way there open from here?")
    return fault(ABOUT, f"{relay.name} cannot be reached: {type(failure).__name__}", "see SMTP_URL")
