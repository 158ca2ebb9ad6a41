"""COCO JSON: `annotations/{train,val}.json` or `instances_*.json`, pictures in `images/`."""

from tandem.data.formats.coco.layout import Coco

__all__ = ["Coco"]
