"""Text of unknown origin, made such that it can be shown."""

MAX_LINE = 1000
TAIL = 300


def printable(text: object) -> str:
    """Text that is safe to print: all but line ends, spaces and what can be seen becomes an escape, such as
    `\\x1b` for the character that begins a terminal's commands, and `\\udcff` for a byte of a file name
    that is no UTF-8."""
    return "".join(
        char if char.isprintable() or char == "\n" else _escaped(char) for char in str(text)
    )


def one_line(text: object) -> str:
    """The same in one line of at most MAX_LINE characters; what is left out of a longer one is its middle."""
    whole = str(text)
    if len(whole) > 4 * MAX_LINE:
        whole = f"{whole[: 2 * MAX_LINE]}…{whole[-2 * MAX_LINE :]}"
    shown = printable(" ".join(whole.split()))
    return shown if len(shown) <= MAX_LINE else f"{shown[: MAX_LINE - TAIL - 1]}…{shown[-TAIL:]}"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()
