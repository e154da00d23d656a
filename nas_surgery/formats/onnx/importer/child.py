"""The process in which a file of unknown origin is parsed, with bounded memory and time.

The file is its standard input. On the standard output it writes safetensors: the network with its
interface among the metadata, or no arrays and the reasons why there is none.
"""

import json
import os
import sys
from collections.abc import Mapping

from safetensors.numpy import save

from nas_surgery.formats.onnx.importer.outside import Reason
from nas_surgery.formats.onnx.importer.reading import Refused, imported
from nas_surgery.formats.safetensors import METADATA_KEY, described, named_arrays
from nas_surgery.network import check_finite
from nas_surgery.network.errors import NetworkError

INTERFACE, REASONS = "interface", "reasons"
SPARE = 1536 * 2**20  # bytes of address space beside what the file needs
COPIES = 8  # of the file: parsed, as arrays, transposed, written
SECONDS, BYTES_A_SECOND = (
    8,
    10 * 2**20,
)  # of processor time: what any file gets, and more for larger ones
TOO_MUCH = Reason("to read it takes too much memory")


def main() -> None:
    """Answer for the file on the standard input."""
    size = os.fstat(sys.stdin.fileno()).st_size
    limit(SPARE + COPIES * size, SECONDS + size // BYTES_A_SECOND)
    try:
        content = answer(sys.stdin.buffer.read())
    except MemoryError:
        content = _refusal([TOO_MUCH])
    sys.stdout.buffer.write(content)


def answer(content: bytes) -> bytes:
    """What is written for a file of this content."""
    try:
        found = imported(content)
        check_finite(found.network)
    except Refused as refused:
        return _refusal(refused.reasons)
    except NetworkError as error:
        return _refusal([Reason(str(error))])
    except MemoryError:
        return _refusal([TOO_MUCH])
    assert found.interface is not None
    metadata = {
        METADATA_KEY: described(found.network),
        INTERFACE: json.dumps(found.interface.to_json(), sort_keys=True),
    }
    return save(named_arrays(found.network), metadata)


def _refusal(reasons: "tuple[Reason, ...] | list[Reason]") -> bytes:
    values = [{"text": each.text, "node": each.node, "operator": each.operator} for each in reasons]
    return save({}, {REASONS: json.dumps(values)})


def limit(memory: int, seconds: int) -> None:
    """Let this process have so many bytes of address space, and seconds of processor time."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return
    limits: Mapping[str, int] = {"AS": memory, "CPU": seconds, "CORE": 0}
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


if __name__ == "__main__":
    main()
