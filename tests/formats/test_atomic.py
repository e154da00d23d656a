"""Writing files: whole or not at all, with the mode that the user's mask gives, through no link."""

import os
import stat

import pytest

from nas_surgery.errors import NasSurgeryError
from nas_surgery.formats.atomic import remove_temporaries, unused, write_atomically


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_mask_of_the_process_holds_and_is_never_touched(mask, mode, tmp_path, monkeypatch):
    """Another thread that makes a file at that moment gets the mode that it should."""
    before = os.umask(mask)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "umask", lambda _: pytest.fail("the mask is every thread's"))
            write_atomically(tmp_path / "file", b"content")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_link_is_replaced_and_not_followed(tmp_path):
    """What it led to stays as it was."""
    (tmp_path / "target").write_bytes(b"mine")
    (tmp_path / "link").symlink_to("target")
    write_atomically(tmp_path / "link", b"content")
    assert (tmp_path / "target").read_bytes() == b"mine"
    assert (tmp_path / "link").read_bytes() == b"content"
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("kind", ["link", "loose link", "pipe", "folder"])
def test_only_regular_files_are_written_in_place(kind, tmp_path):
    """Anything else is an error at once."""
    from nas_surgery.formats.atomic import open_own

    path = tmp_path / "path"
    (tmp_path / "target").write_bytes(b"mine")
    make = {
        "link": lambda: path.symlink_to("target"),
        "loose link": lambda: path.symlink_to("nowhere"),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }
    make[kind]()
    for mode in ("ab", "wb", "r+b"):
        with pytest.raises(OSError, match=r"a symbolic link|not a regular|No such device|director"):
            open_own(path, mode)
    assert (tmp_path / "target").read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()


def test_only_regular_files_are_temporaries(tmp_path):
    """A folder or a link of that name is somebody's."""
    (tmp_path / ".nas-surgery-file").touch()
    (tmp_path / ".nas-surgery-folder").mkdir()
    (tmp_path / ".nas-surgery-link").symlink_to("nowhere")
    remove_temporaries(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {".nas-surgery-folder", ".nas-surgery-link"}


def test_a_name_that_a_link_has_is_not_unused(tmp_path):
    """Not even if it leads nowhere: what is written there would come out elsewhere."""
    (tmp_path / "a-old.txt").symlink_to("nowhere")
    assert unused(tmp_path / "a.txt", "old").name == "a-old-2.txt"


def test_a_folder_that_is_not_there_is_said(tmp_path):
    """In one line, with the file's name."""
    with pytest.raises(NasSurgeryError, match="file: cannot be written: No such file"):
        write_atomically(tmp_path / "missing" / "file", b"content")
