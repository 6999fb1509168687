"""What every function shares: the saga, the step frame, the doors to Postgres and RabbitMQ."""
