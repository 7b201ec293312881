"""Python's garbage collector in a server that has loaded much and answers often."""

import gc

# New objects before a collection, and collections of the younger before one of the older. A page
# run leaves some thousand objects; by Python's own 700, 10 and 10 every run has a collection, and
# one in forty goes through all that pages keep, for 30 ms.
SELDOM = 20_000, 10, 20


def collect_seldom() -> None:
    """Leave alone what is loaded by now, and collect less often from now on. Cycles of objects wait
    longer: some megabytes of them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)
