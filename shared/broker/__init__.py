"""The door to the broker: nobody else speaks AMQP, or to a sink."""

from shared.broker.protocol import Broker, Message, OnLoss, PublishRefused, Received, Subscription

__all__ = ["Broker", "Message", "OnLoss", "PublishRefused", "Received", "Subscription"]
