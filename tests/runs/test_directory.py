"""Run directories: nothing of anybody else's is written to, deleted or waited for."""

import json
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

import nas_surgery as ns
from nas_surgery.errors import RunError
from nas_surgery.search.journal import from_line, to_line
from nas_surgery.strategies.jobs import Failure, Job, Outcome
from nas_surgery.testing.runs import CommandProcess, finish
from nas_surgery.training.state_bytes import digest

SPEC = {
    "data": {"source": "sklearn:iris"},
    "network": {"hidden": [4]},
    "search": {
        "strategy": "paper",
        "max_epochs": 2,
        "initial_epochs": 1,
        "epoch_step": 1,
        "retraining_batches": 2,
    },
}
DEEP = "[" * 100_000
JOURNAL = {"record": "decision", "why": "line\u2028separator", "crc": "of somebody else"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that has ended."""
    return ns.run(SPEC, out=tmp_path_factory.mktemp("rundir") / "run").directory


@pytest.fixture
def stopped(tmp_path):
    """A run that was killed in the middle."""
    (tmp_path / "spec.toml").write_text(ns.Spec.from_dict(SPEC).to_toml())
    command = ["run", str(tmp_path / "spec.toml"), "--out", str(tmp_path / "stopped")]
    assert finish(command, failpoint="job.finished:4").code == -signal.SIGKILL
    return tmp_path / "stopped"


@pytest.fixture
def copy(finished, tmp_path):
    """One that may be changed."""
    return shutil.copytree(finished, tmp_path / "copy")


def contents(folder):
    """Every name below a folder, with what files hold and where links lead."""

    def held(path):
        if path.is_symlink():
            return os.readlink(path)
        return path.read_bytes() if path.is_file() else path.stat().st_mode

    return {path.relative_to(folder): held(path) for path in folder.rglob("*")}


def write(path, text="mine"):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


FOREIGN = [
    ("weights/mine.pt", "spec.toml"),
    ("weights/mine.pt",),
    ("spec.toml",),
    ("start.safetensors",),
    ("events.jsonl",),
    ("journal.jsonl",),
    ("lock",),
    (".nas-surgery-notes",),
    ("notes.txt",),
]


@pytest.mark.parametrize("names", FOREIGN, ids=" ".join)
def test_a_run_refuses_a_folder_with_anything_in_it(names, tmp_path):
    """Even where all of it bears names of ours; and leaves it as it was."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in names:
        write(folder / name)
    before = contents(folder)
    with pytest.raises(RunError, match="is not empty; choose a new directory"):
        ns.run(SPEC, out=folder)
    assert contents(folder) == before


def test_out_dot_is_refused_in_one_line(tmp_path):
    """With the spec and weights of the user in it."""
    write(tmp_path / "weights" / "mine.pt")
    write(tmp_path / "spec.toml", ns.Spec.from_dict(SPEC).to_toml())
    before = contents(tmp_path)
    refused = finish(["run", "spec.toml", "--out", "."], before=partial(os.chdir, tmp_path))
    assert (refused.code, refused.error.count("\n")) == (2, 1)
    assert "is not empty" in refused.error
    assert contents(tmp_path) == before


@pytest.mark.parametrize("journal", [None, "", "mine\n", to_line(JOURNAL) + "\n", "\xff\n"])
def test_a_resume_refuses_a_folder_without_a_journal_of_ours(journal, tmp_path):
    """A spec is not enough, nor is another file of that name."""
    write(tmp_path / "spec.toml", ns.Spec.from_dict(SPEC).to_toml())
    write(tmp_path / "weights" / ("0" * 64 + ".safetensors"))
    write(tmp_path / ".nas-surgery-mine")
    if journal is not None:
        write(tmp_path / "journal.jsonl", journal)
    before = contents(tmp_path)
    with pytest.raises(RunError, match=r"holds no run; its journal\.jsonl"):
        ns.resume(tmp_path)
    assert contents(tmp_path) == before


def test_a_resume_deletes_only_what_runs_have_written(stopped):
    """Not what lies beside it in its folders, whatever its name ends in."""
    mine = ["pareto/mine.safetensors", "pareto/7.safetensors", "pareto/notes.txt"]
    mine += ["weights/mine.safetensors", "weights/mine.pt", "notes.txt"]
    for name in mine:
        write(stopped / name)
    (stopped / "weights" / "folder").mkdir()
    (stopped / ".nas-surgery-folder").mkdir()
    loser = stopped / "weights" / ("0" * 64 + ".safetensors")
    write(loser)
    ns.resume(stopped)
    assert all((stopped / name).read_text() == "mine" for name in mine)
    assert (stopped / "weights" / "folder").is_dir()
    assert (stopped / ".nas-surgery-folder").is_dir()
    assert not loser.exists()


def test_networks_of_an_earlier_front_go(copy):
    """They are known by the summary, or by the journal if a kill came before it was written."""
    summary = json.loads((copy / "summary.json").read_text())
    summary["pareto"].append({"parameters": 99_991})
    write(copy / "summary.json", json.dumps(summary))
    records = [from_line(line) for line in (copy / "journal.jsonl").read_text().split("\n")[:-1]]
    kept = {point["parameters"] for point in summary["pareto"][:-1]}
    sizes = {record["parameters"] for record in records if "parameters" in record} - kept
    assert sizes, "some candidate is not on the front"
    old = [copy / "pareto" / f"{size}.safetensors" for size in (99_991, *sizes)]
    for file in old:
        write(file)
    ns.resume(copy)
    assert not [file for file in old if file.exists()]


def test_foreign_networks_in_the_front_do_not_confuse_export(copy):
    """Names that are no sizes are passed over."""
    write(copy / "pareto" / "mine.safetensors")
    write(copy / "pareto" / "٣.safetensors")
    ended = finish(["export", str(copy), "--parameters", "1000000", "-o", str(copy / "small.onnx")])
    assert ended.code == 0, ended.error


FILES = ["lock", "spec.toml", "start.safetensors", "journal.jsonl", "events.jsonl"]
FILES += ["summary.json", "winner.safetensors"]


@pytest.mark.parametrize("name", [*FILES, "weights", "pareto"])
def test_nothing_is_written_through_a_link(name, copy, tmp_path):
    """The link is named, and what it leads to stays as it was."""
    target = tmp_path / "target"
    (copy / name).rename(target)
    (copy / name).symlink_to(target)
    before = contents(tmp_path)
    with pytest.raises(
        RunError, match=f"{name}: a symbolic link; nothing is written through links"
    ):
        ns.resume(copy)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", FILES)
def test_pipes_are_refused_and_never_waited_for(name, copy):
    """Whichever file of a run one stands for."""
    (copy / name).unlink()
    os.mkfifo(copy / name)
    refused = finish(["resume", str(copy)])
    assert (refused.code, refused.error.count("\n")) == (2, 1), refused.error
    assert "not a regular file" in refused.error or "there is no spec.toml" in refused.error
    assert finish(["inspect", str(copy)]).code in (0, 2)


@pytest.mark.parametrize("name", ["weights", "pareto"])
def test_a_file_in_the_place_of_a_folder_is_said(name, copy):
    """In one line, before anything is written."""
    shutil.rmtree(copy / name)
    write(copy / name)
    with pytest.raises(RunError, match=f"{name}: not a folder"):
        ns.resume(copy)


@pytest.mark.parametrize("damage", [os.mkfifo, lambda file: file.write_bytes(b"damaged")])
def test_damaged_weights_are_mended(damage, stopped):
    """A resume puts the ones that it trained again in their place."""
    before = list((stopped / "weights").iterdir())
    for file in before:
        file.unlink()
        damage(file)
    again = finish(["resume", str(stopped)])
    assert again.code == 0, again.error
    kept = [file for file in (stopped / "weights").iterdir() if file.is_file()]
    assert set(kept) & set(before)
    assert all(digest(file.read_bytes()) == file.stem for file in kept)


def test_deep_nesting_is_damage_like_any_other(copy):
    """In the log of events it counts nothing; in a summary it is one line."""
    with (copy / "events.jsonl").open("a") as file:
        file.write(DEEP + "\n")
    ns.resume(copy)
    write(copy / "summary.json", DEEP)
    refused = finish(["inspect", str(copy)])
    assert (refused.code, refused.error.count("\n")) == (2, 1), refused.error
    assert "summary.json: not a summary of a run: nested deeper" in refused.error
    ns.resume(copy)
    assert json.loads((copy / "summary.json").read_text())["test_reads"] == 1


def test_deep_nesting_in_a_journal_is_damage(copy):
    """Even under a checksum that fits."""
    line = f'{{"record":"run","deep":{DEEP}'
    with (copy / "journal.jsonl").open("a") as file:
        file.write(checked(line) + "\n" + checked(line) + "\n")
    for command in ("resume", "inspect"):
        refused = finish([command, str(copy)])
        assert (refused.code, refused.error.count("\n")) == (2, 1), refused.error
        assert "is damaged (nested deeper than" in refused.error


def checked(body):
    """A body of JSON without its end, as a line with the checksum that it needs."""
    from zlib import crc32

    return f'{body},"crc":"{crc32((body + "}").encode()):08x}"}}'


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c"])
def test_only_line_feeds_end_a_record(sign, copy):
    """Other signs that Python takes for line ends may stand in a reason."""
    job, outcome = Job(10**6, None), Outcome(10**6, failure=Failure(f"a{sign}b"))
    with (copy / "journal.jsonl").open("a", encoding="utf-8", newline="\n") as file:
        file.write(to_line({"record": "job", **job.to_json()}) + "\n")
        file.write(to_line({"record": "outcome", **outcome.to_json()}) + "\n")
    shown = finish(["inspect", str(copy)])
    assert shown.code == 0, shown.error


def test_a_start_that_died_before_it_had_a_journal_is_used_again(tmp_path):
    """By a run as by a resume; it is known by the signature in its lock."""
    spec = tmp_path / "spec.toml"
    spec.write_text(ns.Spec.from_dict(SPEC).to_toml())
    for name, command in {"a": ["run", str(spec), "--out"], "b": ["resume"]}.items():
        folder = tmp_path / name
        first = ["run", str(spec), "--out", str(folder)]
        assert finish(first, failpoint="run.directory").code == -signal.SIGKILL
        assert finish([*command, str(folder)]).code == 0
        assert (folder / "winner.onnx").is_file()


def test_but_not_with_anything_else_in_it(tmp_path):
    """What came into it later is somebody's."""
    spec = tmp_path / "spec.toml"
    spec.write_text(ns.Spec.from_dict(SPEC).to_toml())
    first = ["run", str(spec), "--out", str(tmp_path / "a")]
    assert finish(first, failpoint="run.directory").code == -signal.SIGKILL
    write(tmp_path / "a" / "weights" / "mine.pt")
    assert "is not empty" in finish(first).error


def test_runs_that_begin_at_once_choose_different_folders(tmp_path):
    """All of them end, each in its own."""
    (tmp_path / "spec.toml").write_text(ns.Spec.from_dict(SPEC).to_toml())
    command = ["run", "spec.toml"]
    runs = [CommandProcess(command, before=partial(os.chdir, tmp_path)) for _ in range(3)]
    assert [run.wait().code for run in runs] == [0, 0, 0]
    folders = sorted((tmp_path / "runs").iterdir())
    assert [folder.name for folder in folders] == ["spec-1", "spec-2", "spec-3"]
    assert all((folder / "winner.onnx").is_file() for folder in folders)


def test_a_number_is_given_once(tmp_path):
    """However many ask for one at the same time; what is there in any form is passed over."""
    from nas_surgery.runs.directory import claim

    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a-2").symlink_to("nowhere")
    write(tmp_path / "runs" / "a-3")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: claim(tmp_path / "runs", "a"), range(40)))
    assert len(set(found)) == 40
    assert {"a-2", "a-3"}.isdisjoint(path.name for path in found)


