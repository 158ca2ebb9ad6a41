"""What the commit 7fb42ae wrote, read by the code of today.

`made_by_7fb42ae/` is a TANDEM_HOME as that commit left it: a data base with tasks, finished runs,
one that was interrupted, a teacher's cache, imported models. Its tensors are not there: they are
described, and made again by a formula (`formula.py`). `make.py` made it, and wrote down what that
commit answered when it was asked about it; `tests` ask again.
"""
