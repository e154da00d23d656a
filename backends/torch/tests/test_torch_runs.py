"""Runs that start from a convolutional or a recurrent network: edits happen, and a kill loses nothing."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from nas_surgery import resume, run, save
from nas_surgery.network import Network
from nas_surgery.testing.runs import finish, same_results
from nas_surgery.testing.zoo import lstm, resnet8

STRATEGIES = {
    "paper": "initial_epochs = 1\nepoch_step = 1\nmax_epochs = 2\nretraining_batches = 1\nredraws = 0",
    "default": "max_epochs = 3\ngrowth_until = 0.5\nleast_batches = 2",
}
STARTS = {
    "convolutional": resnet8((8, 8, 1), width=2),
    "recurrent": lstm((8, 8), width=4),
}


def spec(folder: Path, start: Network, strategy: str) -> Path:
    """A spec in TOML beside its data, small images of digits, and its start network."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = (digits.images[:200] / 16).astype(np.float32).reshape(-1, *start.input_shape)
    np.savez(folder / "digits.npz", x_train=x, y_train=digits.target[:200])
    save(start, folder / "start.safetensors")
    file = folder / "spec.toml"
    file.write_text(
        f'[data]\nsource = "npz:{folder / "digits.npz"}"\n'
        f'[network]\nfile = "{folder / "start.safetensors"}"\n'
        '[training]\nbackend = "torch"\n[run]\nthreads = 1\n'
        f'[search]\nstrategy = "{strategy}"\n{STRATEGIES[strategy]}\n'
    )
    return file


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("start", STARTS)
def test_a_killed_run_ends_like_an_undisturbed_one(
    start: str, strategy: str, tmp_path: Path
) -> None:
    """Nothing fails, networks are edited, the winner is checked under onnxruntime, files are identical."""
    file = spec(tmp_path, STARTS[start], strategy)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(file, out=whole)
    records = [json.loads(line) for line in (whole / "journal.jsonl").read_text().splitlines()]
    jobs = [record for record in records if record["record"] == "job"]
    assert {each["name"] for job in jobs for each in job["operations"]} - {"identity"}
    assert not [record["failure"] for record in records if record.get("failure")]
    command = ["run", str(file), "--out", str(killed)]
    ended = finish(command, failpoint=f"job.finished:{len(jobs) // 2}", preload=("torch",))
    assert ended.code == -signal.SIGKILL, ended
    resume(killed)
    assert same_results(whole, killed)
    assert (killed / "winner.onnx").is_file()
    assert json.loads((killed / "summary.json").read_text())["warnings"] == []
