"""The HTTP face of templates."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from functions.templates import operations
from functions.templates.documents import (
    ListAnswer,
    ListedAnswer,
    MadeAnswer,
    PreviewAnswer,
    PreviewDocument,
    PublishDocument,
    PublishedAnswer,
    TemplateDocument,
    VersionsAnswer,
    WholeDocument,
)
from functions.templates.previewing import preview
from functions.templates.reading import name_cursor, name_in, read_document, version_cursor, version_in
from functions.templates.showing import show
from functions.templates.writing import replacing_all, with_words
from shared.access import Caller
from shared.errors import Refused
from shared.rendering import built_in
from shared.runtime import Resources
from shared.step import ApiWork, routes
from shared.store.templates import Revise
from shared.templates import TemplateVersion

PAGE = 100


class TemplatesApi(ApiWork):
    """Templates, their versions, and previews."""

    def __init__(self, resources: Resources) -> None:
        self._templates = resources.store.templates
        super().__init__(
            routes(
                resources.gate,
                {
                    operations.POST_TEMPLATE: self.post,
                    operations.LIST_TEMPLATES: self.list,
                    operations.GET_TEMPLATE: self.get,
                    operations.PUT_TEMPLATE: self.put,
                    operations.DELETE_TEMPLATE: self.delete,
                    operations.LIST_VERSIONS: self.versions,
                    operations.GET_VERSION: self.version,
                    operations.PUBLISH_TEMPLATE: self.publish,
                    operations.PREVIEW_TEMPLATE: self.preview,
                },
            )
        )

    async def post(self, request: Request, caller: Caller) -> Response:
        """Write the words for one channel and language; the others stay."""
        document = await read_document(request, TemplateDocument)
        return await self._add(caller, document.name, with_words(document), publish=not document.draft)

    async def put(self, request: Request, caller: Caller) -> Response:
        """Write all words."""
        name, document = name_in(request), await read_document(request, WholeDocument)
        return await self._add(caller, name, replacing_all(document), publish=not document.draft)

    async def _add(self, caller: Caller, name: str, revise: Revise, *, publish: bool) -> Response:
        made, is_new = await self._templates.add(caller.tenant, name, revise, publish=publish, made_by=caller.name)
        published = made.version if publish else await self._templates.published(caller.tenant, name)
        return _answer(await asyncio.to_thread(show, made, published), 201 if is_new else 200)

    async def list(self, request: Request, caller: Caller) -> Response:
        """List a page by name."""
        found = await self._templates.listing(caller.tenant, after=name_cursor(request), limit=PAGE + 1)
        page = tuple(ListedAnswer.model_validate(one, from_attributes=True) for one in found[:PAGE])
        return _answer(ListAnswer(templates=page, next_cursor=page[-1].name if len(found) > PAGE else None))

    async def get(self, request: Request, caller: Caller) -> Response:
        """Show the published version, else the latest; where a tenant has none, ours."""
        version, published = await self._current(caller, name_in(request))
        return _answer(await asyncio.to_thread(show, version, published))

    async def versions(self, request: Request, caller: Caller) -> Response:
        """List a page of versions."""
        before = version_cursor(request)
        found = await self._templates.versions(caller.tenant, name_in(request), before=before, limit=PAGE + 1)
        if not found:
            raise _not_found()
        page = tuple(MadeAnswer.model_validate(one, from_attributes=True) for one in found[:PAGE])
        return _answer(VersionsAnswer(versions=page, next_cursor=str(page[-1].version) if len(found) > PAGE else None))

    async def version(self, request: Request, caller: Caller) -> Response:
        """Show one version."""
        name = name_in(request)
        found = await self._version(caller, name, version_in(request))
        published = await self._templates.published(caller.tenant, name)
        return _answer(await asyncio.to_thread(show, found, published))

    async def publish(self, request: Request, caller: Caller) -> Response:
        """Publish a version; an older one is a rollback."""
        name, document = name_in(request), await read_document(request, PublishDocument)
        published = await self._templates.publish(caller.tenant, name, document.version)
        if published is None:
            raise _not_found()
        return _answer(PublishedAnswer(name=name, published=published))

    async def delete(self, request: Request, caller: Caller) -> Response:
        """Let nobody get it any more."""
        if not await self._templates.delete(caller.tenant, name_in(request)):
            raise _not_found()
        return Response(status_code=204)

    async def preview(self, request: Request, caller: Caller) -> Response:
        """Write it as each channel would get it."""
        name, asked = name_in(request), await read_document(request, PreviewDocument)
        if asked.version is None:
            version, _ = await self._current(caller, name)
        else:
            version = await self._version(caller, name, asked.version)
        previews = await asyncio.to_thread(preview, version, asked)
        if not previews:
            raise Refused(404, "Not found", "This template has no words for this channel.", field="channel")
        absent = tuple(sorted({path for one in previews for path in one.missing}))
        return _answer(PreviewAnswer(name=name, version=version.version, missing=absent, previews=tuple(previews)))

    async def _current(self, caller: Caller, name: str) -> tuple[TemplateVersion, int | None]:
        found = await self._templates.current(caller.tenant, name)
        if found:
            return found
        ours = built_in(name)
        if ours is None:
            raise _not_found()
        return ours, None

    async def _version(self, caller: Caller, name: str, version: int) -> TemplateVersion:
        found = await self._templates.version(caller.tenant, name, version)
        if found is None:
            raise _not_found()
        return found


def _answer(document: BaseModel, status: int = 200) -> Response:
    return Response(document.model_dump_json(), status_code=status, media_type="application/json")


def _not_found() -> Refused:
    return Refused(404, "Not found", "There is no such template or version.")
