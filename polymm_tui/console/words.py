"""Small words of the console's questions and answers. Pure."""


def counted(number: int, word: str) -> str:
    """A number with its word: ``1 order``, ``24 orders``."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
