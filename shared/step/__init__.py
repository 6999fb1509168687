"""The step frame: how a function is defined, and what it answers."""

from shared.step.answers import DONE, LATER, Done
from shared.step.definition import Api, ApiWork, Endpoint, Step, delivery, over_sets
from shared.step.frame import Frame
from shared.step.guarding import Handler, guarded, routes
from shared.step.target import answer

__all__ = [
    "DONE",
    "LATER",
    "Api",
    "ApiWork",
    "Done",
    "Endpoint",
    "Frame",
    "Handler",
    "Step",
    "answer",
    "delivery",
    "guarded",
    "over_sets",
    "routes",
]
