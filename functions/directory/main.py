"""Know the people and the rules: users, their devices, and workflows.

takes   /users, /users/{id} with its preferences and devices, /preferences/defaults, /erasures/{id}, /workflows/{event_type}
gives   nothing
status  none
"""

from __future__ import annotations

from functions.directory.api import DirectoryApi
from functions.directory.operations import OPERATIONS
from shared.step import Api

FUNCTION = Api(name="directory", open=DirectoryApi, operations=OPERATIONS)
