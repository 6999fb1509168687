"""Users over HTTP: one by one, by the page, and up to a thousand at once."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.directory.documents import (
    BulkAnswer,
    BulkDocument,
    BulkResult,
    BulkStatus,
    NewUserDocument,
    UserAnswer,
    UserDocument,
    UserPatch,
    UsersAnswer,
)
from functions.directory.operations import CREATE_USER, GET_USER, LIST_USERS, PATCH_USER, PUT_USER, PUT_USERS
from functions.directory.reading import USER_ID, answer, read_document, read_path
from shared.access import Caller
from shared.addresses import Email, Phone
from shared.errors import Refused
from shared.operations import Operation
from shared.problems import problem, refused_fields
from shared.runtime import Resources
from shared.step import Handler
from shared.store.directory import User
from shared.store.users import Page

MAX_BULK_BYTES = 2_000_000
PAGE = 100
LONGEST_CURSOR = 800
FILTERS: Mapping[str, TypeAdapter[str]] = {"email": TypeAdapter(Email), "phone": TypeAdapter(Phone)}


class UserRoutes:
    """Create, replace, change, show and list."""

    def __init__(self, resources: Resources) -> None:
        self._users = resources.store.users
        self._directory = resources.store.directory

    async def create(self, request: Request, caller: Caller) -> Response:
        """Create a user; without an id one is made."""
        document = await read_document(request, NewUserDocument)
        user = User(id=document.id or str(uuid4()), **document.model_dump(exclude={"id"}))
        if not await self._users.create(caller.tenant, user):
            raise Refused(409, "User exists", "There is a user with this id. PUT replaces it.", field="id")
        return answer(_shown(user), 201)

    async def put(self, request: Request, caller: Caller) -> Response:
        """Create or replace a user."""
        key = read_path(request, "id", USER_ID)
        user = User(id=key, **(await read_document(request, UserDocument)).model_dump())
        await self._users.put(caller.tenant, [user])
        return answer(_shown(user))

    async def put_all(self, request: Request, caller: Caller) -> Response:
        """Create or replace up to a thousand users; what is wrong with one is its own answer."""
        document = await read_document(request, BulkDocument, MAX_BULK_BYTES)
        seen: dict[str, User] = {}
        read = [_one_of_many(said, seen) for said in document.users]
        is_new = await self._users.put(caller.tenant, list(seen.values()))
        results = [
            BulkResult(problem=problem(found))
            if isinstance(found, Refused)
            else BulkResult(id=found, status=BulkStatus.CREATED if is_new[found] else BulkStatus.UPDATED)
            for found in read
        ]
        return JSONResponse(BulkAnswer(results=results).model_dump(mode="json", exclude_none=True))

    async def patch(self, request: Request, caller: Caller) -> Response:
        """Change what is named; null takes away."""
        key = read_path(request, "id", USER_ID)
        said = (await read_document(request, UserPatch)).model_dump(exclude_unset=True)
        changed = await self._users.change(caller.tenant, key, lambda user: _merged(user, said))
        if changed is None:
            raise unknown_user()
        return answer(_shown(changed))

    async def get(self, request: Request, caller: Caller) -> Response:
        """Show a user."""
        user = await self._directory.user(caller.tenant, read_path(request, "id", USER_ID))
        if user is None:
            raise unknown_user()
        return answer(_shown(user))

    async def list(self, request: Request, caller: Caller) -> Response:
        """List a page in the order of the ids: `?email=` or `?phone=`, and the cursor of the page before."""
        query = request.query_params
        asked = [name for name in FILTERS if name in query]
        if len(asked) > 1:
            raise Refused(422, "Invalid filter", "It is one filter at a time: email or phone.", field=asked[-1])
        found = [(name, _address(name, query[name])) for name in asked]
        after = _read_cursor(query["cursor"]) if "cursor" in query else ""
        page = Page(after=after, limit=PAGE + 1, filter=found[0] if found else None)
        users = await self._users.listing(caller.tenant, page)
        following = _write_cursor(users[PAGE - 1].id) if len(users) > PAGE else None
        return answer(UsersAnswer(users=[_shown(user) for user in users[:PAGE]], next_cursor=following))


def unknown_user() -> Refused:
    """Say that there is none."""
    return Refused(404, "Not found", "There is no user with this id.")


def user_handlers(resources: Resources) -> dict[Operation, Handler]:
    """Say who does what."""
    users = UserRoutes(resources)
    return {
        CREATE_USER: users.create,
        LIST_USERS: users.list,
        PUT_USERS: users.put_all,
        PUT_USER: users.put,
        PATCH_USER: users.patch,
        GET_USER: users.get,
    }


def _shown(user: User) -> UserAnswer:
    fields = {name: getattr(user, name) for name in UserAnswer.model_fields}
    return UserAnswer.model_construct(**fields)  # it was checked where it came in


def _one_of_many(said: dict[str, Any], seen: dict[str, User]) -> str | Refused:
    """Check one of a set: an id that comes twice would leave it to chance which one counts."""
    try:
        document = NewUserDocument.model_validate(said)
    except ValidationError as broken:
        return refused_fields(broken)
    key = document.id or str(uuid4())
    if key in seen:
        return Refused(422, "Invalid request", "Another user of this set has the same id.", field="id")
    seen[key] = User(id=key, **document.model_dump(exclude={"id"}))
    return key


def _merged(user: User, said: Mapping[str, Any]) -> User:
    """Lay what was said over what is known; a name and a locale that are taken away are as never said."""
    known = {name: getattr(user, name) for name in UserDocument.model_fields}
    merged = {name: value for name, value in {**known, **said}.items() if value is not None}
    return User(id=user.id, **UserDocument.model_construct(**merged).model_dump())


def _address(name: str, text: str) -> str:
    try:
        return FILTERS[name].validate_python(text)
    except ValidationError:
        raise Refused(422, "Invalid filter", f"It must be one {name} address or number.", field=name) from None


def _write_cursor(last: str) -> str:
    return urlsafe_b64encode(last.encode()).decode()


def _read_cursor(text: str) -> str:
    try:
        after = urlsafe_b64decode(text[:LONGEST_CURSOR].encode("ascii")).decode()
    except ValueError:
        after = ""
    if not USER_ID.fullmatch(after):
        raise Refused(422, "Invalid cursor", "It must be the next_cursor of a page.", field="cursor")
    return after
