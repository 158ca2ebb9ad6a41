"""The same small data set in every layout, written by hand: no writer of ours is used here.

Two pictures to train (the second holds nothing) and one to validate, 40 x 30 pixels each.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tandem.data.content import Content, Item
from tandem.data.faults import Fault, Faults
from tandem.data.inspection.check import CheckReport
from tandem.data.reading.split_names import SPLITS
from tandem.data.registry import formats, recognise

WIDTH, HEIGHT = 40, 30
CLASSES = ("cat", "dog")
Box = tuple[float, float, float, float]
IMAGES: dict[str, list[tuple[str, list[tuple[str, Box]]]]] = {
    "train": [
        ("a.png", [("cat", (4, 5, 20, 25)), ("dog", (10, 2, 30, 12))]),
        ("空 b.PNG", []),
    ],
    "val": [("c.jpg", [("dog", (0, 0, 40, 30)), ("cat", (8, 6, 16, 12))])],
}
TRIANGLE = [(4.0, 5.0), (20.0, 5.0), (4.0, 25.0)]


def draw(file: Path, boxes: list[tuple[str, Box]] = (), seed: int = 0) -> Path:  # type: ignore[assignment]
    """A picture with the boxes in it; no two seeds are alike."""
    ground = np.random.default_rng([seed, len(file.name)]).integers(
        0, 90, (HEIGHT, WIDTH, 3), np.uint8
    )
    image = Image.fromarray(ground)
    for name, box in boxes:
        left, top, right, bottom = box
        colour = (220, 60, 60) if name == "cat" else (60, 60, 220)
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill=colour)
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file)
    return file


def images(root: Path, folder: str = "images/{split}") -> None:
    for seed, (split, several) in enumerate(IMAGES.items()):
        for name, boxes in several:
            draw(root / folder.format(split=split) / name, boxes, seed)


def write(file: Path, text: str | bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def classification(root: Path) -> None:
    for seed, (name, split) in enumerate(
        [("cat", "train"), ("cat", "train"), ("dog", "train"), ("cat", "val"), ("dog", "val")]
    ):
        draw(root / split / name / f"{seed}.png", [(name, (5, 5, 25, 20))], seed)
    draw(root / "unlabeled" / "who.png", [], 9)


def yolo(root: Path, *, polygons: bool = False) -> None:
    images(root)
    write(root / "data.yaml", "train: images/train\nval: images/val\nnc: 2\nnames: [cat, dog]\n")
    for split, several in IMAGES.items():
        for name, boxes in several:
            lines = []
            for label, (left, top, right, bottom) in boxes:
                number = CLASSES.index(label)
                if polygons and number == 0:
                    ring = " ".join(f"{x / WIDTH:.9f} {y / HEIGHT:.9f}" for x, y in TRIANGLE)
                    lines.append(f"{number} {ring}\n")
                elif polygons:
                    ring = [(left, top), (right, top), (right, bottom), (left, bottom)]
                    told = " ".join(f"{x / WIDTH:.9f} {y / HEIGHT:.9f}" for x, y in ring)
                    lines.append(f"{number} {told}\n")
                else:
                    x, y = (left + right) / 2 / WIDTH, (top + bottom) / 2 / HEIGHT
                    wide, high = (right - left) / WIDTH, (bottom - top) / HEIGHT
                    lines.append(f"{number} {x:.9f} {y:.9f} {wide:.9f} {high:.9f}\n")
            if boxes:
                write(root / "labels" / split / f"{Path(name).stem}.txt", "".join(lines))


def yolo_polygons(root: Path) -> None:
    yolo(root, polygons=True)


def coco_told(split: str) -> dict:
    images, annotations = [], []
    for number, (name, boxes) in enumerate(IMAGES[split], 1):
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        for label, (left, top, right, bottom) in boxes:
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "iscrowd": 0,
                 "category_id": 10 * (CLASSES.index(label) + 1),
                 "bbox": [left, top, right - left, bottom - top],
                 "area": (right - left) * (bottom - top),
                 "segmentation": [[left, top, right, top, right, bottom, left, bottom]]}
            )  # fmt: skip
    categories = [{"id": 10, "name": "cat"}, {"id": 20, "name": "dog"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def coco(root: Path) -> None:
    images(root)
    for split in IMAGES:
        write(root / "annotations" / f"{split}.json", json.dumps(coco_told(split)))


def voc_xml(name: str, boxes: list[tuple[str, Box]]) -> str:
    objects = "".join(
        f"<object><name>{label}</name><difficult>1</difficult><bndbox><xmin>{left}</xmin>"
        f"<ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for label, (left, top, right, bottom) in boxes
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    return f"<annotation><filename>{name}</filename>{size}{objects}</annotation>"


def voc(root: Path) -> None:
    images(root, "JPEGImages")
    for split, several in IMAGES.items():
        stems = "".join(f"{Path(name).stem}\n" for name, _ in several)
        write(root / "ImageSets" / "Main" / f"{split}.txt", stems)
        for name, boxes in several:
            write(root / "Annotations" / f"{Path(name).stem}.xml", voc_xml(name, boxes))


def labelme_told(name: str, shapes: list[dict]) -> str:
    return json.dumps({"version": "5.0.1", "flags": {}, "shapes": shapes, "imagePath": name,
                       "imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH})  # fmt: skip


def labelme(root: Path) -> None:
    images(root, "{split}")
    for split, several in IMAGES.items():
        for name, boxes in several:
            shapes = [
                {"label": label, "points": [[left, top], [right, bottom]], "group_id": None,
                 "shape_type": "rectangle", "flags": {}}
                for label, (left, top, right, bottom) in boxes
            ]  # fmt: skip
            write(root / split / f"{Path(name).stem}.json", labelme_told(name, shapes))


def true_mask(boxes: list[tuple[str, Box]]) -> np.ndarray:
    """Background 0, cat 1, dog 2; a corner that nobody is asked about."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for label, (left, top, right, bottom) in boxes:
        mask[int(top) : int(bottom), int(left) : int(right)] = CLASSES.index(label) + 1
    mask[-2:, -2:] = 255
    return mask


