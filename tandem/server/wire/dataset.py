"""A data set as installed clients know it."""

from __future__ import annotations

from tandem.server.wire.envelope import Camel


class DatasetChoice(Camel):
    """A folder under the data sets' root."""

    label: str
    """What people read."""
    value: str
    """What a task's datasetId says."""
    type: str
    """classification, yolo, coco, segmentation, text or unknown."""
    path: str
    """Within the root of the data sets."""
    description: str
