"""Bugs planted one at a time, and which check catches each."""
