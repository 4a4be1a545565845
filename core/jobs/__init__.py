"""Inventory operations: splits, merges, redemptions and conversions as jobs that can never be done twice.

Pure: what a job is, what it would do, which may begin, and what becomes of it. Transactions leave through
:mod:`core.runtime`, prices and holdings come from the portfolio.
"""
