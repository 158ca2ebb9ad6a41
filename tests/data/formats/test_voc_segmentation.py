"""VOC's and CVAT's masks in colours: read as the labelmap says, or refused in words."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from tandem.data.content import Item
from tandem.data.faults import Faults
from tandem.data.formats.voc_segmentation.colours import VOC_CLASSES, voc_colour, voc_palette
from tandem.data.inspection.check import report
from tandem.data.masks import item_mask
from tandem.data.registry import read, readings
from tandem.data.writing import convert
from tests.data import make


def by_name(root: Path) -> dict[str, Item]:
    return {item.name: item for _, items in read(root, Faults()).splits() for item in items}


def test_colours_become_the_numbers_of_their_classes(tmp_path: Path) -> None:
    make.voc_segmentation(tmp_path)
    content = read(tmp_path, Faults())
    assert (content.kind, content.classes) == ("segmentation", ("background", "cat", "dog"))
    for split, several in make.IMAGES.items():
        items = {Path(one.name).stem: one for one in dict(content.splits())[split]}
        for name, boxes in several:
            mask = item_mask(content, items[Path(name).stem])
            assert np.array_equal(mask, make.true_mask(boxes))


def test_a_palette_of_the_class_numbers_is_read_where_it_lies(tmp_path: Path) -> None:
    make.voc_segmentation(tmp_path / "one")
    convert.convert(tmp_path / "one", tmp_path / "two", "voc_segmentation")
    first = tmp_path / "two" / "SegmentationClass" / "a.png"
    with Image.open(first) as image:
        assert image.mode == "P"
        assert image.getpalette()[3:6] == list(voc_colour(1))
    for item in by_name(tmp_path / "two").values():
        assert item.mask is not None
        assert item.mask.startswith(b"SegmentationClass/")
    assert not (tmp_path / "two" / ".unpacked").exists()


def test_without_a_labelmap_the_classes_are_vocs(tmp_path: Path) -> None:
    make.draw(tmp_path / "JPEGImages/a.jpg", [], 1)
    file = tmp_path / "SegmentationClass/a.png"
    file.parent.mkdir()
    mask = np.zeros((make.HEIGHT, make.WIDTH), np.uint8)
    mask[3:9, 3:9], mask[9, 3:9] = VOC_CLASSES.index("person"), 255
    image = Image.fromarray(mask)
    image.putpalette(voc_palette())
    image.save(file)
    content = read(tmp_path, Faults())
    assert content.classes == VOC_CLASSES
    assert voc_colour(15) == (192, 128, 128)
    assert np.array_equal(item_mask(content, content.train[0]), mask)


def test_a_colour_of_no_class_is_a_fault_and_its_image_is_not_background(tmp_path: Path) -> None:
    make.voc_segmentation(tmp_path)
    file = tmp_path / "SegmentationClass/a.png"
    pixels = np.asarray(Image.open(file)).copy()
    pixels[4, 7] = (1, 2, 3)
    Image.fromarray(pixels).save(file)
    told = [one.sentence() for one in report(tmp_path).faults if not one.warning]
    assert told == ["SegmentationClass/a.png: the colour 1, 2, 3 of the pixel at 7, 4 is no class "
                    "of labelmap.txt"]  # fmt: skip
    (item,) = [one for name, one in by_name(tmp_path).items() if Path(name).stem == "a"]
    assert item.faulty
    assert item.mask is None


def test_a_labelmap_that_changes_is_read_anew(tmp_path: Path) -> None:
    make.voc_segmentation(tmp_path)
    before = by_name(tmp_path)
    labelmap = tmp_path / "labelmap.txt"
    text = labelmap.read_text(encoding="utf-8")
    labelmap.write_text(text.replace("cat", "tiger"), encoding="utf-8")
    content = read(tmp_path, Faults())
    assert content.classes == ("background", "tiger", "dog")
    after = {item.name: item for _, items in content.splits() for item in items}
    copies = [{Path(os.fsdecode(one.mask or b"")).parent for one in items.values()}
              for items in (before, after)]  # fmt: skip
    assert not copies[0] & copies[1]


def test_lines_that_say_no_colour_are_faults(tmp_path: Path) -> None:
    make.voc_segmentation(tmp_path)
    with (tmp_path / "labelmap.txt").open("a", encoding="utf-8") as out:
        out.write("bird\ncow:1,2::\ncat:9,9,9::\nsheep:51,221,255::\nfox:0,0,256::\n")
    told = [(one.line, one.sentence()) for one in report(tmp_path).faults
            if one.file == "labelmap.txt"]  # fmt: skip
    assert [line for line, _ in told] == [5, 6, 7, 8, 9]
    assert "is named twice" in told[2][1]
    assert "51, 221, 255" in told[3][1]


def test_boxes_beside_masks_are_read_first_and_masks_when_asked_for(tmp_path: Path) -> None:
    make.voc_segmentation(tmp_path)
    (tmp_path / "Annotations").mkdir()
    make.write(tmp_path / "Annotations/a.xml", make.voc_xml("a.jpg", make.IMAGES["train"][0][1]))
    assert [one.name for one in readings(tmp_path)][:2] == ["voc", "voc_segmentation"]
    assert readings(tmp_path, "segmentation")[0].name == "voc_segmentation"
