"""The broker: whether it is there, declared as the table says, and taking messages."""

from __future__ import annotations

from infrastructure.doctor import management
from infrastructure.doctor.findings import Finding, World, fault, ok, warning
from shared.broker import topology
from shared.broker.examining import BrokerFacts, examine
from shared.errors import BrokerUnavailable

ABOUT = "broker"
DECLARE = "any function declares it at its start: carillon up, carillon serve"
POLICY = (
    "a policy with delivery-limit -1 on the queues of infrastructure/rabbitmq/definitions.json: "
    "else its default of 20 drops what comes back often"
)
LIMITED_FROM = 4
"""The major version from which a quorum queue without a limit of its own has one."""


async def look(world: World) -> list[Finding]:
    """Look at it."""
    if world.settings.k_sink is not None:
        return [ok(ABOUT, "a sink: Knative's dispatchers bring messages, and nothing here can look into their queues")]
    if world.settings.amqp_url is None:
        return [ok(ABOUT, "built in: messages stay in the process of carillon up")]
    url = world.settings.amqp_url.get_secret_value()
    try:
        facts = await examine(url)
    except BrokerUnavailable as away:
        return [fault(ABOUT, f"cannot be asked: {away}", "see AMQP_URL; is RabbitMQ up?")]
    findings = [ok(ABOUT, f"{facts.product} {facts.version}"), *_topology(facts), _alarm(facts)]
    return [*findings, *_consumers(facts), *await _limit(facts, url)]


def _topology(facts: BrokerFacts) -> list[Finding]:
    if facts.missing:
        return [fault(ABOUT, f"not declared: {', '.join(facts.missing)}", DECLARE)]
    if facts.different:
        said = "; ".join(f"{name}: {why}" for name, why in facts.different.items())
        return [
            fault(ABOUT, f"declared otherwise: {said}", "delete it while no Carillon runs; the sweep owes what it held")
        ]
    return [ok(ABOUT, f"{len(facts.queues)} queues are declared as the table says")]


def _alarm(facts: BrokerFacts) -> Finding:
    if facts.takes_messages:
        return ok(ABOUT, "it takes messages")
    return fault(ABOUT, "it takes no messages: a memory or disk alarm", "rabbitmq-diagnostics alarms; make room")


def _consumers(facts: BrokerFacts) -> list[Finding]:
    work = {queue.name: queue for queue in facts.queues if queue.name in topology.WORK_QUEUES}
    alone = [queue for queue in work.values() if not queue.consumers]
    waiting = [f"{queue.name} ({queue.messages} messages)" for queue in alone if queue.messages]
    if waiting:
        found = f"messages wait, and nobody takes them: {', '.join(waiting)}"
        return [warning(ABOUT, found, "do the functions and the sources run?")]
    if alone and len(alone) < len(work):
        return [warning(ABOUT, f"nobody takes from {', '.join(queue.name for queue in alone)}", "is a source missing?")]
    return [ok(ABOUT, "no Carillon runs on it" if alone else "every work queue is taken from")]


async def _limit(facts: BrokerFacts, url: str) -> list[Finding]:
    """Look for the limit that 4.x has of its own. Policies are told by the management API alone, where there is one."""
    if not facts.version.partition(".")[0].isdecimal() or int(facts.version.partition(".")[0]) < LIMITED_FROM:
        return [ok(ABOUT, "its queues have no delivery limit of their own")]
    limits = await management.delivery_limits(url)
    if limits is None:
        return [warning(ABOUT, "whether a policy lifts the delivery limit cannot be seen over AMQP", POLICY)]
    limited = sorted(name for name in topology.WORK_QUEUES if name in limits and limits[name] != -1)
    if limited:
        return [fault(ABOUT, f"a delivery limit is on {', '.join(limited)}", POLICY)]
    return [ok(ABOUT, "a policy lifts the delivery limit")]
