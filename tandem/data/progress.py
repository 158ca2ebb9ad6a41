"""How a long walk over a data set tells how far it is."""

from collections.abc import Callable

OnProgress = Callable[[int, int], None]
"""Called now and then with what is done and how much there is: files or bytes."""