def segmentation(root: Path) -> None:
    images(root)
    write(root / "classes.txt", "background\ncat\ndog\n")
    for split, several in IMAGES.items():
        for name, boxes in several:
            file = root / "masks" / split / f"{Path(name).stem}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(true_mask(boxes)).save(file)


def voc_segmentation(root: Path) -> None:
    """As CVAT writes it: masks of red, green and blue, and the background is not the first line."""
    images(root, "JPEGImages")
    colours = np.array([(0, 0, 0), (250, 50, 83), (51, 221, 255)], np.uint8)
    lines = ["cat:250,50,83::", "background:0,0,0::", "dog:51,221,255::"]
    write(root / "labelmap.txt", "# label:color_rgb:parts:actions\n" + "\n".join(lines) + "\n")
    for split, several in IMAGES.items():
        stems = [Path(name).stem for name, _ in several]
        write(root / f"ImageSets/Segmentation/{split}.txt", "".join(f"{one}\n" for one in stems))
        for name, boxes in several:
            mask = true_mask(boxes)
            rgb = colours[np.where(mask == 255, 0, mask)]
            rgb[mask == 255] = (224, 224, 192)
            file = root / "SegmentationClass" / f"{Path(name).stem}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rgb).save(file)


def sequence(root: Path) -> None:
    for seed, (label, split) in enumerate(
        [("cat", "train"), ("dog", "train"), ("dog", "val"), ("cat", "val")]
    ):
        for frame in range(3):
            draw(root / split / label / f"clip {seed}" / f"{frame}.png",
                 [(label, (frame, 2, frame + 9, 20))], 10 * seed + frame)  # fmt: skip


