"""Know the people and the rules: users, their devices, and workflows.

takes   /users and what belongs to each, /preferences/defaults, /erasures/{id}, /workflows
gives   nothing
status  none
"""

from __future__ import annotations

from functions.directory.api import DirectoryApi
from functions.directory.operations import OPERATIONS
from shared.step import Api

FUNCTION = Api(name="directory", open=DirectoryApi, operations=OPERATIONS)
