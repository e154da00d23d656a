"""npz archives that must be refused."""

import io
import struct
import warnings
import zipfile
import zlib

import numpy as np
from numpy.lib import format as npy

X = np.arange(60.0).reshape(20, 3)
Y = np.arange(20) % 2
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


def member(array, version=(1, 0)):
    """The bytes of an npy file."""
    stream = io.BytesIO()
    npy.write_array(stream, np.asanyarray(array), version)
    return stream.getvalue()


def headed(header, body=b"", version=1, length=None):
    """An npy file with any header text."""
    text = header.encode("latin1")
    kind, size = ("<H", 2) if version == 1 else ("<I", 4)
    count = struct.pack(kind, len(text) if length is None else length)[:size]
    return b"\x93NUMPY" + bytes([version, 0]) + count + text + body


def declared(shape, body=b"", descr="'<f8'", order=False):
    return headed(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}\n", body)


def zipped(*members, compression=STORED):
    """A zip file of (name, bytes) pairs; names may repeat."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with zipfile.ZipFile(stream, "w", compression) as file:
            for name, content in members:
                file.writestr(name, content)
    return stream.getvalue()


def archive(x=X, y=Y, more=(), compression=STORED):
    """An archive with these arrays, or bytes in their place."""
    parts = {"x_train.npy": x, "y_train.npy": y}
    held = [(n, v if isinstance(v, bytes) else member(v)) for n, v in parts.items()]
    return zipped(*held, *more, compression=compression)


def directory(content, field, value, entry=0):
    """The archive with a field of one entry of its directory changed."""
    place, form = {"flags": (8, "<H"), "method": (10, "<H"), "packed": (20, "<I"),
                   "unpacked": (24, "<I"), "offset": (42, "<I")}[field]  # fmt: skip
    at = -1
    for _ in range(entry + 1):
        at = content.index(b"PK\x01\x02", at + 1)
    edited = bytearray(content)
    edited[at + place : at + place + struct.calcsize(form)] = struct.pack(form, value)
    return bytes(edited)


def end(content, offset, form, value):
    """The archive with a field of the record at its end changed."""
    edited = bytearray(content)
    at = content.rindex(b"PK\x05\x06") + offset
    edited[at : at + struct.calcsize(form)] = struct.pack(form, value)
    return bytes(edited)


def bomb(path):
    """A megabyte that really unpacks to a gigabyte: one deflated megabyte of zeros, a thousand times."""
    start = declared((1000 * 2**17,))
    start += b"\0" * (-len(start) % 64)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = head + 1000 * block + packer.flush()
    content = zipped(("x_train.npy", b""), ("y_train.npy", member(Y)))
    name = b"x_train.npy"
    sizes = struct.pack("<III", 0, len(packed), len(start) + 1000 * 2**20)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes
    local += struct.pack("<HH", len(name), 0) + name + packed
    old = 30 + len(name)
    at = content.index(b"PK\x01\x02")
    entry = bytearray(content[at:])
    entry[10:12], entry[16:28] = struct.pack("<H", 8), sizes
    second = entry.index(b"PK\x01\x02", 4)
    moved = len(local) - old
    entry[second + 42 : second + 46] = struct.pack("<I", old + moved)
    last = entry.index(b"PK\x05\x06")
    entry[last + 16 : last + 20] = struct.pack("<I", at + moved)
    path.write_bytes(local + content[old:at] + entry)


def flipped(content, place):
    edited = bytearray(content)
    edited[place] ^= 1
    return bytes(edited)


def uncompressed_bomb():
    """A thousand members of one name's size that are all the same bytes."""
    return zipped(*[(f"a{i}.npy", b"") for i in range(30_000)])


GOOD = archive()
PACKED = archive(compression=DEFLATED)
RECORD = np.zeros(20, [("a", "f4"), ("b", "i4")])
LETTERS = np.full(20, "a")

