"""Hold how many sockets there are, and how much they are told."""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Sizes:
    """How much of everything.

    Sockets, of which `room` share a context where not all do. Updates that are told one by one, and
    `rushes` of `rushed`, which the `writers` make as fast as they are acknowledged. Where a `share`
    of the sockets is slow those read every `every` seconds, and `heavy` updates of so many letters
    each are told. So many sockets keep what they are told, for replicas.
    """

    sockets: tuple[int, ...] = (10, 100, 500, 1000, 2000)
    room: int = 20
    updates: int = 50
    rushes: int = 5
    rushed: int = 200
    writers: int = 4
    share: float = 0.1
    every: float = 1.0
    heavy: int = 100
    letters: int = 10_000
    replicas: int = 20


FULL: Final = Sizes()
QUICK: Final = Sizes(sockets=(10, 100, 500), updates=10, rushes=3, rushed=40, heavy=30)
TINY: Final = Sizes(
    sockets=(4, 6, 10),
    room=5,
    updates=3,
    rushes=2,
    rushed=6,
    writers=2,
    share=0.5,
    every=0.01,
    heavy=3,
    replicas=3,
)
