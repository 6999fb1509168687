"""What the sandbox offers, where it is on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, RootModel

from infrastructure.sandbox.behaviours import Behaviour
from infrastructure.sandbox.moods import Moods, Outage
from shared.access import Access
from shared.operations import JSON, Answer, Operation, Parameter
from shared.statuses import Channel

PREFIX = "/sandbox"


class Switches(BaseModel):
    """How a provider's stand-in feels; what is left out is as when all is well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_seconds: Annotated[float, Field(strict=True, ge=0, le=3600)] = 0.0
    error_rate: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.0
    outage: Outage | None = None

    @classmethod
    def of(cls, moods: Moods) -> Switches:
        """Read the switches of a stand-in."""
        return cls(latency_seconds=moods.latency_seconds, error_rate=moods.error_rate, outage=moods.outage)

    def turn(self, moods: Moods) -> None:
        """Turn the switches of a stand-in."""
        moods.latency_seconds, moods.error_rate, moods.outage = self.latency_seconds, self.error_rate, self.outage


class SandboxMessage(BaseModel):
    """A message as a stand-in received it."""

    channel: Channel
    to: str
    sender: Annotated[str, Field(alias="from")]
    subject: str
    text: str
    html: str | None
    headers: dict[str, str]
    size_bytes: int
    received_at: datetime
    message_id: str


class SandboxMessages(RootModel[list[SandboxMessage]]):
    """The newest messages, the newest first."""


class SandboxProviders(RootModel[dict[str, Switches]]):
    """The switches of every stand-in."""


class SandboxRecipient(BaseModel):
    """Whom to write to for one behaviour; null where a channel has nobody like that."""

    behaviour: Behaviour
    email: str | None
    sms: str | None
    whatsapp: str | None
    telegram: str | None
    push: str | None


class SandboxRecipients(RootModel[list[SandboxRecipient]]):
    """Whom to write to for which misbehaviour."""


LIST_MESSAGES = Operation(
    name="list_sandbox_messages",
    method="GET",
    path=f"{PREFIX}/messages",
    access=Access.READ,
    summary="List the newest messages that the stand-ins received.",
    tag="sandbox",
    parameters=(
        Parameter(
            name="channel", about="Of this channel alone.", schema={"enum": [channel.value for channel in Channel]}
        ),
        Parameter(name="to", about="To this address alone.", schema={"type": "string"}),
    ),
    gives={200: Answer(about="The messages.", model=SandboxMessages)},
    refuses=frozenset({422}),
)
FORGET_MESSAGES = Operation(
    name="forget_sandbox_messages",
    method="DELETE",
    path=f"{PREFIX}/messages",
    access=Access.MANAGE,
    summary="Forget what the stand-ins received.",
    tag="sandbox",
    gives={204: Answer(about="They are forgotten.")},
)
LIST_PROVIDERS = Operation(
    name="list_sandbox_providers",
    method="GET",
    path=f"{PREFIX}/providers",
    access=Access.READ,
    summary="Show how every stand-in feels.",
    tag="sandbox",
    gives={200: Answer(about="Their switches.", model=SandboxProviders)},
)
TURN_PROVIDER = Operation(
    name="turn_sandbox_provider",
    method="PUT",
    path=f"{PREFIX}/providers/{{name}}",
    access=Access.MANAGE,
    summary="Make a stand-in slow, unreliable or absent, or well again.",
    tag="sandbox",
    parameters=(
        Parameter(
            name="name",
            about="Whom it stands in for.",
            schema={"type": "string", "minLength": 1, "examples": ["smtp"]},
            place="path",
        ),
    ),
    takes={JSON: Switches},
    gives={200: Answer(about="Its switches.", model=Switches)},
    refuses=frozenset({400, 404, 422}),
    example={"latency_seconds": 0.1, "error_rate": 0.05},
)
LIST_RECIPIENTS = Operation(
    name="list_sandbox_recipients",
    method="GET",
    path=f"{PREFIX}/recipients",
    access=Access.READ,
    summary="List whom to write to for which misbehaviour.",
    tag="sandbox",
    gives={200: Answer(about="The recipients.", model=SandboxRecipients)},
)
OPERATIONS = (LIST_MESSAGES, FORGET_MESSAGES, LIST_PROVIDERS, TURN_PROVIDER, LIST_RECIPIENTS)