ZIPS = {
    "empty": (b"", "not a zip file"),
    "random bytes": (np.random.default_rng(0).bytes(4096), "not a zip file"),
    "two letters": (b"PK", "not a zip file"),
    "an npy file": (member(X), "not a zip file"),
    "an end alone": (GOOD[GOOD.rindex(b"PK\x05\x06") :], "not a readable npz file"),
    "an empty archive": (zipped(), "x_train and y_train missing; it holds nothing"),
    "cut in the body": (GOOD[:200], "not a zip file"),
    "cut in the directory": (GOOD[:-30], "not a zip file"),
    "cut at the last byte": (GOOD[:-1], "not a zip file"),
    "cut at the front": (GOOD[50:], "not a readable npz file"),
    "no array of ours": (zipped(("a.npy", member(X))), "missing; it holds a"),
    "no labels": (zipped(("x_train.npy", member(X))), "y_train missing; it holds x_train"),
    "test inputs without labels": (
        archive(more=[("x_test.npy", member(X))]),
        "x_test and y_test come together",
    ),
    "a member ../../x.npy": (archive(more=[("../../x.npy", member(X))]), "is a path, not a name"),
    "a member of an absolute path": (archive(more=[("/x.npy", member(X))]), "is a path"),
    "a member with backslashes": (archive(more=[("..\\x.npy", member(X))]), "is a path"),
    "a member C:x.npy": (archive(more=[("C:x.npy", member(X))]), "is a path"),
    "a member with a line break": (archive(more=[("a\nb/c.npy", b"")]), "is a path"),
    "a member twice": (archive(more=[("x_train.npy", member(X + 1))]), "'x_train.npy' twice"),
    "a foreign member twice": (archive(more=[("a.npy", b""), ("a.npy", b"")]), "'a.npy' twice"),
    "an encrypted member": (directory(GOOD, "flags", 1), "encrypted"),
    "a patched member": (directory(GOOD, "flags", 32), "not a readable npz file"),
    "a member packed by bzip2": (archive(compression=zipfile.ZIP_BZIP2), "NumPy does not use"),
    "a member packed by lzma": (archive(compression=zipfile.ZIP_LZMA), "NumPy does not use"),
    "a member packed by method 99": (directory(GOOD, "method", 99), "NumPy does not use"),
    "another name in the member": (
        GOOD.replace(b"x_train", b"z_train", 1),
        "not a readable npz file",
    ),
    "a member longer than declared": (directory(GOOD, "unpacked", 500), "declares 500 bytes"),
    "a member of 4 GB declared": (directory(GOOD, "unpacked", 2**32 - 2), "declares 4,294"),
    "a packed member of 4 GB declared": (
        directory(PACKED, "unpacked", 2**32 - 2),
        "would unpack from .* more than 100 times",
    ),
    "a packed member of 16 MB declared": (directory(PACKED, "unpacked", 2**24), "but holds"),
    "a member past the end": (directory(GOOD, "offset", 2**31), "is truncated"),
    "a member longer than the file": (directory(GOOD, "packed", 2**31), "is truncated"),
    "two members of the same bytes": (
        directory(GOOD, "offset", 0, entry=1),
        "not a readable npz file",
    ),
    "a directory past the end": (end(GOOD, 16, "<I", 2**31), "not a readable npz file"),
    "a directory of 2 GB": (end(GOOD, 12, "<I", 2**31), "not a readable npz file"),
    "a directory of 30,000 members": (uncompressed_bomb(), "a directory of .* is too long"),
    "a megabyte that unpacks to a gigabyte": (bomb, "would unpack from .* more than 100 times"),
    "a flipped bit in the body": (flipped(GOOD, 180), "Bad CRC-32"),
    "a flipped bit in packed bytes": (flipped(PACKED, 120), "not a readable npz file"),
    "a flipped bit in the npy header": (flipped(GOOD, 100), "not a readable npz file"),
}

ARRAYS = {
    "an array of objects": (archive(np.array([{}] * 20, object)), "Python objects"),
    "labels that are objects": (archive(y=np.array([None] * 20)), "Python objects"),
    "objects declared as a record": (
        archive(declared((20,), bytes(160), "[('a', 'O')]")),
        "Python objects",
    ),
    "a record": (archive(y=RECORD), "must hold numbers or strings"),
    "a record of one field": (archive(RECORD[["a"]]), "must hold numbers or strings"),
    "a subarray dtype": (archive(declared((20,), bytes(480), "('<f8', (3,))")), "must hold"),
    "dates": (archive(y=np.zeros(20, "M8[s]")), "must hold numbers or strings"),
    "durations": (archive(y=np.zeros(20, "m8[s]")), "must hold numbers or strings"),
    "raw bytes": (archive(np.zeros((20, 3), "V8")), "must hold numbers or strings"),
    "complex numbers": (archive(X.astype(complex)), "must hold numbers or strings"),
    "long doubles": (archive(X.astype(np.longdouble)), "must hold numbers or strings"),
    "strings as inputs": (archive(np.full((20, 3), "a")), "inputs must be numbers"),
    "bytes as inputs": (archive(np.full((20, 3), b"a")), "inputs must be numbers"),
    "strings of no length": (archive(y=declared((2**40,), b"", "'|S0'")), "must hold"),
    "strings that are not Unicode": (
        archive(y=declared((20,), 20 * b"\xff\xff\xff\x7f", "'<U1'")),
        "strings that are not Unicode",
    ),
    "strings of surrogates": (
        archive(y=declared((20,), 20 * struct.pack("<I", 0xD800), "'<U1'")),
        "strings that are not Unicode",
    ),
    "big-endian strings of surrogates": (
        archive(y=declared((20,), 20 * struct.pack(">I", 0xDFFF), "'>U1'")),
        "strings that are not Unicode",
    ),
    "bools of 255": (archive(y=declared((20,), 20 * b"\xff", "'|b1'")), "neither true nor false"),
    "inputs of NaN": (archive(np.where(X == 7, np.nan, X)), "1 of the inputs is NaN or infinite"),
    "inputs of infinity": (archive(np.where(X == 7, np.inf, X)), "NaN or infinite"),
    "labels of NaN": (archive(y=np.where(Y == 0, np.nan, Y)), "labels are NaN or infinite"),
    "inputs without an axis": (archive(np.float64(1)), "inputs must have shape"),
    "inputs of one axis": (archive(X[:, 0]), "inputs must have shape"),
    "no samples": (archive(X[:0], Y[:0]), "inputs must have shape"),
    "fewer labels than inputs": (archive(y=Y[:-1]), "20 inputs but labels of shape"),
    "test samples of another shape": (
        archive(more=[("x_test.npy", member(X[:, :2])), ("y_test.npy", member(Y))]),
        "do not match training samples",
    ),
}

