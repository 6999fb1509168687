"""What the matrix of isolation stands on: one tenant that has everything, callers of every kind, and all operations.

Operations are read from their tables, so that one that is added is covered by itself.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from shared import serve
from shared.access import SCOPES, Access, Caller
from shared.auth.key_format import digest, make_key
from shared.operations import JSON, Operation
from shared.runtime import Resources
from shared.serve import App
from shared.statuses import Channel
from shared.store import Store
from shared.store.directory import User
from shared.store.keys import NewKey
from tests.asgi import call
from tests.signers import SECRET, by_hand, claims, signed

FOLDERS = sorted(path.parent.name for path in Path("functions").glob("*/operations.py"))
OPERATIONS: list[tuple[str, Operation]] = [
    (folder, operation) for folder in FOLDERS for operation in serve.load(folder).FUNCTION.operations
]

OURS, OTHERS = "acme", "globex"
USER, NEIGHBOUR = "7", "8"
MARKER = "acme-marker"
"""In whatever is ours, and in no address: who reads it has read something of ours."""
NOTHING_THERE = str(uuid4())
SETTINGS = {"api_keys": "acme:acme-root,globex:globex-root", "jwt_secret": SECRET, "rate_limit_per_user": "off"}
LONGEST_CALL_SECONDS = 20.0
_POLICY = json.dumps({"critical": [MARKER]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who calls, with what they show, and who they are; None: nobody."""

    name: str
    headers: Mapping[str, str]
    caller: Caller | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What one call was answered."""

    status: int
    body: bytes


async def furnish(store: Store, resources: Resources) -> dict[str, str]:
    """Give our tenant one of everything; return the ids, by what stands before them in an address."""
    for tenant in (OURS, OTHERS):
        await store.directory.put_users(
            tenant,
            [User(id=key, name=f"{tenant}-marker", email=f"{tenant}-marker@example.test") for key in (USER, "8")],
        )
    await store.devices.register(OURS, USER, provider="fcm", token="device-1", platform=MARKER)
    await store.directory.put_workflow(OURS, "order_shipped", {"category": MARKER})
    await store.suppressions.put(OURS, Channel.EMAIL, "gone@example.test", MARKER)
    notification = await _post(resources)
    further = await _furnish_further(store, resources, notification)
    await store.database.run("UPDATE notifications SET status = 'compensating'")
    await store.database.run("UPDATE notifications SET status = 'failed', reason = %s", (MARKER,))
    letter = uuid4()
    await store.database.run(
        "INSERT INTO dead_letters (id, tenant, kind, notification_id, reason) VALUES (%s, %s, 'notification', %s, %s)",
        (letter, OURS, notification, MARKER),
    )
    await store.database.run(
        "INSERT INTO inbox (tenant, user_id, cursor, notification_id, epoch, content) VALUES (%s, %s, 1, %s, 0, %s)",
        (OURS, USER, notification, json.dumps({"message": MARKER})),
    )
    key = await _keep_key(store, OURS, [Access.READ], name=MARKER)
    return {
        "users": USER, "notifications": str(notification), "dead-letters": str(letter), "keys": str(key[0]),
        "user_id": USER, "event_type": "order_shipped", "channel": "email", "address": "gone@example.test",
        "token": "device-1", **further,
    }  # fmt: skip


async def _furnish_further(store: Store, resources: Resources, notification: UUID) -> dict[str, str]:
    """Give them what one request makes of many things, and what is made over time."""
    words = {"name": "shipped", "channel": "email", "body": MARKER}
    headers = {"x-api-key": "acme-root", "content-type": JSON}
    templates = serve.build("templates", resources)
    answer = await call(templates, "POST", "/templates", json.dumps(words).encode(), headers)
    await templates.drain()
    assert answer.status == 201
    await store.directory.put_preference(OURS, USER, "news", Channel.SMS, enabled=False)
    await store.database.run("INSERT INTO contact_policies (tenant, definition) VALUES (%s, %s)", (OURS, _POLICY))
    fan_out, erasure = uuid4(), uuid4()
    await store.database.run(
        """INSERT INTO fan_outs (id, tenant, event_type, body_hash, event, user_ids, total)
        VALUES (%s, %s, %s, '', '{}', %s, 1)""",
        (fan_out, OURS, MARKER, [USER]),
    )
    await store.database.run(
        "INSERT INTO digests (id, tenant, key, phase, joined) VALUES (%s, %s, %s, 'closed', 1)",
        (notification, OURS, uuid4()),
    )
    await store.database.run(
        "INSERT INTO erasures (id, tenant, alias, look_at, finished_at) VALUES (%s, %s, %s, NULL, clock_timestamp())",
        (erasure, OURS, MARKER),
    )
    return {"fan-outs": str(fan_out), "erasures": str(erasure), "name": "shipped", "version": "1"}


async def _post(resources: Resources) -> UUID:
    event = {"event_type": "order_shipped", "user_id": USER, "data": {"message": MARKER}}
    headers = {"x-api-key": "acme-root", "content-type": JSON}
    answer = await call(serve.build("ingest", resources), "POST", "/events", json.dumps(event).encode(), headers)
    return UUID(answer.document["id"])


async def _keep_key(store: Store, tenant: str, scopes: list[Access], *, name: str = "key") -> tuple[UUID, str]:
    key = make_key()
    made = await store.keys.make(
        NewKey(
            id=uuid4(), tenant=tenant, hash=digest(key), name=name, scopes=scopes, rate_limit=None, expires_at=None,
            created_by="tests",
        )
    )  # fmt: skip
    return made.id, key


async def strangers(store: Store) -> list[Visitor]:
    """List those whom nobody knows."""
    revoked, key = await _keep_key(store, OURS, list(SCOPES))
    await store.keys.revoke(OURS, revoked)
    expired, old_key = await _keep_key(store, OURS, list(SCOPES))
    await store.database.run("UPDATE api_keys SET expires_at = clock_timestamp() WHERE id = %s", (expired,))
    shown = {
        "nothing": {},
        "an unknown key": {"x-api-key": "acme"},
        "a well-formed key that nobody has": {"x-api-key": make_key()},
        "a revoked key": {"x-api-key": key},
        "an expired key": {"authorization": f"Bearer {old_key}"},
        "a forged token": bearer(signed("another secret that has more than 32 bytes", sub=USER)),
        "an expired token": bearer(signed(sub=USER, exp=1)),
        "an unsigned token": bearer(by_hand({"alg": "none"}, claims(sub=USER))),
        "a token for somebody else": bearer(signed(sub=USER, aud="shop")),
        "a token without a tenant": bearer(signed(sub=USER, tenant=None)),
    }
    return [Visitor(name=name, headers=headers, caller=None) for name, headers in shown.items()]


async def acquaintances(store: Store) -> list[Visitor]:
    """List those whom we know: keys with one scope each, and people."""
    keys = {scope: await _keep_key(store, OURS, [scope]) for scope in SCOPES}
    found = [
        Visitor(
            name=f"a key with {scope}",
            headers=bearer(key),
            caller=Caller(tenant=OURS, name="", scopes=frozenset({scope})),
        )
        for scope, (_, key) in keys.items()
    ]
    people = [person(OURS, USER), person(OURS, NEIGHBOUR)]
    return [*found, root(OURS), *people, *[operator(OURS, NEIGHBOUR, scope) for scope in SCOPES]]


def root(tenant: str) -> Visitor:
    """Come with a tenant's key of the environment."""
    caller = Caller(tenant=tenant, name="", scopes=frozenset(SCOPES))
    return Visitor(name=f"the root key of {tenant}", headers={"x-api-key": f"{tenant}-root"}, caller=caller)


