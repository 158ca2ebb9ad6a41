"""What can be learnt, one file each; `find` gives one by its name."""

from __future__ import annotations

from tandem.train.kinds.base import Kind


def find(name: str) -> Kind:
    """The kind of this name; its module is imported now, not before."""
    if name == "segmentation":
        from tandem.train.kinds.segmentation import Segmentation

        return Segmentation()
    if name == "sequence":
        from tandem.train.kinds.sequence import Sequences

        return Sequences()
    if name == "text":
        from tandem.train.kinds.text import Texts

        return Texts()
    from tandem.train.kinds.classification import Classification

    return Classification()
