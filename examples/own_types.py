"""Keep values of your own types: dates, decimals, and frozen attrs classes."""

import asyncio
import sys
from datetime import date
from decimal import Decimal

import attrs

from chord import DeltaUpdate, InvalidState, StatelessChord
from chord.cattrs_codec import CattrsCodec

ORDER = "order:demo"


@attrs.frozen
class Money:
    amount: Decimal
    currency: str


@attrs.define
class Basket:
    items: list[str]


async def main(url: str = "sqlite://") -> None:
    codec = CattrsCodec({"money": Money})  # by the name that stays in the store
    async with StatelessChord.open(url, codec=codec) as chord:
        first = await chord.set_context(
            ORDER, {"due": date(2030, 1, 31), "price": Money(Decimal("9.90"), "EUR")}
        )
        await chord.update_context(ORDER, {"price": Money(Decimal("8.90"), "EUR")})

        reply = await chord.sync_context(ORDER, since=first.position)
        assert isinstance(reply, DeltaUpdate)
        print(reply.delta.changes)

        order = await chord.get_context(ORDER)
        print(f"due {order.state['due']:%d %B %Y}: {order.state['price']}")

        try:
            await chord.update_context(ORDER, {"basket": Basket(["tea"])})
        except InvalidState as error:  # it could be changed behind our back
            print(f"{type(error).__name__} {error}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
