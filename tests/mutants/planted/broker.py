"""Bugs between the steps: what is published, confirmed, acknowledged and delivered again."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BROKER = "tests/contract/test_broker.py"
RABBIT = "tests/integration/test_rabbitmq.py"
SOURCES = "tests/unit/test_sources.py"

PLANTED = (
    Mutant(
        name="returned-message-taken-for-published",
        breaks="A message that found no queue is refused, although the broker acknowledges it.",
        file="shared/broker/rabbit_publisher.py",
        text="elif self._returned and self._was_returned(batch.messages[index]):",
        instead="elif False:",
        looks_at=(f"{RABBIT}::test_a_publisher_alone_notices_that_a_queue_is_gone",),
    ),
    Mutant(
        name="refused-message-taken-for-published",
        breaks="A message that the broker refuses is not taken for published.",
        file="shared/broker/rabbit_publisher.py",
        text='batch.settle(index, PublishRefused("the broker refused it"))',
        instead="batch.settle(index, None)",
        looks_at=("tests/contract/test_full_queue.py",),
    ),
    Mutant(
        name="confirm-of-what-was-lost",
        breaks="What was in flight on a lost connection is refused, not confirmed.",
        file="shared/broker/rabbit_publisher.py",
        text="            batch.settle(index, PublishRefused(reason))",
        instead="            batch.settle(index, None)",
        looks_at=(RABBIT,),
    ),
    Mutant(
        name="delay-ignored-by-the-publisher",
        breaks="A delayed message comes home no earlier than its delay.",
        file="shared/broker/rabbit_publisher.py",
        text="exchange = EXCHANGES.get(message.delay_seconds)",
        instead="exchange = EXCHANGES.get(0)",
        looks_at=(BROKER,),
    ),
    Mutant(
        name="delay-ignored-in-the-process",
        breaks="A delayed message comes home no earlier than its delay, in the process too.",
        file="shared/broker/in_process.py",
        text="        if line:\n",
        instead="        if False:\n",
        looks_at=(BROKER,),
    ),
    Mutant(
        name="one-acknowledgement-covers-what-is-in-hand",
        breaks="An acknowledgement covers only what is done.",
        file="shared/broker/rabbit_desk.py",
        text="covered = list(takewhile(self._in_hand.get, self._in_hand)) if acknowledged else []",
        instead="covered = list(self._in_hand) if acknowledged else []",
        looks_at=(BROKER, RABBIT),
    ),
    Mutant(
        name="dead-queue-tried-for-ever",
        breaks="A queue that cannot be consumed is declared anew, and all others are consumed.",
        file="shared/broker/rabbit_turnstile.py",
        text="if self._failures[queue] >= FAILURES_TO_DELETE:",
        instead="if False:",
        looks_at=("tests/contract/test_dead_queues.py",),
    ),
    Mutant(
        name="queue-deleted-at-its-first-failure",
        breaks="A queue that fails for a moment keeps what it holds.",
        file="shared/broker/rabbit_turnstile.py",
        text="if self._failures[queue] >= FAILURES_TO_DELETE:",
        instead="if self._failures[queue]:",
        looks_at=("tests/contract/test_dead_queues.py",),
    ),
    Mutant(
        name="forgotten-consumer-waits-for-ever",
        breaks="A consumer that the broker has forgotten begins anew.",
        file="shared/broker/rabbit_presence.py",
        text="if counted.message_count and not counted.consumer_count:",
        instead="if False:",
        looks_at=("tests/contract/test_forgotten_consumers.py",),
    ),
    Mutant(
        name="cancelled-consumer-still-asks",
        breaks="What is in hand when a consumer is cancelled may still be settled.",
        file="shared/broker/rabbit_consumer.py",
        text="        await end(self._looking)\n        if self._desk and self._channel.current:",
        instead="        if self._desk and self._channel.current:",
        looks_at=("tests/contract/test_forgotten_consumers.py",),
    ),
    Mutant(
        name="rejection-is-the-end",
        breaks="A message that a step could not take comes back.",
        file="shared/broker/in_process_queue.py",
        text="self._consumer.settle(self, is_done=False)",
        instead="self._consumer.settle(self, is_done=True)",
        looks_at=(BROKER,),
    ),
    Mutant(
        name="limit-of-deliveries",
        breaks="A message in the retry loop stays alive, however often it is rejected.",
        file="shared/broker/topology.py",
        text='work_arguments = _QUORUM | _KEPT_WHEN_DEAD | {"x-dead-letter-exchange": RETRY}',
        instead='work_arguments = _QUORUM | _KEPT_WHEN_DEAD | {"x-dead-letter-exchange": RETRY, "x-delivery-limit": 5}',
        looks_at=("tests/unit/test_topology.py", "tests/unit/test_manifests.py"),
    ),
    Mutant(
        name="refusal-acknowledged",
        breaks="What a function refuses is not acknowledged: it comes home by the retry queue.",
        file="infrastructure/local/sources.py",
        text="return Verdict.RETRY if status in RETRIED_STATUSES else Verdict.REJECT",
        instead="return Verdict.RETRY if status in RETRIED_STATUSES else Verdict.ACKNOWLEDGE",
        looks_at=(SOURCES,),
    ),
    Mutant(
        name="batch-settled-by-its-status",
        breaks="A source settles each event of a batch by its own answer.",
        file="infrastructure/local/targets.py",
        text="        return statuses.all(status)",
        instead="        return statuses.all(204)",
        looks_at=("tests/unit/test_targets.py",),
    ),
    Mutant(
        name="loss-not-told",
        breaks="A broker that begins anew says that messages may be lost.",
        file="shared/broker/in_process.py",
        text="        self._is_started = True\n        self._tell()",
        instead="        self._is_started = True",
        looks_at=("tests/contract/test_in_process.py",),
    ),
    Mutant(
        name="heartbeat-sees-nothing",
        breaks="A connection on which something comes is not taken for dead.",
        file="shared/broker/rabbit_wire.py",
        text="self.bytes_received += at",
        instead="self.bytes_received += 0",
        looks_at=("tests/unit/test_rabbit_wire.py",),
    ),
)
