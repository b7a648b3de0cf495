"""Hold `Inspection`, what a live context is doing, and `DeadLetter`; and make the first. No I/O."""

from __future__ import annotations

import attrs

from actors.actor import Actor
from actors.passivation import Dormant
from chord.position import Position


@attrs.frozen(kw_only=True)
class DeadLetter:
    """A request that was in work in two crashes, and was answered with `NotApplied`."""

    context_id: str
    request: str
    error: str
    at: float


@attrs.frozen(kw_only=True)
class Inspection:
    """What a live context is doing.

    `phase` is ``dormant`` where it hibernates. Times are seconds ago. `mail` counts requests that
    wait, `mail_age` is how long the oldest has. `unstored` counts versions that were applied and
    are not in the store; `holds` says what keeps it in memory, if anything does.
    """

    context_id: str
    phase: str
    version: int | None
    shown_version: int | None
    stored_version: int | None
    mail: int
    mail_age: float
    unstored: int
    watchers: int
    idle: float
    leased_for: float
    crashes: int
    last_error: str | None
    holds: str | None


def inspect(actor: Actor, now: float, watchers: int) -> Inspection:
    behavior, lease = actor.behavior, actor.lease
    oldest = actor.mailbox.oldest
    return Inspection(
        context_id=actor.context_id,
        phase="quarantined" if actor.refused_until > now else actor.phase,
        version=_version(behavior.position if behavior else None),
        shown_version=_version(behavior.shown if behavior else None),
        stored_version=_version(behavior.stored if behavior else None),
        mail=len(actor.mailbox),
        mail_age=0.0 if oldest is None else now - oldest,
        unstored=behavior.unstored if behavior else 0,
        watchers=watchers,
        idle=now - actor.used_at,
        leased_for=max(0.0, lease.until - now) if lease else 0.0,
        crashes=len(actor.crashes),
        last_error=None if actor.last_error is None else repr(actor.last_error),
        holds=_find_hold(actor),
    )


def _find_hold(actor: Actor) -> str | None:
    if actor.holder is not None:
        return "an async command has the turn"
    if actor.mailbox:
        return "requests wait"
    if actor.behavior is not None and not actor.behavior.is_settled:
        return "not all is stored"
    return None


def inspect_dormant(context_id: str, dormant: Dormant, now: float, watchers: int) -> Inspection:
    version = dormant.position.version
    return Inspection(
        context_id=context_id,
        phase="dormant",
        version=version,
        shown_version=version,
        stored_version=version,
        mail=0,
        mail_age=0.0,
        unstored=0,
        watchers=watchers,
        idle=now - dormant.since,
        leased_for=max(0.0, dormant.lease.until - now),
        crashes=0,
        last_error=None,
        holds=None,
    )


def _version(position: Position | None) -> int | None:
    return position.version if position else None
