"""What the intake offers."""

from __future__ import annotations

from functions.ingest.posting_operations import POSTING
from functions.ingest.status_operations import STATUS_OPERATIONS

OPERATIONS = (*POSTING, *STATUS_OPERATIONS)
