"""Hold how tests find the programs that they drive."""

from __future__ import annotations

import os
import shutil

import pytest


def find_program(name: str) -> str:
    """The path of a program; without it the test is skipped, but fails under CI."""
    path = shutil.which(name)
    if path is None:
        report = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        report(f"there is no {name} here")
    return path
