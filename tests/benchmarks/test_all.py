"""Test that all benchmarks are run, whatever becomes of one, and that Ctrl-C ends them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.__main__ import COMMANDS, main
from benchmarks.all import command
from benchmarks.all.command import BENCHMARKS
from benchmarks.harness import INTERRUPTED, SOUND, UNSOUND


class Runs:
    """Stands in for the processes: keeps what was to be run, and answers with exit codes."""

    def __init__(self, **codes: int) -> None:
        self.words: list[list[str]] = []
        self._codes = codes

    def __call__(self, words: list[str]) -> int:
        self.words.append(words)
        return self._codes.get(words[0], SOUND)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(words[0] for words in self.words)


def run_all(monkeypatch: pytest.MonkeyPatch, runs: Runs, *words: str) -> int:
    monkeypatch.setattr(command, "_run_apart", runs)
    return main(["all", *words])


def test_every_benchmark_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs()
    assert run_all(monkeypatch, runs) == SOUND
    assert runs.names == BENCHMARKS


def test_each_of_them_is_a_subcommand() -> None:
    assert set(BENCHMARKS) < set(COMMANDS)


def test_one_that_fails_is_named_and_the_others_are_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = Runs(micro=UNSOUND)
    assert run_all(monkeypatch, runs) == UNSOUND
    assert runs.names == BENCHMARKS
    assert "failed: micro" in capsys.readouterr().out


def test_after_ctrl_c_no_further_one_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(micro=INTERRUPTED)
    assert run_all(monkeypatch, runs) == INTERRUPTED
    assert runs.names[-1] == "micro"


def test_each_writes_a_file_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs = Runs()
    run_all(monkeypatch, runs, "--quick", "--out", str(tmp_path))
    for name, words in zip(BENCHMARKS, runs.words, strict=True):
        assert words == [name, "--only", "*", "--quick", "--out", f"{tmp_path}/{name}.json"]


@pytest.mark.slow
def test_they_are_run_in_processes_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "BENCHMARKS", ("micro",))
    words = ["--quick", "--only", "histories: since*", "--out", str(tmp_path)]
    assert main(["all", *words]) == SOUND
    assert results.read(tmp_path / "micro.json").measured
