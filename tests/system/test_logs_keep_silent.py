"""Whole processes are driven into trouble of every kind, at the level that says most; what they wrote is searched."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from infrastructure.local.private_instance import Instance, private_instance
from infrastructure.local.rabbitmq import PrivateNode
from shared.store import Store
from tests.postgres import PostgresForTests
from tests.system.client import Client
from tests.system.conftest import EMBEDDED, ONE_PROCESS, PROCESSES, WAYS, emptied
from tests.system.test_figures import publish_garbage

pytestmark = pytest.mark.slow

BODY, SUBJECT, NAME, DOMAIN = "Zx9-body-of-a-message", "Zx9-subject", "Zx9-Ada-Lovelace", "zx9-domain.example"
PHONE, CHAT = "+15005559876", "5005559876"
KEY, WRONG_KEY, JWT_SECRET, SMTP_PASSWORD = (
    "Zx9-key-of-a-tenant",
    "Zx9-wrong-key",
    "Zx9-signs-tokens" * 3,
    "Zx9-smtp-pass",
)
TELEGRAM, TWILIO, ONESIGNAL, UNSUBSCRIBE = (
    "123456:Zx9-bot-token",
    "Zx9-auth-token",
    "Zx9-onesignal-key",
    "Zx9-link-token",
)
SECRETS = (BODY, SUBJECT, NAME, DOMAIN, PHONE, CHAT, KEY, WRONG_KEY, JWT_SECRET, SMTP_PASSWORD, TELEGRAM, TWILIO)
MORE = (ONESIGNAL, UNSUBSCRIBE, "Zx9", base64.b64encode(BODY.encode()).decode()[:-4])

BOOM = f"""
CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.data::text LIKE '%%{BODY}-boom%%' THEN
        RAISE EXCEPTION 'no room for %% of %%', NEW.data, NEW.user_id USING DETAIL = NEW.data::text, HINT = '{NAME}';
    END IF;
    RETURN NEW;
END $$
"""
BOOM_WHEN = "CREATE TRIGGER boom BEFORE UPDATE ON notifications FOR EACH ROW EXECUTE FUNCTION boom()"
"""A database whose errors tell everything that is in the row, each time a step touches it."""


async def tell_tale(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be a mail server that repeats to whom and what, and then cuts the connection in the middle of a word."""
    writer.write(b"220 telltale\r\n")
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(b"250-telltale\r\n250 AUTH PLAIN LOGIN\r\n")
            elif verb == b"AUTH":
                writer.write(b"235 2.7.0 welcome " + line[5:].strip() + b"\r\n")
            elif verb == b"RCPT" and b"cut" in line:
                writer.write(b"550 5.1.1 " + line[8:].strip())
                break
            elif verb == b"RCPT" and b"fine" not in line:
                writer.write(b"550 5.1.1 nobody is " + line[8:].strip() + f" {NAME} {BODY}".encode() + b"\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go on\r\n")
                mail = await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"451 4.3.0 cannot keep " + mail[:200].replace(b"\r\n", b" ") + b"\r\n")
            else:
                writer.write(b"250 2.0.0 ok\r\n")
            await writer.drain()
    writer.close()


