"""What Prometheus is told: whom to ask, what to work out, and when to call somebody."""
