"""Test that a hook may be sync or async."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chord.hooks import Provider, settle

pytestmark = pytest.mark.anyio


def provide(context_id: str) -> Mapping[str, Any]:
    return {"id": context_id}


async def provide_later(context_id: str) -> Mapping[str, Any]:
    return {"id": context_id}


async def fail(context_id: str) -> None:
    raise LookupError("not today")


@pytest.mark.parametrize("hook", [provide, provide_later])
async def test_a_hook_gives_its_result(hook: Provider) -> None:
    assert await settle(hook("room:1")) == {"id": "room:1"}


async def test_what_a_hook_raises_is_the_caller_s() -> None:
    hook: Provider = fail
    with pytest.raises(LookupError, match="not today"):
        await settle(hook("room:1"))