@pytest.mark.parametrize("make", [lambda path: path.write_text(""), lambda p: p.symlink_to("no")])
def test_runs_that_cannot_be_numbered_say_so(make, tmp_path):
    """Where `runs` is a file, or a link to nothing."""
    (tmp_path / "spec.toml").write_text(ns.Spec.from_dict(SPEC).to_toml())
    make(tmp_path / "runs")
    refused = finish(["run", "spec.toml"], before=partial(os.chdir, tmp_path))
    assert (refused.code, refused.error.count("\n")) == (2, 1), refused.error
    assert "cannot be written" in refused.error


@pytest.mark.parametrize(
    "command",
    [["run", "spec.toml", "--out"], ["study", "spec.toml", "--out"], ["resume"], ["inspect"]],
)
def test_a_name_that_is_too_long_is_said(command, tmp_path):
    """In one line, for a directory that is to be made and for one to go on in."""
    (tmp_path / "spec.toml").write_text(ns.Spec.from_dict(SPEC).to_toml())
    refused = finish([*command, "x" * 300], before=partial(os.chdir, tmp_path))
    assert (refused.code, refused.error.count("\n")) == (2, 1), refused.error
    assert "File name too long" in refused.error or "No such file" in refused.error


def test_a_folder_is_found_for_a_spec_of_a_long_name(tmp_path):
    """Its name is cut, so that the number has room."""
    name = "é" * 120 + ".toml"
    (tmp_path / name).write_text(ns.Spec.from_dict(SPEC).to_toml())
    assert finish(["run", name], before=partial(os.chdir, tmp_path)).code == 0
    assert (tmp_path / "runs" / ("é" * 60 + "-1") / "winner.onnx").is_file()


