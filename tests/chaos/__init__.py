"""Strikes on real processes under load, and an audit by what a user can see."""
