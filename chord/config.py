"""Hold `Settings`: everything that can be set, checked against each other when it is built."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

import attrs

from chord.clock import Clock, SystemClock
from chord.codec import Codec, MsgspecCodec
from chord.errors import ConfigurationError
from chord.formatters.base import Formatter
from chord.hooks import Exporter, Provider
from chord.telemetry import Telemetry

Durability: TypeAlias = Literal["write-through", "write-behind", "memory"]
"""What an acknowledgement of a stateful runtime means."""

DURABILITIES: Final = ("write-through", "write-behind", "memory")

SECONDS: Final = (
    *("context_ttl", "delta_ttl", "op_ttl", "flush_interval", "hibernate_after", "idle_ttl"),
    *("lease_ttl", "crash_window", "quarantine", "drain_timeout"),
)
COUNTS: Final = (
    *("max_state_bytes", "commit_attempts", "flush_count", "flush_bytes", "mailbox_limit"),
    *("mailbox_bytes", "max_live_contexts", "crash_limit"),
)


@attrs.frozen(kw_only=True)
class Settings:
    """How a runtime behaves. Seconds are `float`; None means never, or none.

    Names: `namespace` prefixes every key and table of the store.

    Life: a context that was not updated for `context_ttl` seconds is due, and is deleted by a
    clean-up if `context_auto_delete` says so. `cleanup_interval`: the runtime cleans up by itself.

    Deltas: over more than `delta_threshold` versions, or from more than `delta_ttl` seconds ago,
    clients get the full state. An operation id is remembered `op_ttl` seconds.

    Store: a snapshot is due once `snapshot_every` versions have passed since the last one and their
    log outweighs it. No more than `max_state_bytes` are stored of one state, nested at most
    `max_depth` deep. A write that finds the context changed by another process is tried
    `commit_attempts` times.

    Memory and watching: a stateless runtime remembers the last `cache_size` contexts; changes that
    other processes made are looked for every `watch_poll` seconds.

    Acknowledging, of a stateful runtime: with `durability` ``"write-through"`` once a commit is in
    the store; ``"write-behind"`` at once, and stored within `flush_interval` seconds, or sooner, at
    `flush_count` versions or `flush_bytes` of one context; ``"memory"`` at once, and stored when
    the context leaves memory.

    Actors, of a stateful runtime: no more than `mailbox_limit` requests, of `mailbox_bytes`, wait
    for one context; beyond that callers ``"wait"`` for room or are refused (``"reject"``), as
    `mailbox_overflow` says. A context that was not used for `hibernate_after` seconds takes little
    memory; one that was not used for `idle_ttl`, or longest of more than `max_live_contexts`,
    leaves it. One owner writes a context at a time: its lease lasts `lease_ttl` seconds, and
    `address` is what others are told of where to find it. A context that crashes `crash_limit`
    times within `crash_window` seconds is refused for `quarantine` seconds. A runtime that closes
    gives up after `drain_timeout`.

    Ports and hooks: `clock`, `codec`, `telemetry`, `formatter` (``"flat"``, ``"json-patch"``,
    ``"merge-patch"`` or your own), `exporter`, `provider`.
    """

    namespace: str = "chord"
    context_ttl: float = 21_600.0
    context_auto_delete: bool = False
    cleanup_interval: float | None = None
    delta_ttl: float = 86_400.0
    delta_threshold: int = 100
    op_ttl: float = 300.0
    snapshot_every: int = 64
    max_state_bytes: int = 64 * 1024 * 1024
    max_depth: int = 64
    commit_attempts: int = 32
    cache_size: int = 1024
    watch_poll: float | None = 1.0
    durability: Durability = "write-through"
    flush_interval: float = 1.0
    flush_count: int = 1000
    flush_bytes: int = 1024 * 1024
    mailbox_limit: int = 10_000
    mailbox_bytes: int = 16 * 1024 * 1024
    mailbox_overflow: Literal["wait", "reject"] = "wait"
    hibernate_after: float = 30.0
    idle_ttl: float = 300.0
    max_live_contexts: int = 10_000
    lease_ttl: float = 10.0
    address: str = ""
    crash_limit: int = 5
    crash_window: float = 60.0
    quarantine: float = 30.0
    drain_timeout: float = 30.0
    clock: Clock = attrs.field(factory=SystemClock)
    codec: Codec = attrs.field(factory=MsgspecCodec)
    telemetry: Telemetry | None = None
    formatter: str | Formatter = "flat"
    exporter: Exporter | None = None
    provider: Provider | None = None

    def __attrs_post_init__(self) -> None:
        self._require(
            "namespace",
            "1 to 64 of A-Z, a-z, 0-9, _ and -",
            lambda name: bool(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name)),
        )
        for name in SECONDS:
            self._require(name, "positive", lambda value: value > 0)
        for name in ("cleanup_interval", "watch_poll"):
            self._require(name, "positive or None", lambda value: value is None or value > 0)
        for name in ("delta_threshold", "snapshot_every", "cache_size"):
            self._require(name, "an int, 0 or more", lambda value: _is_int(value) and value >= 0)
        for name in COUNTS:
            self._require(name, "an int, 1 or more", lambda value: _is_int(value) and value >= 1)
        self._require(
            "max_depth", "an int, 1 to 200", lambda value: _is_int(value) and 1 <= value <= 200
        )
        self._require("durability", f"one of {DURABILITIES}", DURABILITIES.__contains__)
        self._require("mailbox_overflow", "'wait' or 'reject'", ("wait", "reject").__contains__)
        self._require("address", "a str", lambda value: isinstance(value, str))
        self._require("hibernate_after", "at most idle_ttl", lambda value: value <= self.idle_ttl)
        self._require("clock", "a Clock", lambda clock: hasattr(clock, "call_at"))
        self._require("codec", "a Codec", lambda codec: hasattr(codec, "encode_state"))

    def _require(self, name: str, wanted: str, holds: Callable[[Any], bool]) -> None:
        value = getattr(self, name)
        try:
            if holds(value):
                return
        except TypeError:
            pass
        raise ConfigurationError(f"{name} must be {wanted}, not {value!r}")


def _is_int(value: object) -> bool:
    return type(value) is int


def make_settings(settings: Settings | None, fields: dict[str, Any]) -> Settings:
    """The settings, or the defaults, with some fields given by name."""
    unknown = set(fields) - set(attrs.fields_dict(Settings))
    if unknown:
        raise ConfigurationError(f"no such setting: {', '.join(sorted(unknown))}")
    return attrs.evolve(settings, **fields) if settings else Settings(**fields)
