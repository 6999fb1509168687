"""RabbitMQ's definitions, generated from the one table of queues and exchanges."""
