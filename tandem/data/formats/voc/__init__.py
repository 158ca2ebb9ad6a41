"""Pascal VOC: `JPEGImages/`, `Annotations/*.xml`, `ImageSets/Main/{train,val}.txt`."""

from tandem.data.formats.voc.layout import Voc

__all__ = ["Voc"]
