"""The algebra of deltas: compute, merge, apply and invert them. Pure: no I/O, clock or logging.

The laws, for any states a, b, c and any write p:

    apply(a, diff(a, b)) == b                         diff(a, a) is empty
    merge([diff(a, b), diff(b, c)]) == diff(a, c)     merge is associative
    invert(diff(a, b)) == diff(b, a)                  update(a, p) == (b, diff(a, b))

They hold for the strict equality, `equal`. What is handed in is shared, not copied, by what comes
out: put plain values in only if nobody changes them afterwards.
"""

from chord.delta.application import apply, invert
from chord.delta.composition import merge
from chord.delta.difference import diff
from chord.delta.equality import equal
from chord.delta.writing import update

__all__ = ["apply", "diff", "equal", "invert", "merge", "update"]
