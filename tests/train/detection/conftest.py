"""Drawn data sets, as the tests of YOLOv8 have them."""

from tests.train.yolo.conftest import drawn, half_drawn, unseen

__all__ = ["drawn", "half_drawn", "unseen"]
