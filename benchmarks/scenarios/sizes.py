"""Hold how often, and at what rate, scenarios are played."""

from __future__ import annotations

from math import ceil
from typing import Final

import attrs

from examples.scenarios import MULTIPLE, SINGLE, Scenario


@attrs.frozen(kw_only=True)
class Sizes:
    """How much of everything.

    A scenario is played at once in at least `runs`, and with at least so many `actions` in all. Its
    actions begin one by one in `rounds`, of about `paced` actions each, at a `share` of the rate at
    which they are done when they begin at once: at half of it some would fall behind, as what
    comes one by one is stored in smaller groups. Histories of a chat hold so many `messages`.
    """

    scenarios: tuple[Scenario, ...] = (SINGLE, MULTIPLE)
    runs: int = 20
    actions: int = 10_000
    rounds: int = 10
    paced: int = 5000
    share: float = 0.25
    messages: tuple[int, ...] = (20, 1000)

    def count_runs(self, scenario: Scenario) -> int:
        return max(self.runs, ceil(self.actions / count_actions(scenario)))

    def count_waves(self, scenario: Scenario) -> int:
        """How many times a scenario is played through in one round of the paced play."""
        return max(1, self.paced // count_actions(scenario))


def count_actions(scenario: Scenario) -> int:
    """The actions of one run.

    >>> count_actions(MULTIPLE)
    1000
    """
    return scenario.contexts * scenario.actions


FULL: Final = Sizes()
QUICK: Final = Sizes(runs=3, actions=500, rounds=2, paced=500)
