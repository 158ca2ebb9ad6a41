"""VOC's masks: `JPEGImages/`, `SegmentationClass/*.png`, `ImageSets/Segmentation/`."""

from tandem.data.formats.voc_segmentation.layout import VocSegmentation

__all__ = ["VocSegmentation"]