def person(tenant: str, user_id: str) -> Visitor:
    """Come with somebody's token."""
    caller = Caller(tenant=tenant, name="", user_id=user_id)
    headers = bearer(signed(sub=user_id, tenant=tenant))
    return Visitor(name=f"{user_id} of {tenant}", headers=headers, caller=caller)


def operator(tenant: str, user_id: str, scope: Access) -> Visitor:
    """Come with somebody's token that has a scope."""
    caller = Caller(tenant=tenant, name="", user_id=user_id, scopes=frozenset({scope}))
    headers = bearer(signed(sub=user_id, tenant=tenant, scope=f"openid carillon:{scope}"))
    return Visitor(name=f"{user_id} of {tenant} with {scope}", headers=headers, caller=caller)


def bearer(text: str) -> dict[str, str]:
    """Write the header."""
    return {"authorization": f"Bearer {text}"}


def expected(operation: Operation, visitor: Visitor) -> int | None:
    """Say which status the gate must answer, by the operation's access alone; None: it lets them in."""
    who, access = visitor.caller, operation.access
    if access is Access.PUBLIC:
        return None
    if who is None:
        return 401
    if access is not Access.PERSON:
        return None if access in who.scopes else 403
    if who.user_id == USER:
        return None
    enough = {Access.MANAGE, Access.READ} if operation.method == "GET" else {Access.MANAGE}
    return None if who.scopes & enough else 403


