"""Read the conditions of HTTP: entity tags, which are positions in quotes. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from chord.web.leaves import WireError

Condition: TypeAlias = str | Literal[0, "*"] | None
"""Where a context is expected: at a position, nowhere yet (0), anywhere (``"*"``), or None said."""

RICH_MARK: Final = ";rich"
"""Behind the position in the tag of a state whose types are told: other bytes, another tag."""

_TAG: Final = re.compile(r'[ \t]*(W/)?"([!#-~\x80-\U0010ffff]*)"[ \t]*(,|$)')


def quote_position(position: str) -> str:
    """Say a position as an entity tag.

    >>> quote_position("k3f9:41")
    '"k3f9:41"'
    """
    return f'"{position}"'


def read_tags(header: str) -> list[tuple[bool, str]]:
    """Read a list of entity tags: whether each is a weak one, and what it says.

    >>> read_tags('"k3f9:41", W/"k3f9:42"')
    [(False, 'k3f9:41'), (True, 'k3f9:42')]
    """
    tags: list[tuple[bool, str]] = []
    at = 0
    while at < len(header) or not tags:
        found = _TAG.match(header, at)
        if found is None:
            raise WireError(f"not entity tags, which stand in double quotes: {header[:200]!r}")
        tags.append((found[1] is not None, found[2]))
        at = found.end()
    return tags


def is_known(headers: Mapping[str, str], position: str) -> bool:
    """Whether a reader has what is at this position already, by its ``If-None-Match``.

    The position is as it stands in the tag, with its mark.

    >>> is_known({"if-none-match": 'W/"k3f9:41"'}, "k3f9:41")
    True
    """
    header = headers.get("if-none-match")
    if header is None:
        return False
    return header.strip() == "*" or position in [tag for _, tag in read_tags(header)]


def read_condition(headers: Mapping[str, str]) -> Condition:
    """Read where a writer expects the context.

    Raises `WireError` for conditions that cannot be held in one act with the write: more than one
    position, a weak one, one where it is not to be.

    >>> read_condition({"if-none-match": "*"}), read_condition({"if-match": '"k3f9:41;rich"'})
    (0, 'k3f9:41')
    """
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if match is None:
        return None if none_match is None else _read_none_match(none_match)
    if none_match is not None:
        raise WireError("If-Match and If-None-Match exclude each other")
    return "*" if match.strip() == "*" else _read_match(match)


def _read_none_match(header: str) -> Literal[0]:
    if header.strip() != "*":
        raise WireError("If-None-Match of a write is *: there must be no context yet")
    return 0


def _read_match(header: str) -> str:
    (weak, position), *others = read_tags(header)
    if weak or others:
        raise WireError("If-Match is one position in double quotes, or *")
    return position.removesuffix(RICH_MARK)
