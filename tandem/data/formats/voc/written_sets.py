"""The sets of VOC's layouts as they are written: a file of lines for each split."""

from __future__ import annotations

from pathlib import Path

from tandem.data.reading.encodings import read_text
from tandem.data.reading.split_names import SPLITS
from tandem.data.reading.texts import lines_of
from tandem.data.writing.files import write_whole


class WrittenSets:
    """`<folder>/<split>.txt`; what an earlier writer put there is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stems = {split: dict.fromkeys(self._written(split)) for split in SPLITS}

    def _written(self, split: str) -> list[str]:
        file = self.folder / f"{split}.txt"
        return [one for one in lines_of(read_text(file)[0]) if one] if file.is_file() else []

    def add(self, split: str, stem: str) -> None:
        """A line for it, unless it is there already."""
        if stem in self.stems[split]:
            return
        self.stems[split][stem] = None
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{split}.txt").open(
            "a", encoding="utf-8", errors="surrogateescape"
        ) as out:
            out.write(f"{stem}\n")

    def close(self) -> None:
        """Each file whole; train's is there even where it is empty."""
        for split, stems in self.stems.items():
            if stems or split == "train":
                text = "".join(f"{stem}\n" for stem in stems)
                write_whole(self.folder / f"{split}.txt", text)
