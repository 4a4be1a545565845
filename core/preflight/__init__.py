"""Conditions of a start, looked at one by one (reliability.md 4.10): what ``doctor`` shows and a live start waits for.

``check`` is what a look says, ``run`` has many of them done side by side, each with a deadline. What is found is judged
by pure functions in ``machine``, ``reach``, ``venue``, ``account`` and ``markets``; ``gather`` and ``ask`` find facts,
and ``rounds`` says for each mode what is looked at.
"""
