"""Label Studio: tasks with predictions (or annotations) in one JSON, as its import takes them."""

from tandem.data.formats.labelstudio.layout import LabelStudio

__all__ = ["LabelStudio"]
