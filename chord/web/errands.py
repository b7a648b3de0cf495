"""Carry out what a message asks for, once, and say what it came to. No sockets, and no watches."""

from __future__ import annotations

from typing import TypeAlias

from chord.web.desk import Desk
from chord.web.gate import Action, Permit
from chord.web.leaves import lower, raise_value
from chord.web.sharing import Data, pack, splice
from chord.web.wire import Call, Delete, Done, Encoding, Result, Set, Sync, Update

Errand: TypeAlias = Sync | Set | Update | Delete | Call


def actions_of(errand: Errand) -> tuple[Action, ...]:
    """Return what a principal must be allowed, one of these at least.

    >>> actions_of(Delete(ref=1, context="room:1"))
    ('delete',)
    """
    match errand:
        case Sync():
            return ("read",)
        case Set():
            return ("write", "create")
        case Update(create=create):
            return ("write",) if create is None else ("write", "create")
        case Delete():
            return ("delete",)
        case Call():
            return ("call",)


async def carry_out(desk: Desk, permit: Permit, errand: Errand, encoding: Encoding) -> Data:
    """Return the answer. Nothing is awaited before the runtime is asked: order is kept.

    Raises what the desk raises, and `WireError` for a value that is none.
    """
    match errand:
        case Sync():
            frame = await desk.reading.sync(permit, errand.since, encoding)
            return splice(frame.data, errand.ref)
        case Set():
            return pack(await _set(desk, permit, errand), encoding)
        case Update():
            return pack(await _update(desk, permit, errand), encoding)
        case Delete():
            gone = await desk.writing.delete(permit, expected=errand.expected)
            return pack(Done(ref=errand.ref, position=None, changed=gone), encoding)
        case Call():
            return pack(await _call(desk, permit, errand, encoding), encoding)


async def _set(desk: Desk, permit: Permit, errand: Set) -> Done:
    receipt = await desk.writing.set(
        permit,
        raise_value(errand.state, errand.types, codec=desk.codec),
        expected=errand.expected,
        op_id=errand.op,
        timeout=errand.timeout,
    )
    return Done(ref=errand.ref, position=receipt.position, changed=receipt.changed)


async def _update(desk: Desk, permit: Permit, errand: Update) -> Done:
    codec = desk.codec
    create = errand.create
    if create is not None:
        create = raise_value(create, errand.create_types, codec=codec)
    receipt = await desk.writing.update(
        permit,
        raise_value(errand.changes, errand.types, operators=True, codec=codec),
        expected=errand.expected,
        op_id=errand.op,
        create=create,
        ephemeral=errand.ephemeral,
        timeout=errand.timeout,
    )
    return Done(ref=errand.ref, position=receipt.position, changed=receipt.changed)


async def _call(desk: Desk, permit: Permit, errand: Call, encoding: Encoding) -> Result:
    arguments = raise_value(errand.arguments, errand.types, codec=desk.codec)
    value = await desk.call(permit, errand.name, arguments)
    plain, types = lower(value, native_bytes=encoding.is_native, codec=desk.codec)
    return Result(ref=errand.ref, value=plain, types=types)
