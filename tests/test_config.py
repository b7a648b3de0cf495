"""Test the settings: their defaults, what is refused, and how some are given by name."""

from __future__ import annotations

import inspect
from typing import Any

import attrs
import pytest

from chord.clock import ManualClock, SystemClock
from chord.codec import MsgspecCodec
from chord.config import Settings, make_settings
from chord.errors import ConfigurationError

PROMISED = {
    "namespace": "chord",
    "context_ttl": 21_600,
    "context_auto_delete": False,
    "delta_ttl": 86_400,
    "delta_threshold": 100,
    "op_ttl": 300,
    "max_depth": 64,
    "max_state_bytes": 64 * 1024 * 1024,
    "watch_poll": 1.0,
    "formatter": "flat",
    "exporter": None,
    "provider": None,
    "cleanup_interval": None,
}


@pytest.mark.parametrize(("name", "value"), PROMISED.items())
def test_the_defaults_are_those_promised(name: str, value: object) -> None:
    assert getattr(Settings(), name) == value


def test_time_and_bytes_are_the_system_s_unless_told() -> None:
    assert isinstance(Settings().clock, SystemClock)
    assert isinstance(Settings().codec, MsgspecCodec)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("namespace", value) for value in ("", "a b", "a:b", "é", "a" * 65, "a\n", "{a}")),
        *((name, value) for name in ("context_ttl", "delta_ttl", "op_ttl") for value in (0, -1.0)),
        *((name, 0) for name in ("cleanup_interval", "watch_poll", "max_state_bytes")),
        *((name, -1) for name in ("cleanup_interval", "watch_poll", "delta_threshold")),
        *((name, -1) for name in ("snapshot_every", "cache_size", "max_depth")),
        *((name, 0) for name in ("commit_attempts", "max_depth")),
        *((name, float("nan")) for name in ("context_ttl", "watch_poll", "delta_ttl")),
        ("max_depth", 201),
    ],
)
def test_what_cannot_be_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be"):
        Settings(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("namespace", value) for value in ("a", "A-z_09", "a" * 64)),
        *((name, 0) for name in ("delta_threshold", "snapshot_every", "cache_size")),
        *((name, None) for name in ("cleanup_interval", "watch_poll")),
        *(("max_depth", value) for value in (1, 200)),
        ("context_ttl", float("inf")),
        ("max_state_bytes", 1),
        ("commit_attempts", 1),
    ],
)
def test_the_bounds_themselves_are_allowed(name: str, value: Any) -> None:
    assert getattr(Settings(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "value"), [("context_ttl", "5"), ("delta_threshold", None), ("namespace", 5)]
)
def test_what_is_of_the_wrong_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be"):
        Settings(**{name: value})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Settings().namespace = "other"  # type: ignore[misc]


def test_settings_are_given_by_name_alone() -> None:
    parameters = inspect.signature(Settings).parameters.values()
    assert {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}


def test_fields_by_name_are_put_on_top_of_settings() -> None:
    clock = ManualClock()
    settings = make_settings(Settings(namespace="a", op_ttl=1.0, clock=clock), {"op_ttl": 2.0})
    assert (settings.namespace, settings.op_ttl, settings.clock) == ("a", 2.0, clock)


def test_fields_by_name_are_enough() -> None:
    assert make_settings(None, {"namespace": "a"}).namespace == "a"
    assert make_settings(None, {}).namespace == "chord"


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no such setting: a, z"):
        make_settings(Settings(), {"z": 1, "a": 2})


def test_fields_by_name_are_checked_too() -> None:
    with pytest.raises(ConfigurationError, match="^max_depth must be"):
        make_settings(Settings(), {"max_depth": 0})
