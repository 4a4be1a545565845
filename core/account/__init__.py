"""The account as one session knows it: its book, what every source says of it, and what is done about differences.

Pure. Reads come in as events, what is concluded leaves as actions; the book itself is :mod:`core.portfolio`.
"""