HEADERS = {
    "a member that is no npy file": (archive(b"not an array"), "not a readable npz file"),
    "a member of no bytes": (archive(b""), "not a readable npz file"),
    "npy version 3.0": (archive(member(X, (3, 0))), "is not known"),
    "npy version 9.0": (archive(b"\x93NUMPY\x09\0" + bytes(99)), "is not known"),
    "shape of 2**33 × 2**33": (archive(declared((2**33, 2**33))), "but holds 0 bytes"),
    "shape of 2**62 × 8": (archive(declared((2**62, 8))), "but holds 0 bytes"),
    "shape of 0 × 2**62": (archive(declared((0, 2**62))), "array is too big"),
    "shape of 0 × 2**70": (archive(declared((0, 2**70))), "not a readable npz file"),
    "shape below 0": (archive(declared((-20, -3), bytes(480))), "is not a shape"),
    "shape of true": (archive(declared("(True, 60)", bytes(480))), "is not a shape"),
    "shape of a fraction": (archive(declared("(20.0, 3)", bytes(480))), "not a readable npz"),
    "shape that is a list": (archive(declared("[20, 3]", bytes(480))), "not a readable npz"),
    "shape of 70 axes": (archive(declared((1,) * 69 + (60,), bytes(480))), "not a readable npz"),
    "body longer than the shape": (archive(member(X) + bytes(8)), "but holds 488 bytes"),
    "body shorter than the shape": (archive(member(X)[:-8]), "but holds 472 bytes"),
    "a header of 2**32 - 1 bytes": (
        archive(headed("{}", version=2, length=2**32 - 1)),
        "not a readable npz file",
    ),
    "a header of a megabyte": (
        archive(headed(" " * 2**20, version=2)),
        "not a readable npz file",
    ),
    "a header nested 500 deep": (archive(headed("(" * 500)), "not a readable npz file"),
    "a header of minus signs": (archive(headed("-" * 900 + "1")), "not a readable npz file"),
    "a header that is code": (
        archive(declared("__import__('os').abort()", bytes(480))),
        "not a readable npz file",
    ),
    "a header with escapes": (archive(declared("'\\d\\777'")), "not a readable npz file"),
    "a header that is not Latin": (archive(headed("\0\xff\n\r\t")), "not a readable npz file"),
    "a header without a shape": (
        archive(headed("{'descr': '<f8', 'fortran_order': False}")),
        "not a readable npz file",
    ),
    "a header with another key": (
        archive(headed("{'descr': '<f8', 'fortran_order': 0, 'shape': (), 'x': 1}")),
        "not a readable npz file",
    ),
    "a dtype that is no dtype": (archive(declared((20,), b"", "'<q99'")), "not a readable npz"),
    "a dtype that is a number": (archive(declared((20,), b"", "7")), "not a readable npz"),
    "a dtype of 2**31 letters": (archive(declared((20,), b"", f"'<U{2**31 - 1}'")), "holds|read"),
}


def test_bad_npz_archives_are_refused(examine):
    """Bombs, lies, objects, damage: one line, little memory, nothing written, no dataset."""
    examine("npz", {**ZIPS, **ARRAYS, **HEADERS})
