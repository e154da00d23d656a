"""Things at a path that are no file to read: every loader refuses them, and hangs on none."""

import os
import socket
from pathlib import Path

import pytest

BIG = 2**40


def fifo(path):
    """A pipe that nobody writes to; opening it would wait for ever."""
    os.mkfifo(path)


def listening_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        where = Path.cwd()
        os.chdir(path.parent)  # its path may be longer than a socket's may be
        server.bind(path.name)
        os.chdir(where)


def sparse(path):
    """A terabyte that takes no room."""
    with path.open("wb") as file:
        file.truncate(BIG)


def sparse_gigabyte(path):
    """Within the limit of a model, but with nothing in it."""
    with path.open("wb") as file:
        file.truncate(2**30)


def loop(path):
    path.symlink_to(path.name)


def long_loop(path):
    path.symlink_to("other")
    path.with_name("other").symlink_to(path.name)


def unreadable(path):
    path.write_bytes(b"x")
    path.chmod(0)


def below_a_file(path):
    path.write_bytes(b"x")
    return path / path.name


def in_a_name(part):
    """A path with `part` in the name, where nothing is."""
    return lambda path: path.with_name(f"a{part}b{path.suffix}")


CASES = {
    "nothing": (lambda path: None, "No such file or directory"),
    "a folder": (Path.mkdir, "Is a directory"),
    "a pipe": (fifo, "not a regular file"),
    "a socket": (listening_socket, "not a regular file"),
    "a link to endless zeros": (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
    "a link to nothing": (lambda path: path.symlink_to("/dev/null"), "not a regular file"),
    "a link to a folder": (lambda path: path.symlink_to("/"), "Is a directory"),
    "a link to no file": (lambda path: path.symlink_to("nowhere"), "No such file or directory"),
    "a link to itself": (loop, "Too many levels of symbolic links"),
    "two links to each other": (long_loop, "Too many levels of symbolic links"),
    "a link to an address space": (
        lambda path: path.symlink_to("/proc/self/mem"),
        "Input/output error|not a zip file",
    ),
    "a file without permission": (unreadable, "Permission denied"),
    "below a file": (below_a_file, "Not a directory"),
    "a name that is too long": (in_a_name("x" * 300), "File name too long"),
    "a line break in the name": (in_a_name("\n\r"), "No such file or directory"),
    "escape codes in the name": (in_a_name("\x1b[31m"), "No such file or directory"),
    "a terabyte of zeros": (sparse, "larger than"),
    "a gigabyte of zeros": (sparse_gigabyte, "damaged|larger|not a readable|bytes is too long"),
}


@pytest.mark.parametrize("loader", ["safetensors", "onnx", "npz", "spec"])
def test_what_is_no_regular_file_is_refused(examine, loader):
    """Pipes, devices, folders, loops of links: at once, by the same class as a bad file."""
    examine(loader, CASES)
