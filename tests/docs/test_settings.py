"""Test that the page about settings names each, with its default."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from chord import Settings
from chord.clock import SystemClock
from chord.codec import MsgspecCodec

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
ROWS = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", PAGE.read_text(), re.MULTILINE))
FIELDS = {field.name: field for field in attrs.fields(Settings)}


def say(default: object) -> str:
    """A default as the page says it."""
    if isinstance(default, (SystemClock, MsgspecCodec)):
        return f"`{type(default).__name__}()`"
    if isinstance(default, str):
        return f'`"{default}"`'
    return f"{default:g}" if type(default) is float else str(default)


def test_each_setting_is_there_and_nothing_else() -> None:
    assert set(ROWS) == set(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_its_default_is_told(name: str) -> None:
    assert ROWS[name] == say(getattr(Settings(), name))