def text(root: Path) -> None:
    write(root / "train.csv", 'text,label\n"good, really",pos\nbad,neg\n')
    rows = '{"sentence": "fine\u2028so", "label": "pos"}\n{"sentence": "no", "label": "neg"}\n'
    write(root / "val.jsonl", rows)


def instruction(root: Path) -> None:
    rows = [
        {"instruction": "Add.", "input": "1 1", "output": "2"},
        {"conversations": [{"from": "human", "value": "Hi\u2028you"},
                           {"from": "gpt", "value": "Hello"}]},
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
    ]  # fmt: skip
    write(root / "train.jsonl", "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))


def caption(root: Path) -> None:
    images(root, "{split}")
    write(root / "train" / "a.txt", "a cat and a dog\n")
    write(root / "train" / "空 b.txt", "nothing\n")
    write(root / "val" / "c.txt", "a dog\n")


def csv(root: Path) -> None:
    images(root)
    lines = ["file,split,label,confidence,left,top,right,bottom,width,height"]
    for split, several in IMAGES.items():
        for name, boxes in several:
            for label, box in boxes:
                lines.append(f"{name},{split},{label},,{','.join(map(str, box))},40,30")
            if not boxes:
                lines.append(f"{name},{split},,,,,,,40,30")
    write(root / "labels.csv", "\n".join(lines) + "\n")


def labelstudio(root: Path) -> None:
    images(root)
    tasks = []
    for split, several in IMAGES.items():
        for name, boxes in several:
            results = [
                {"type": "rectanglelabels", "from_name": "label", "to_name": "image",
                 "value": {"x": 100 * left / WIDTH, "y": 100 * top / HEIGHT,
                           "width": 100 * (right - left) / WIDTH,
                           "height": 100 * (bottom - top) / HEIGHT, "rotation": 0,
                           "rectanglelabels": [label]}}
                for label, (left, top, right, bottom) in boxes
            ]  # fmt: skip
            address = f"/data/local-files/?d=images/{split}/{name}"
            tasks.append({"data": {"image": address, "split": split},
                          "annotations": [{"result": results}]})  # fmt: skip
    write(root / "label_studio.json", json.dumps(tasks))


Make = Callable[[Path], object]
ALL: dict[str, Make] = {
    "caption": caption, "classification": classification, "coco": coco, "csv": csv,
    "instruction": instruction, "labelme": labelme, "labelstudio": labelstudio,
    "segmentation": segmentation, "sequence": sequence, "text": text, "voc": voc,
    "voc_segmentation": voc_segmentation,
    "yolo": yolo,
}  # fmt: skip
EXAMPLES = {one.name: one.example for one in formats().values() if one.example is not None}
"""Of layouts that bring their own: each names a file the loss of which must be told."""
ALL = EXAMPLES | ALL  # a hand-made one is never put aside
BOXES = ("coco", "csv", "labelme", "labelstudio", "voc", "yolo")


def faults_of(said: CheckReport) -> list[Fault]:
    """What a reader has told, beside the classes that a split has no example of."""
    return [one for one in said.faults if one.file not in SPLITS]


def read(path: Path, kind: str | None = None) -> tuple[Content, list[str]]:
    """The content, and the sentences of its faults."""
    faults = Faults()
    content = recognise(path, kind).make().content(path, faults, kind)
    return content, [one.sentence() for one in faults.found]


def boxes_of(content: Content) -> dict[tuple[str, str], list[tuple[str, Box]] | None]:
    """(split, stem): its boxes by name, rounded far below a pixel."""
    return {(split, Path(item.name).stem): _boxes(content, item)
            for split, items in content.splits() for item in items}  # fmt: skip


def _boxes(content: Content, item: Item) -> list[tuple[str, Box]] | None:
    if item.shapes is None:
        return None
    return [
        (content.classes[one.label], tuple(round(side, 5) for side in one.bounds()))
        for one in item.shapes
    ]  # type: ignore[return-value]


TRUTH = {(split, Path(name).stem): boxes for split, several in IMAGES.items()
         for name, boxes in several}  # fmt: skip
