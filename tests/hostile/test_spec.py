"""Spec files that must be refused."""

import numpy as np

DEEP = 30_000


def nested(kind, count):
    opening, closing = {"list": ("[", "]"), "table": ("{a=", "}")}[kind]
    return f"x = {opening * count}1{closing * count}".encode()


SHAPES = {
    "random bytes": (np.random.default_rng(0).bytes(4096), "not UTF-8"),
    "not UTF-8": (b"seed = 1 # \xff", "not UTF-8 text"),
    "UTF-16": ("seed = 1".encode("utf-16"), "not UTF-8 text"),
    "a NUL": (b"seed = 1\0", "not valid TOML"),
    "a control character": (b"x = '\x1b[31m'", "not valid TOML"),
    "no TOML": (b"seed", "not valid TOML"),
    "half a table": (b"[data", "not valid TOML"),
    "an open string": (b'x = "' + b"a" * 50_000, "not valid TOML|more than 100"),
    "an open string of many lines": (b'x = """' + b"a\n" * 30_000, "not valid TOML"),
    "larger than a spec": (b"#" * 100_001, "larger than 100000 bytes"),
    "100 MB": (lambda path: path.write_bytes(b"#" * 10**8) and None, "larger than 100000 bytes"),
    "10**5 dotted parts": (b"a" + b".a" * 10**5 + b" = 1", "larger than"),
    "30,000 dotted parts": (b"a" + b".a" * DEEP + b" = 1", "nested deeper"),
    "30,000 dotted parts behind a quoted =": (b'"="' + b".a" * DEEP + b" = 1", "nested deeper"),
    "15,000 quoted parts": (b'"a"' + b'."a"' * 15_000 + b" = 1", "nested deeper"),
    "15,000 parts with spaces": (b"a" + b" . a" * 15_000 + b" = 1", "nested deeper"),
    "30,000 parts of a table's name": (b"[a" + b".a" * DEEP + b"]", "nested deeper"),
    "30,000 parts in an inline table": (b"x = {a" + b".a" * DEEP + b" = 1}", "nested deeper"),
    "30,000 parts behind a value": (b"x = [1]\ny" + b".a" * DEEP + b" = 1", "line 2: nested"),
    "30,000 parts behind a string": (
        b'x = ["""a"""", {a' + b".a" * DEEP + b" = 1}]",
        "nested deeper",
    ),
    "30,000 nested lists": (nested("list", DEEP), "nested deeper"),
    "20,000 nested tables": (nested("table", 20_000), "nested deeper"),
    "30,000 nested lists, a line each": (b"x = " + b"[\n" * DEEP, "line 9: nested deeper"),
    "lists nested in lists of strings": (b'x = ["]]]]]]]]", ' * 5_000, "nested deeper"),
    "lists nested behind comments": (b"x = " + b"[ # ]\n" * 10_000, "line 9: nested deeper"),
    "a key twice": (b"seed = 1\nseed = 2", "not valid TOML"),
    "a table twice": (b"[data]\n[data]", "not valid TOML"),
    "a table that is a number": (b"data = 1\n[data]", "not valid TOML"),
    "a number of 90,000 digits": (b"seed = " + b"9" * 90_000, "more than 100 characters"),
    "a hexadecimal number of 90,000 digits": (b"seed = 0x" + b"f" * 90_000, "more than 100"),
    "a number of 200 digits": (b"seed = " + b"9" * 200, "more than 100 characters"),
    "a date of month 13": (b"seed = 2020-13-01", "not valid TOML"),
    "an escape past Unicode": (b'x = "\\U00110000"', "not valid TOML"),
    "an escape of a surrogate": (b'x = "\\ud800"', "not valid TOML"),
}

VALUES = {
    "unknown table": (b"[exec]\ncode = 'x'", "unknown key 'exec'"),
    "unknown key with a line break": (b'"a\\nb" = 1', "unknown key"),
    "unknown key with escape codes": (b'"\\u001b[31m" = 1', "unknown key"),
    "unknown key of the prototype": (b"__class__ = 1", "unknown key '__class__'"),
    "seed of true": (b"seed = true", "seed must be a whole number, got True"),
    "seed of a date": (b"seed = 2020-01-01", "seed must be a whole number"),
    "seed of 2**70": (f"seed = {2**70}".encode(), "seed must be a whole number ≥ 0 and ≤"),
    "seed of 100 digits": (b"seed = " + b"9" * 100, "seed must be a whole number ≥ 0 and ≤"),
    "seed of NaN": (b"seed = nan", "seed must be a whole number, got nan"),
    "units of -3": (b"network.hidden = [-3]", "whole number ≥ 1"),
    "units of 0": (b"network.hidden = [0]", "whole number ≥ 1"),
    "units of 2.5": (b"network.hidden = [2.5]", "must be a whole number, got 2.5"),
    'units of "3"': (b'network.hidden = ["3"]', "must be a whole number, got '3'"),
    "units of true": (b"network.hidden = [true]", "must be a whole number, got True"),
    "units of 2**70": (f"network.hidden = [{2**70}]".encode(), "≤ 1000000"),
    "units of 10**6, twice": (
        b"network.hidden = [1000000, 1000000]",
        "at most 1000 layers with 1000000000 weights",
    ),
    "40,000 layers": (b"network.hidden = [" + b"1," * 40_000 + b"]", "at most 1000 layers"),
    "units that are a table": (b"network.hidden = {a = 1}", "must be a list"),
    "units in a list of lists": (b"network.hidden = [[1]]", "must be a whole number"),
    "a learning rate of NaN": (b"training.learning_rate = nan", "got nan"),
    "a learning rate of 1e999": (b"training.learning_rate = 1e999", "got inf"),
    "a learning rate of -inf": (b"training.learning_rate = -inf", "got -inf"),
    "a momentum of 90 digits": (
        b"[training]\nmomentum = " + b"9" * 90,
        "training.momentum must be a number",
    ),
    "a learning rate of true": (b"training.learning_rate = true", "got True"),
    "a batch of 2**62": (f"training.batch_size = {2**62}".encode(), "≤ 1000000"),
    "2**70 threads": (f"run.threads = {2**70}".encode(), "run.threads must be .* ≤ 1024"),
    "seconds of NaN": (b"search.max_seconds = nan", "got nan"),
    "a fraction of NaN": (b"data.validation = nan", "got nan"),
    "a fraction of 1e999": (b"data.test = 1e999", "got inf"),
    "layers of -1": (b"search.exclude = [-1]", "whole number ≥ 0"),
    "a table for a text": (b"data.source = {a = 1}", "must be a string"),
    "plugins that are a text": (b"plugins = '/etc/passwd'", "must be a list"),
}


def test_bad_specs_are_refused(examine):
    """Deep, huge, twice, not a number, not text: one line, at once, no spec."""
    examine("spec", {**SHAPES, **VALUES})