@asynccontextmanager
async def telltale() -> AsyncIterator[dict[str, str]]:
    """Name the settings of providers that repeat everything, or are not there."""
    server = await asyncio.start_server(tell_tale, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield settings_for(port)


def settings_for(port: int) -> dict[str, str]:
    """Write them."""
    nobody = "http://127.0.0.1:9"
    return {
        "SMTP_URL": f"smtp://{NAME}:{SMTP_PASSWORD}@127.0.0.1:{port}",
        "TELEGRAM_BOT_TOKEN": TELEGRAM,
        "TELEGRAM_BASE_URL": nobody,
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": TWILIO,
        "TWILIO_BASE_URL": nobody,
        "TWILIO_SMS_FROM": "+15550000001",
        "TWILIO_WHATSAPP_FROM": "+15550000001",
        "ONESIGNAL_APP_ID": "app",
        "ONESIGNAL_API_KEY": ONESIGNAL,
        "ONESIGNAL_BASE_URL": nobody,
        "API_KEYS": f"default:{KEY}",
        "JWT_SECRET": JWT_SECRET,
        "LOG_LEVEL": "DEBUG",
    }


async def people(carillon: Client) -> None:
    """Let people move in, each with an address that nobody may read in a log."""
    for name in ("fine", "refused", "cut"):
        await carillon.put(f"/users/{name}", {"name": NAME, "email": f"{name}@{DOMAIN}"})
    await carillon.put("/users/phone", {"name": NAME, "phone": PHONE, "telegram": CHAT})
    for channel in ("email", "sms", "telegram"):
        await carillon.put(f"/workflows/by_{channel}", {"channels": [channel], "retry_seconds": [0.2]})


async def trouble(carillon: Client) -> None:
    """Post what fails in every way that is known here, and wait for its end; what breaks a step never ends."""
    posts = [(f"by_{channel}", "phone") for channel in ("sms", "telegram")]
    posted = []
    posts += [("by_email", name) for name in ("fine", "refused", "cut", "nobody")]
    for event_type, user in posts:
        data = {"message": BODY, "subject": SUBJECT}
        posted.append(await post(carillon, {"event_type": event_type, "user_id": user, "data": data}))
    await post(carillon, {"event_type": "by_email", "user_id": "fine", "data": {"message": f"{BODY}-boom"}})
    to_address = {"user_id": "fine", "channel": "email", "template": "plain", "variables": {"message": BODY}}
    await raw(carillon, "/notifications/send", json.dumps(to_address))
    await garbage(carillon)
    for key in posted:
        await carillon.until(key, "failed", "unknown", "skipped")


async def garbage(carillon: Client) -> None:
    """Say what nobody understands, by every door."""
    for body in (
        f'{{"{BODY}',
        BODY,
        "[" * 50_000 + BODY,
        json.dumps({"event_type": BODY, "user_id": [DOMAIN]}),
        "\x00",
    ):
        await raw(carillon, "/events", body)
    await raw(carillon, "/events", json.dumps({"message": BODY}), {"X-API-Key": WRONG_KEY})
    await raw(carillon, "/events", "{}", {"Authorization": f"Bearer {WRONG_KEY}", "traceparent": BODY})
    for path in (f"/unsubscribe/{UNSUBSCRIBE}", "/callbacks/twilio", f"/callbacks/email?{NAME}={DOMAIN}", f"/{NAME}"):
        await raw(carillon, path, f"To={PHONE}&Body={BODY}")
    where = urlsplit(carillon.instance.url)
    for line in (f"{BODY} / HTTP/9\r\n\r\n", f"GET /{BODY} HTTP/1.1\r\nX: {KEY}\x00\r\n\r\n"):
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(line.encode())
        await asyncio.wait_for(reader.read(), 10)
        writer.close()
    async with carillon.http.ws_connect(f"{carillon.instance.url.replace('http', 'ws', 1)}/ws/fine") as socket:
        await socket.send_str(f'{{"type": "{BODY}"')
        await socket.receive()


async def post(carillon: Client, event: dict[str, Any]) -> str:
    """POST an event that is accepted; return the id of its notification."""
    async with carillon.http.post(f"{carillon.instance.url}/events", json=event) as answer:
        assert answer.status == 202, await answer.text()
        return str((await answer.json())["id"])


async def raw(carillon: Client, path: str, body: str, headers: dict[str, str] | None = None) -> None:
    """POST anything anywhere."""
    said = {"Content-Type": "application/json", **(headers or {})}
    async with carillon.http.post(f"{carillon.instance.url}{path}", data=body.encode(), headers=said) as answer:
        await answer.read()


async def until_told(instance: Instance, *said: str) -> None:
    """Wait until the log has said all of this."""
    async with asyncio.timeout(90):
        while not all(one in (instance.folder / "log").read_text() for one in said):  # noqa: ASYNC110
            await asyncio.sleep(0.2)


async def everything_written(instance: Instance) -> str:
    """End it, and collect what it wrote: to both outputs, and into files of its own."""
    instance.process.terminate()
    assert instance.process.stdout is not None
    said = (await asyncio.wait_for(instance.process.stdout.read(), 60)).decode()
    await instance.process.wait()
    logs = [path for path in instance.folder.rglob("*") if path.name == "log" or ".log" in path.name]
    assert logs
    return said + "".join(path.read_text(errors="replace") for path in logs if path.is_file())


@pytest.mark.parametrize(
    "name", [EMBEDDED, *(pytest.param(name, marks=pytest.mark.rabbit) for name in (ONE_PROCESS, PROCESSES))]
)
async def test_whatever_goes_wrong_nobodys_data_and_no_secret_is_in_what_is_written(
    name: str, request: pytest.FixtureRequest, postgres: PostgresForTests
) -> None:
    settings: dict[str, str] = {}
    if name != EMBEDDED:
        node: PrivateNode = request.getfixturevalue("node")
        settings = await emptied(node, postgres)
    headers = {"X-API-Key": KEY}
    async with telltale() as providers:
        way = WAYS[name](settings)
        way = replace(way, settings={**way.settings, **providers})
        async with (
            private_instance(*way.options, **way.settings) as instance,
            aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=30)) as http,
        ):
            carillon = Client(instance, http)
            await people(carillon)
            expected = ["a notification needs a person"]
            if name != EMBEDDED:
                store = Store(settings["DATABASE_URL"])
                await store.open()
                for statement in (BOOM, BOOM_WHEN):
                    await store.database.run(statement)
                await store.close()
                await asyncio.to_thread(publish_garbage, settings["AMQP_URL"])
                expected.append("a step failed unexpectedly")

            await trouble(carillon)
            await until_told(instance, *expected)
            written = await everything_written(instance)

    found = [secret for secret in (*SECRETS, *MORE) if secret in written]
    assert found == [], [line for line in written.splitlines() if any(secret in line for secret in found)][:5]
    lines = [line for line in written.splitlines() if line.startswith("{")]
    assert len(lines) > 5
    assert all(json.loads(line)["level"] for line in lines)
