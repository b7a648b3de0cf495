"""Test who is known to be there, and how many may be."""

from __future__ import annotations

import pytest

from chord.errors import ChordClosed
from chord.web.crowd import Crowd
from chord.web.faults import TooMany
from chord.web.gate import ANYONE


class Guest:
    """Nobody in particular."""

    async def recheck(self) -> None: ...

    def end(self, code: int, reason: str) -> None: ...


def test_who_has_entered_is_found_until_they_leave() -> None:
    crowd = Crowd(2)
    ana, bo = Guest(), Guest()
    with crowd.enter("ana", ana):
        with crowd.enter("bo", bo):
            assert crowd.find("ana") == [ana]
            assert crowd.find() == [ana, bo]
            assert crowd.statistics() == {"connections": 2, "principals": 2}
        assert crowd.find("bo") == []
    assert len(crowd) == 0


def test_a_principal_is_there_so_often_and_no_more() -> None:
    crowd = Crowd(1)
    with crowd.enter("ana", Guest()), crowd.enter("bo", Guest()):
        with pytest.raises(TooMany), crowd.enter("ana", Guest()):
            pass
        crowd.check()
        assert len(crowd) == 2


def test_who_has_no_name_is_not_counted() -> None:
    crowd = Crowd(1)
    with crowd.enter(ANYONE, Guest()), crowd.enter(ANYONE, Guest()):
        crowd.check()
        assert repr(crowd) == "<Crowd of 2>"


def test_who_fails_inside_has_left() -> None:
    crowd = Crowd(1)
    with pytest.raises(ZeroDivisionError), crowd.enter("ana", Guest()):
        raise ZeroDivisionError
    assert len(crowd) == 0


def test_nobody_enters_what_is_closed_and_who_is_there_stays() -> None:
    crowd = Crowd(2)
    ana = Guest()
    with crowd.enter("ana", ana):
        crowd.close()
        with pytest.raises(ChordClosed), crowd.enter("bo", Guest()):
            pass
        assert crowd.find() == [ana]
    assert crowd.closed
