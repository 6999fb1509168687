"""The inbox, as the functions share it: how it is marked, how it is told of, and how it is written."""

from shared.inbox.documents import InboxItem, InboxPage, frame, write_item
from shared.inbox.marking import Marking
from shared.inbox.paging import read_page

__all__ = ["InboxItem", "InboxPage", "Marking", "frame", "read_page", "write_item"]
