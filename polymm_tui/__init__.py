"""The program an operator starts: command line, console, key map, themes."""

__version__ = "0.1.0"
