"""The pages that a reader sees who follows a link to unsubscribe. They need no script, and load nothing."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape

from starlette.responses import HTMLResponse

from shared.statuses import Channel

STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}"
    "button{font:inherit;padding:.5rem 1rem}"
)
POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}

ONE_CLICK = ("List-Unsubscribe", "One-Click")
"""The field that a mail program posts by itself (RFC 8058 3.2), and the page's button as well."""

NAMES = {
    Channel.EMAIL: "e-mail",
    Channel.SMS: "SMS",
    Channel.WHATSAPP: "WhatsApp",
    Channel.PUSH: "push message",
    Channel.TELEGRAM: "Telegram",
    Channel.WEBSOCKET: "inbox",
}


def question(category: str, channel: Channel) -> HTMLResponse:
    """Ask. Programs follow links too, so only the button does it."""
    name, value = ONE_CLICK
    return _page(
        "Unsubscribe?",
        f"<p>You will get no more messages of the kind <b>{escape(category)}</b> by {NAMES[channel]}.</p>"
        f'<form method="post"><button name="{name}" value="{value}">Unsubscribe</button></form>',
    )


def done(category: str, channel: Channel) -> HTMLResponse:
    """Confirm."""
    return _page(
        "Unsubscribed",
        f"<p>No more messages of the kind <b>{escape(category)}</b> will come by {NAMES[channel]}.</p>",
    )


def unknown() -> HTMLResponse:
    """Say that the link is none."""
    return _page("This link is not valid", "<p>Please use the whole link, as it stands in the message.</p>", 404)


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    page = f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body><h1>{title}</h1>{body}'
    return HTMLResponse(f"{page}</body></html>", status, HEADERS)
