"""Faults by script: what goes wrong at the exchange, when, and what a client sees of it."""
