"""Take, prolong and give back leases. The server's clock alone tells when one has lapsed."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

from chord.backends.redis.commit import (
    Layout,
    Shard,
    answer,
    ask_for_snapshot,
    load,
    read_stored,
    take_snapshot,
    write_duration,
)
from chord.backends.redis.connection import Command, Connections, Script
from chord.errors import OwnedElsewhere
from chord.records import Fence, Grant

RENEWALS: Final = 500
"""How many leases one act prolongs at most: the server serves nobody else meanwhile."""

_ACQUIRE: Final = Script("prelude", "acquire")
_RENEW: Final = Script("prelude", "renew")
_RELEASE: Final = Script("prelude", "release")


async def acquire(
    server: Connections,
    layout: Layout,
    context_id: str,
    owner: str,
    ttl: float,
    address: str,
    fresh_epoch: str | None,
    operations_since: float,
) -> Grant:
    """Take a lease and load the context, as `Backend.acquire` promises."""
    name = context_id.encode()
    shard = layout.find_shard(name)
    key = functools.partial(shard.key, name=name)
    keys = [key(b"meta"), key(b"log"), key(b"snapshot"), key(b"operations")]
    script = _ACQUIRE.call(
        [*keys, shard.leases, shard.terms],
        (
            name,
            owner.encode(),
            write_duration(ttl),
            address.encode(),
            (fresh_epoch or "").encode(),
        ),
    )
    reply, *beside = await server.write(shard.number, script, *ask_for_snapshot(keys))
    verdict = answer(reply, server, key(b"*"))
    if verdict[0] == b"owned":
        raise OwnedElsewhere(context_id, verdict[1].decode(), verdict[2].decode())
    term, told = verdict
    fence = Fence(owner, term)
    if told is None:
        return Grant(fence, None)
    if not take_snapshot(told, beside):
        # Nobody else writes under this lease: where the snapshot is another one the lease is lost,
        # and the first commit will be told so.
        return Grant(fence, await load(server, layout, context_id, None, None, operations_since))
    return Grant(fence, read_stored(told, context_id, key(b"*"), operations_since))


async def renew(
    server: Connections, layout: Layout, fences: Mapping[str, Fence], ttl: float
) -> set[str]:
    """Prolong leases, as `Backend.renew` promises: one act for each shard."""
    groups = _group_by_shard(layout, fences)
    scripts = [(shard.number, _write_renewal(shard, ids, fences, ttl)) for shard, ids in groups]
    replies = await server.write_each(scripts)
    return {
        ids[place]
        for (shard, ids), reply in zip(groups, replies, strict=True)
        for place in answer(reply, server, shard.leases)
    }


def _group_by_shard(layout: Layout, fences: Mapping[str, Fence]) -> list[tuple[Shard, list[str]]]:
    by_shard: dict[int, list[str]] = {}
    for context_id in fences:
        by_shard.setdefault(layout.find_shard(context_id.encode()).number, []).append(context_id)
    return [
        (layout.shards[number], ids[begin : begin + RENEWALS])
        for number, ids in by_shard.items()
        for begin in range(0, len(ids), RENEWALS)
    ]


def _write_renewal(
    shard: Shard, ids: list[str], fences: Mapping[str, Fence], ttl: float
) -> Command:
    arguments = [write_duration(ttl)]
    for context_id in ids:
        fence = fences[context_id]
        arguments += (context_id.encode(), fence.owner.encode(), b"%d" % fence.term)
    return _RENEW.call([shard.leases], arguments)


async def release(server: Connections, layout: Layout, context_id: str, fence: Fence) -> bool:
    """Give a lease back, as `Backend.release` promises."""
    name = context_id.encode()
    shard = layout.find_shard(name)
    script = _RELEASE.call([shard.leases], (name, fence.owner.encode(), b"%d" % fence.term))
    [reply] = await server.write(shard.number, script)
    return bool(answer(reply, server, shard.leases))
