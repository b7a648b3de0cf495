"""Ask all shards at once for what comes first: a page of ids, what is due, what can be trimmed.

Each shard is asked for a small page of its own, and for more only where the merged page needs it,
so what is fetched follows `limit` and the number of shards, not their product.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Protocol, TypeAlias

import attrs

from chord.backends.redis.commit import SHARDS, Layout, Shard, answer, show_key, write_float
from chord.backends.redis.connection import Command, Connections, Reply, Script
from chord.errors import CorruptData
from chord.position import Position
from chord.records import Summary

_TRIM: Final = Script("prelude", "trim")

Item: TypeAlias = Any
"""What an index is ordered by: an id, or a time and an id."""


class Index(Protocol):
    """One sorted set in each shard, from some point on."""

    def key(self, shard: Shard) -> bytes:
        """The name of the shard's sorted set."""

    def ask(self, key: bytes, fetched: Sequence[Item], count: int) -> Command:
        """The command for `count` items behind those that were fetched."""

    def read(self, reply: Sequence[bytes]) -> list[Item]:
        """The items of a reply, in order."""


@attrs.frozen
class Names:
    """Ids that begin with `prefix` and are greater than `after`."""

    prefix: bytes
    after: bytes | None

    def key(self, shard: Shard) -> bytes:
        return shard.names

    def ask(self, key: bytes, fetched: Sequence[bytes], count: int) -> Command:
        after = fetched[-1] if fetched else self.after
        begin = b"[%b" % self.prefix
        if after is not None and after >= self.prefix:
            begin = b"(%b" % after
        end = b"(%b\xff" % self.prefix if self.prefix else b"+"
        return b"ZRANGEBYLEX", key, begin, end, b"LIMIT", b"0", b"%d" % count

    def read(self, reply: Sequence[bytes]) -> list[bytes]:
        return list(reply)


@attrs.frozen
class Times:
    """Ids whose time is `before` or earlier."""

    before: float
    key: Callable[[Shard], bytes]

    def ask(self, key: bytes, fetched: Sequence[tuple[float, bytes]], count: int) -> Command:
        end = write_float(self.before)
        page = b"LIMIT", b"%d" % len(fetched), b"%d" % count
        return b"ZRANGEBYSCORE", key, b"-inf", end, b"WITHSCORES", *page

    def read(self, reply: Sequence[bytes]) -> list[tuple[float, bytes]]:
        return list(zip(map(float, reply[1::2]), reply[::2], strict=True))


# -- merging -------------------------------------------------------------------------------------


@attrs.define
class _Part:
    """What is known of one shard's part; `more` may be behind it."""

    shard: Shard
    items: list[Item] = attrs.Factory(list)
    more: bool = True

    def is_short_of(self, last: Item | None) -> bool:
        """Whether an item that is not fetched yet may come before `last`."""
        return self.more and (last is None or not self.items or self.items[-1] < last)


async def find_first(server: Connections, layout: Layout, index: Index, limit: int) -> list[Item]:
    """The first `limit` items of all shards, in order."""
    if limit < 1:
        return []
    parts = [_Part(shard) for shard in layout.shards]
    count = 3 + 2 * limit // SHARDS
    short = parts
    page: list[Item] = []
    while short:
        await _fetch(server, index, short, count)
        count *= 2
        page = sorted(item for part in parts for item in part.items)[:limit]
        last = page[-1] if len(page) == limit else None
        short = [part for part in parts if part.is_short_of(last)]
    return page


async def _fetch(server: Connections, index: Index, parts: Sequence[_Part], count: int) -> None:
    keys = [index.key(part.shard) for part in parts]
    commands = [
        (part.shard.number, index.ask(key, part.items, count))
        for part, key in zip(parts, keys, strict=True)
    ]
    replies = await server.read_each(commands)
    for part, key, reply in zip(parts, keys, replies, strict=True):
        items = index.read(answer(reply, server, key))
        part.items += items
        part.more = len(items) == count


# -- heads ---------------------------------------------------------------------------------------


