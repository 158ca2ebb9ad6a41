"""LabelMe: pictures with a JSON of the same name beside them, by split."""

from tandem.data.formats.labelme.layout import LabelMe

__all__ = ["LabelMe"]