def test_an_error_before_a_run_leaves_no_folder(tmp_path):
    """Neither the one that was chosen nor `runs`."""
    (tmp_path / "spec.toml").write_text("[data]\nsource = 'npz:missing.npz'")
    refused = finish(["run", "spec.toml"], before=partial(os.chdir, tmp_path))
    assert refused.code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["spec.toml"]


def test_a_run_that_cannot_sign_its_lock_leaves_no_folder(tmp_path):
    """As on a full disk."""
    from nas_surgery.testing.runs import limit_file_size

    spec = tmp_path / "spec.toml"
    spec.write_text(ns.Spec.from_dict(SPEC).to_toml())
    command = ["run", str(spec), "--out", str(tmp_path / "run")]
    for size in (0, 10):
        refused = finish(command, before=partial(limit_file_size, size))
        ours = [line for line in refused.error.splitlines() if line.startswith("nas-surgery:")]
        assert (refused.code, len(ours)) == (2, 1), refused.error  # joblib may have its own say
        assert [path.name for path in tmp_path.iterdir()] == ["spec.toml"]


def test_a_directory_is_held_by_one_at_a_time(tmp_path):
    """The other is told by whom; the lock stays the holder's."""
    from nas_surgery.runs.directory import RunDirectory

    with RunDirectory(tmp_path / "run"):
        with pytest.raises(RunError, match=f"process {os.getpid()} is running here"):
            RunDirectory(tmp_path / "run").__enter__()
        assert (tmp_path / "run" / "lock").read_text() == f"nas-surgery, process {os.getpid()}\n"
    assert not (tmp_path / "run").exists(), "nothing came into it"


