"""Hold `Opening`: a runtime that is not open yet, which says how it is opened."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")


class Opening(Generic[T]):
    """What `open` returns: an async context manager, and nothing else yet."""

    def __init__(self, name: str, opening: AbstractAsyncContextManager[T]) -> None:
        self._name = name
        self._opening = opening

    async def __aenter__(self) -> T:
        return await self._opening.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._opening.__aexit__(kind, error, trace)

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{name!r}: {self._advice}", name=name, obj=self)

    def __await__(self) -> NoReturn:
        raise TypeError(self._advice)

    def __enter__(self) -> NoReturn:
        raise TypeError(self._advice)

    def __exit__(self, *error: object) -> None:
        """Never reached: it is here so that `with` gets as far as the advice."""

    @property
    def _advice(self) -> str:
        return f"not open yet; it is used as 'async with {self._name}.open(...) as chord:'"

    def __repr__(self) -> str:
        return f"<{self._name} not open yet>"
