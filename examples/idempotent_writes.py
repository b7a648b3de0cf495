"""Pay once: an answer is lost, the write is tried again, and is not carried out twice."""

import asyncio

from chord import Chord, Commit, Increment, MemoryBackend, OutcomeUnknown, StatelessChord
from chord.testing import FaultyBackend

ACCOUNT = "account:demo"


async def pay(chord: Chord, amount: int, payment: str) -> Commit:
    """Take money from the account. To be called again with the same `payment` until it returns."""
    return await chord.update_context(ACCOUNT, {"balance": Increment(-amount)}, op_id=payment)


async def main() -> None:
    line = FaultyBackend(MemoryBackend())
    await line.open()
    async with StatelessChord(line) as chord:
        await chord.set_context(ACCOUNT, {"balance": 100})

        line.arm(range(1, 100), "after")  # the store works, but none of its answers arrives
        try:
            await pay(chord, 30, payment="invoice-17")
        except OutcomeUnknown as error:
            print(f"{type(error).__name__}: {error} (applied: {error.applied})")
        line.heal()

        again = await pay(chord, 30, payment="invoice-17")
        print(f"tried again: it is version {again.position.version}, as it was the first time")

        account = await chord.get_context(ACCOUNT)
        print(f"the balance is {account.state['balance']}, at version {account.position.version}")
    await line.close()


if __name__ == "__main__":
    asyncio.run(main())
