"""Text out of a file as a terminal may show it."""


def printable(text: str) -> str:
    """Return a text without control characters, which the author of a file may have chosen."""
    return "".join(char if char.isprintable() else "�" for char in text)
