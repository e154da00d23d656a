"""TOML of unknown origin: not larger, deeper or longer in its numbers than a spec can be."""

import re
import tomllib
from pathlib import Path
from typing import Any

from nas_surgery.errors import SpecError
from nas_surgery.formats.regular_file import read_regular

MAX_BYTES = 100_000
MAX_DEPTH = 8

# What the parser sees as one thing each, so that no string or comment hides how deep a key is.
_TOKENS = re.compile(
    r"""
    (?P<comment> \#[^\n]* )
    | (?P<string> \"{3} (?:[^\\]|\\.)*? \"{3,5} | '{3} .*? '{3,5}
                | " (?:[^"\\\n]|\\[^\n])* " | '[^'\n]*' )
    | (?P<open> [\[{] ) | (?P<close> [\]}] ) | (?P<dot> \. ) | (?P<end> [\n,=] )
    | (?P<long> [\w+-]{101,} )
    """,
    re.VERBOSE | re.DOTALL,
)


def read_toml(file: Path) -> dict[str, Any]:
    """The values in a file; SpecError or ModelFileError, without the path, if it cannot be a spec."""
    try:
        text = read_regular(file, MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError:
        raise SpecError("not UTF-8 text") from None
    return parse_toml(text)


def parse_toml(text: str) -> dict[str, Any]:
    """The values in a text; SpecError if it is not TOML, or larger or deeper than a spec can be."""
    if len(text) > MAX_BYTES:
        raise SpecError(f"larger than {MAX_BYTES} bytes")
    _check_tokens(text)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"not valid TOML: {error}") from None


def _check_tokens(text: str) -> None:
    """Before parsing, whose time and memory grow with the square of a key's parts."""
    brackets = dots = 0
    for token in _TOKENS.finditer(text):
        kind = token.lastgroup
        brackets += (kind == "open") - (kind == "close")
        dots = dots + (kind == "dot") if kind in ("dot", "string", "long") else 0
        line = text.count("\n", 0, token.start()) + 1
        if brackets > MAX_DEPTH or dots > MAX_DEPTH:
            raise SpecError(f"line {line}: nested deeper than {MAX_DEPTH} levels")
        if kind == "long":
            raise SpecError(f"line {line}: a number or key of more than 100 characters")