def test_a_lock_that_is_not_ours_is_left_as_it_is(copy):
    """Even beside a journal; one that earlier releases signed is taken."""
    write(copy / "lock", "the key is under the mat")
    with pytest.raises(RunError, match="not a lock that a run has left"):
        ns.resume(copy)
    assert (copy / "lock").read_text() == "the key is under the mat"
    write(copy / "lock", "12345")
    ns.resume(copy)


def test_the_test_part_is_not_read_for_a_run_that_a_signal_stopped(tmp_path):
    """It is going to go on; what it ends with is measured once, as if nothing had been."""

    def stop(event):
        if event.kind == "job_finished" and event.data["job"] == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        ns.run(SPEC, out=tmp_path / "run", observers=[stop])
    stopped = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert stopped["accuracy"]["validation"] > 0
    assert (stopped["accuracy"]["test"], stopped["test_reads"]) == (None, 0)
    ended = ns.resume(tmp_path / "run").summary
    assert ended["accuracy"]["test"] > 0
    assert ended["test_reads"] == 1
    assert ns.resume(tmp_path / "run").summary["test_reads"] == 1


def test_winners_that_were_measured_on_the_test_part_are_counted(tmp_path):
    """Time that is up ends a run with all figures; going on from there measures another winner."""
    limited = {**SPEC["search"], "max_seconds": 1e-6}
    first = ns.run({**SPEC, "search": limited}, out=tmp_path / "run")
    assert first.summary["stopped"] == "max_seconds"
    assert first.summary["test_reads"] == 1
    file = tmp_path / "run" / "spec.toml"
    file.write_text(file.read_text().replace("max_seconds = 1e-06", "max_seconds = 1000"))
    assert ns.resume(tmp_path / "run", allow_changes=True).summary["test_reads"] == 2