LOOKS_INTO_AN_INBOX = 10


class Building:
    """Every function that clients call, over one store."""

    def __init__(self, resources: Resources, ids: Mapping[str, str]) -> None:
        self.apps: dict[str, App] = {folder: serve.build(folder, resources) for folder in FOLDERS}
        self._ids = ids

    async def visit(self, folder: str, operation: Operation, visitor: Visitor) -> Seen:
        """Call an operation about what is ours."""
        enter = _open_socket if 101 in operation.gives else _request
        async with asyncio.timeout(LONGEST_CALL_SECONDS):
            return await enter(self.apps[folder], operation, self.address(operation), visitor)

    async def close(self) -> None:
        """Let every function finish."""
        for app in self.apps.values():
            await app.drain()

    def address(self, operation: Operation) -> str:
        """Write the address of what is ours; of what nobody has thought of here, one where nothing is."""
        parts = operation.path.split("/")
        written = [self._part(before, part) for before, part in zip(["", *parts], parts, strict=False)]
        query = "&".join(f"{one.name}={_some(one.schema)}" for one in operation.parameters if one.is_required)
        return "/".join(written) + (f"?{query}" if query else "")

    def _part(self, before: str, part: str) -> str:
        found = re.fullmatch(r"{(\w+)(?::path)?}", part)
        if not found:
            return part
        return self._ids.get(before if found[1] == "id" else found[1], NOTHING_THERE)


def _some(schema: Mapping[str, Any]) -> str:
    return str(schema.get("enum", ["1"])[0])


async def _request(app: App, operation: Operation, address: str, visitor: Visitor) -> Seen:
    media_type = next(iter(operation.takes), None)
    document = {} if operation.example is None else operation.example
    body = json.dumps(document).encode() if media_type else b""
    headers = {**visitor.headers, **({"content-type": media_type} if media_type else {})}
    answer = await call(app, operation.method, address, body, headers)
    return Seen(answer.status, answer.body)


async def _open_socket(app: App, operation: Operation, address: str, visitor: Visitor) -> Seen:
    """Open a WebSocket, take one frame if one comes, and leave."""
    sent: list[Any] = []
    is_seen = asyncio.Event()
    coming = [{"type": "websocket.connect"}]

    async def receive() -> dict[str, Any]:
        if coming:
            return coming.pop()
        await is_seen.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] in {"websocket.send", "websocket.close"}:
            is_seen.set()

    scope = {
        "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "path": address,
        "raw_path": address.encode(), "root_path": "", "scheme": "ws", "query_string": b"since=0", "subprotocols": [],
        "headers": [(name.encode(), value.encode()) for name, value in visitor.headers.items()],
        "extensions": {"websocket.http.response": {}}, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000),
    }  # fmt: skip
    talk = asyncio.ensure_future(app(scope, receive, send))
    for _ in range(LOOKS_INTO_AN_INBOX):
        if not talk.done() and not is_seen.is_set():
            await asyncio.wait({talk}, timeout=0.2)
    is_seen.set()  # an inbox that is empty has nothing to send: theirs, or ours once its person is forgotten
    await talk
    kinds = {message["type"]: message for message in sent}
    if "websocket.http.response.start" in kinds:
        return Seen(kinds["websocket.http.response.start"]["status"], kinds["websocket.http.response.body"]["body"])
    text = "".join(message.get("text", "") for message in sent)
    return Seen(101, text.encode())


async def belongings(store: Store, tenant: str = OURS) -> dict[str, list[str]]:
    """Write down every row of a tenant, but for when a key was last used."""
    tables = await store.database.fetch(
        """SELECT table_name FROM information_schema.columns
        WHERE column_name = 'tenant' AND table_schema = 'public' ORDER BY 1"""
    )
    rows = {}
    for (table,) in tables:
        query = f"SELECT (to_jsonb(t) - 'last_used_at')::text FROM {table} t WHERE tenant = %s ORDER BY 1"
        rows[str(table)] = [str(row[0]) for row in await store.database.fetch(query, (tenant,))]
    return rows
