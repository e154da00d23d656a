"""Large states go by files that their SHA-256 names; what is damaged is found out."""

import pytest

from nas_surgery.errors import ModelFileError
from nas_surgery.network import Network
from nas_surgery.training.state import TrainState
from nas_surgery.training.state_bytes import digest, state_to_bytes
from nas_surgery_ray.parcels import Parcels, Shared, packed, unpacked

STATE = TrainState(Network.dense(4, (3,), 2, seed=0))
CONTENT = state_to_bytes(STATE)


@pytest.fixture
def shared(tmp_path):
    return Shared.of_a_run(tmp_path, len(CONTENT) - 1)


def test_only_what_is_large_goes_by_a_file(shared, tmp_path):
    """And nothing does without a folder."""
    assert packed(CONTENT, None) == CONTENT
    assert packed(CONTENT[:-1], shared) == CONTENT[:-1]
    assert list(tmp_path.iterdir()) == []
    file = shared.folder / f"{digest(CONTENT)}.safetensors"
    assert packed(CONTENT, shared) == str(file) == packed(CONTENT, shared)
    assert unpacked(str(file)) == file.read_bytes() == CONTENT


def test_a_damaged_file_is_refused(shared):
    """As one that is not there is."""
    path = packed(CONTENT, shared)
    file = shared.folder / f"{digest(CONTENT)}.safetensors"
    file.write_bytes(CONTENT[:-1])
    with pytest.raises(ModelFileError, match="damaged"):
        unpacked(path)
    file.unlink()
    with pytest.raises(ModelFileError):
        unpacked(path)


def test_a_parent_is_sent_once_a_round_and_its_file_goes_with_the_round(shared):
    """Two runs in one folder leave each other's files alone."""
    other = Shared.of_a_run(shared.folder.parent, 0)
    kept = packed(CONTENT, other)
    parcels = Parcels(shared, {3: STATE, None: None})
    assert parcels.of(None) is None
    path = parcels.of(3)
    assert unpacked(path) == CONTENT
    assert parcels.of(3) is path
    parcels.drop_files()
    assert list(shared.folder.iterdir()) == []
    shared.remove()
    assert not shared.folder.exists()
    assert unpacked(kept) == CONTENT
