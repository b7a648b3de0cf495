"""Run the JavaScript client's own tests, which need Node and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.web.programs import find_program

HERE: Final = Path(__file__).parent / "node"
FILES: Final = sorted(HERE.glob("*.test.mjs"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".test.mjs"))
def test_what_holds_of_the_javascript_client(path: Path) -> None:
    run = subprocess.run(
        [find_program("node"), "--test", "--test-reporter=spec", str(path)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, f"{run.stdout[-20_000:]}{run.stderr[-2_000:]}"


def test_there_are_such_tests() -> None:
    assert len(FILES) == 7
