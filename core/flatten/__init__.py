"""Closing a position on purpose: what it may cost is said before, confirmed once, and never exceeded."""
