"""Options that override keys of a spec, and how what is wrong with one is blamed on it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nas_surgery.errors import NasSurgeryError

Options = dict[str, tuple[str, Any]]  # by key: the option as it was written, and the value


def options_of(settings: tuple[str, ...]) -> Options:
    """What `--set` was given; SpecError for what is not KEY=VALUE."""
    from nas_surgery.runs.spec import parse_override

    parsed = ((text, *parse_override(text)) for text in settings)
    return {key: (f"--set {text}", value) for text, key, value in parsed}


@contextmanager
def blaming(options: Mapping[str, tuple[str, Any]]) -> Iterator[None]:
    """Errors of an override name the option that it came by."""
    from nas_surgery.runs.overrides import place_of

    try:
        yield
    except NasSurgeryError as error:
        for key, (option, _) in options.items():
            place, text = f"{place_of(key)}: ", str(error)
            if text.startswith(place):
                raise type(error)(f"{option}: {text.removeprefix(place)}") from None
        raise
