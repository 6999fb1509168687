"""Tests against the real neighbours."""
