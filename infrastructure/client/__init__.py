"""A client for Python: typed, and patient in the way that the API asks for.

async with Carillon("http://localhost:8000", key="KEY") as carillon:
    accepted = await carillon.send(Event(event_type="order_created", user_id=1, data={"message": "Hello"}))
    notification = await carillon.wait_for(accepted.id)
"""

from infrastructure.client.carillon import Carillon
from infrastructure.client.documents import Accepted, Attempt, Delivery, Event, Notification
from infrastructure.client.problems import Problem, RequestRefused, ServiceUnavailable, StillUnderWay

__all__ = [
    "Accepted",
    "Attempt",
    "Carillon",
    "Delivery",
    "Event",
    "Notification",
    "Problem",
    "RequestRefused",
    "ServiceUnavailable",
    "StillUnderWay",
]
