"""Keep what a tenant says in its own words: templates, their versions, and how they would look.

takes   POST and GET /templates, GET, PUT and DELETE /templates/{name}, its versions, publish and preview
gives   nothing
status  none
"""

from __future__ import annotations

from functions.templates.api import TemplatesApi
from functions.templates.operations import OPERATIONS
from shared.step import Api

FUNCTION = Api(name="templates", open=TemplatesApi, operations=OPERATIONS)
