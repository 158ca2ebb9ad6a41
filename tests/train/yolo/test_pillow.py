"""Ultralytics changes Pillow for the whole process; that is undone."""

from __future__ import annotations

import io

import pytest
from PIL import Image, UnidentifiedImageError

from tandem.train.yolo.offline import prepare


def test_a_file_that_is_no_image_is_still_told_so():
    prepare()
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"no picture"))
