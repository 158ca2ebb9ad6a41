"""A run says which classes it cannot learn, or cannot be judged by."""

from __future__ import annotations

from pathlib import Path

from tandem.spec.run import DataSpec
from tandem.train.data import annotated, classification
from tandem.train.types import SilentProgress
from tests.data import make


class Listening(SilentProgress):
    """Keeps what a run would tell."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def notice(self, message: str, warning: bool = False) -> None:
        if warning:
            self.told.append(message)


def test_class_folders_of_which_val_lacks_one(tmp_path: Path) -> None:
    make.classification(tmp_path)
    make.draw(tmp_path / "train/dog/more.png", seed=7)
    (tmp_path / "val/dog/4.png").unlink()
    heard = Listening()
    spec = DataSpec(dataset=str(tmp_path))
    classification.read(spec, index_root=None, progress=heard)
    assert "val: there is no example of dog: no figure is made of it" in heard.told


def test_boxes_of_which_train_lacks_one(tmp_path: Path) -> None:
    make.yolo(tmp_path)
    make.write(tmp_path / "labels/train/a.txt", "0 0.5 0.5 0.2 0.2\n")
    heard = Listening()
    spec = DataSpec(dataset=str(tmp_path))
    annotated.read_content(spec, kind="detection", progress=heard)
    assert heard.told == ["train: there is no example of dog: nothing can be learnt of it"]
