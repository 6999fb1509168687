"""Twilio's status callbacks: what they say is believed for its signature, whoever calls."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from functions.callbacks.reports import Report
from shared.callback_links import read_subject
from shared.errors import Refused
from shared.requests import read_body
from shared.saga import Receipt
from shared.settings import Settings
from shared.twilio.receipts import is_signed, receipt_of

MAX_BYTES = 16_384
MAX_FIELDS = 100


class TwilioDoor:
    """Reads callbacks that Twilio has signed with our token, for the address that it was given."""

    def __init__(self, settings: Settings) -> None:
        self._token = settings.twilio_auth_token
        self._root = (settings.public_url or "").rstrip("/")

    async def read(self, request: Request) -> Report | None:
        """Read a status callback; None if it says nothing final.

        Raises:
            Refused: 403, it is not signed so; 413, it is too large.
        """
        subject, said = read_subject(dict(request.query_params)), receipt_of(await self.read_form(request))
        if subject is None or said is None or said.receipt is None:
            return None
        receipt = Receipt(said.receipt)
        reason = said.reason or f"Twilio reports it as {receipt}"
        return Report(subject=subject, receipt=receipt, reason=reason, suppress=said.suppress)

    async def read_form(self, request: Request) -> Mapping[str, str]:
        """Read a form that Twilio has signed for this address.

        Raises:
            Refused: 403, it is not signed so; 413, it is too large.
        """
        form = _form(await read_body(request, MAX_BYTES))
        query = request.scope["query_string"].decode("latin-1")
        url = f"{self._root}{request.url.path}" + (f"?{query}" if query else "")
        signature = request.headers.get("x-twilio-signature")
        if not self._root or self._token is None or form is None:
            raise _unsigned()
        if not is_signed(self._token.get_secret_value(), url, form, signature):
            raise _unsigned()
        return form


def _form(body: bytes) -> Mapping[str, str] | None:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS))
    except ValueError:
        return None


def _unsigned() -> Refused:
    return Refused(403, "Not signed", "It needs a signature by Twilio, made with our token for PUBLIC_URL.")