async def read_heads(
    server: Connections, layout: Layout, context_ids: Collection[str]
) -> dict[str, Position]:
    """The positions of those contexts that there are."""
    heads = await _read_fields(server, layout, context_ids, b"epoch", b"version")
    return {
        context_id: _read_position(key, *fields)
        for context_id, (key, fields) in zip(context_ids, heads, strict=True)
        if fields[0] is not None
    }


async def summarize(
    server: Connections, layout: Layout, context_ids: Sequence[str]
) -> list[Summary]:
    """All but the states of those contexts that there are."""
    heads = await _read_fields(server, layout, context_ids, b"epoch", b"version", b"updated_at")
    return [
        _read_summary(context_id, key, *fields)
        for context_id, (key, fields) in zip(context_ids, heads, strict=True)
        if fields[0] is not None
    ]


async def _read_fields(
    server: Connections, layout: Layout, context_ids: Collection[str], *fields: bytes
) -> list[tuple[bytes, Any]]:
    keys: list[bytes] = []
    commands: list[tuple[int, Command]] = []
    for context_id in context_ids:
        name = context_id.encode()
        shard = layout.find_shard(name)
        key = shard.key(b"meta", name)
        keys.append(key)
        commands.append((shard.number, (b"HMGET", key, *fields)))
    replies = await server.read_each(commands)
    return [(key, answer(reply, server, key)) for key, reply in zip(keys, replies, strict=True)]


def _read_position(key: bytes, epoch: bytes, version: bytes | None) -> Position:
    try:
        return Position(epoch.decode(), int(version or b""))
    except ValueError as error:
        raise CorruptData(show_key(key), str(error)) from None


def _read_summary(
    context_id: str, key: bytes, epoch: bytes, version: bytes | None, updated_at: bytes | None
) -> Summary:
    position = _read_position(key, epoch, version)
    try:
        return Summary(
            context_id=context_id, position=position, updated_at=float(updated_at or b"")
        )
    except ValueError as error:
        raise CorruptData(show_key(key), str(error)) from None


# -- what the backend offers ---------------------------------------------------------------------


async def list_page(
    server: Connections, layout: Layout, prefix: str, after: str | None, limit: int
) -> list[Summary]:
    """A page of contexts, as `Backend.list` promises; full, though some go while it is made."""
    names = Names(prefix.encode(), None if after is None else after.encode())
    page: list[Summary] = []
    while lacking := max(limit - len(page), 0):
        ids = await find_first(server, layout, names, lacking)
        page += await summarize(server, layout, [_read_id(item) for item in ids])
        if len(ids) < lacking:
            break
        names = attrs.evolve(names, after=ids[-1])
    return page


async def find_due(server: Connections, layout: Layout, before: float, limit: int) -> list[Summary]:
    """Contexts to expire, as `Backend.due` promises."""
    items = await find_first(server, layout, Times(before, lambda shard: shard.due), limit)
    found = await summarize(server, layout, [_read_id(context_id) for _, context_id in items])
    return [summary for summary in found if summary.updated_at <= before]


async def trim(server: Connections, layout: Layout, before: float, limit: int) -> int:
    """Drop old entries, as `Backend.trim` promises; each log in an act of its own."""
    items = await find_first(server, layout, Times(before, lambda shard: shard.trim), limit)
    scripts = [_write_trim(layout, context_id, before) for _, context_id in items]
    replies: list[Reply] = await server.write_each(scripts)
    return sum(
        answer(reply, server, context_id)
        for reply, (_, context_id) in zip(replies, items, strict=True)
    )


def _write_trim(layout: Layout, context_id: bytes, before: float) -> tuple[int, Command]:
    shard = layout.find_shard(context_id)
    keys = shard.key(b"meta", context_id), shard.key(b"log", context_id), shard.trim
    return shard.number, _TRIM.call(keys, (context_id, write_float(before)))


def _read_id(context_id: bytes) -> str:
    try:
        return context_id.decode()
    except UnicodeDecodeError as error:
        raise CorruptData(f"the id {context_id!r}", str(error)) from None
