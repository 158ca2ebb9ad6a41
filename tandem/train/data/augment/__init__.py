"""The crops, flips, colours and distortions that teacher and student both see."""

from tandem.train.data.augment.flips import flip_allowed
from tandem.train.data.augment.params import PARAMS, view_matrix
from tandem.train.data.augment.pixels import rendered, rendered_mask, whole
from tandem.train.data.augment.views import Views, fresh_view

__all__ = [
    "PARAMS",
    "Views",
    "flip_allowed",
    "fresh_view",
    "rendered",
    "rendered_mask",
    "view_matrix",
    "whole",
]
