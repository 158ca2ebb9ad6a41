"""Issue 2, "Bad input": one sentence names the thing and the fix; exit 2, nothing half made."""

import json
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.acceptance.person import Person
from tests.train.engines.runs import events


def cut(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def cut_jpeg(data: Path) -> None:
    image = data / "train" / "circle" / "big.jpg"
    Image.open(data / "train" / "circle" / "0.png").resize((200, 200)).save(image)
    cut(image)


def bomb(data: Path) -> None:
    """A PNG of 100 KB with 30,000 x 30,000 pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    side = 30_000
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((side // 8 + 1) * side), 9)
    parts = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
    (data / "train" / "circle" / "bomb.png").write_bytes(content)


BROKEN_DATA = {
    "one class": (
        lambda data: [shutil.rmtree(data / "train" / one) for one in ("cross", "square")],
        ["only one class", "circle", "two"],
    ),
    "a class that train lacks": (
        lambda data: shutil.rmtree(data / "train" / "cross"),
        ["val", "cross", "train lacks", "Add it"],
    ),
    "an empty folder": (
        lambda data: [shutil.rmtree(one) for one in data.iterdir()],
        ["is empty", "train/<class>/"],
    ),
    "a text": (
        lambda data: (data / "train" / "circle" / "0.jpg").write_text("hello"),
        ["circle/0.jpg", "no picture", "JPEG"],
    ),
    "half a PNG": (
        lambda data: cut(data / "val" / "cross" / "1.png"),
        ["val/cross/1.png", "truncated", "Replace"],
    ),
    "half a JPEG": (cut_jpeg, ["circle/big.jpg", "truncated", "Replace"]),
    "a bomb": (bomb, ["bomb.png", "30000 x 30000", "max_image_pixels"]),
    "a link out of it": (
        lambda data: (data / "train" / "circle" / "x.png").symlink_to("/etc/hostname"),
        ["x.png", "/etc/hostname", "Copy"],
    ),
}


@pytest.mark.parametrize("what", BROKEN_DATA)
def test_broken_data_is_named(person: Person, data: Path, what: str) -> None:
    breaking, words = BROKEN_DATA[what]
    breaking(data)
    told = person.is_refused()
    assert all(word in told for word in words), told


def test_odd_images_and_names_simply_work(person: Person, data: Path) -> None:
    folder = data / "train" / "circle"
    image = Image.open(folder / "0.png")
    image.convert("CMYK").save(folder / "cmyk.jpg")
    grey = np.asarray(image.convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 256).save(folder / "sixteen.png")
    image.convert("P").save(folder / "palette.PNG")
    image.convert("LA").save(folder / "clear.png")
    image.save(folder / "moves.gif", save_all=True, append_images=[image.rotate(90)])
    turned = Image.Exif()
    turned[0x0112] = 6
    image.save(folder / "turned.jpg", exif=turned)
    for split in ("train", "val"):
        (data / split / "circle").rename(data / split / "圆 形")
    code, told = person.types()
    assert code == 0, told
    config = json.loads((person.output / "final_model" / "config.json").read_text())
    assert "圆 形" in config["classes"]


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ("nope", ["no data set nope", "shapes"]),
        ("..", ["outside", "datasets root"]),
        ("shapes/../../teacher", ["outside", "datasets root"]),
        ("link", ["outside", "datasets root"]),
        ("a\0b", ["--dataset_id", "zero byte"]),
        ("x" * 5000, ["too long"]),
        ("shapes\n", ["no data set"]),
    ],
)
def test_a_dataset_that_cannot_be_meant(
    person: Person, data: Path, dataset: str, words: list[str]
) -> None:
    (data.parent / "link").symlink_to("/etc")
    told = person.is_refused(dataset_id=dataset)
    assert all(word in told for word in words), told


def no_model(folder: Path) -> None:
    (folder / "config.json").unlink()


def half_weights(folder: Path) -> None:
    cut(folder / "model.safetensors")


def language_only(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "llama", "hidden_size": 8}')


def only_config(folder: Path) -> None:
    for file in folder.iterdir():
        if file.name != "config.json":
            file.unlink()


BAD_TEACHERS = {
    no_model: ["is no model", "config.json"],
    half_weights: ["model.safetensors", "truncated", "Copy"],
    language_only: ["hf_text", "classification", "one that sees"],
    only_config: ["missing", "Copy"],
}


@pytest.mark.parametrize("breaking", BAD_TEACHERS)
def test_a_teacher_that_cannot_teach(
    person: Person, small_teacher: Path, tmp_path: Path, breaking
) -> None:
    folder = shutil.copytree(small_teacher, tmp_path / "teacher")
    breaking(folder)
    told = person.is_refused(teacher_path=str(folder))
    assert all(word in told for word in (str(folder), *BAD_TEACHERS[breaking])), told


@pytest.mark.parametrize(
    ("teacher", "settings", "words"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", {}, ["hub cannot be reached", "folder"]),
        (None, {"teacher.family": "hf_vision"}, ["qwen_vl", "hf_vision"]),
        (None, {"teacher.family": "banana"}, ["banana", "qwen_vl"]),
        ("x" * 5000, {}, ["too long"]),
    ],
)
def test_a_teacher_that_is_not_there_or_of_another_family(
    person: Person, teacher: str | None, settings: dict[str, str], words: list[str]
) -> None:
    flags = {"teacher_path": teacher} if teacher else {}
    told = person.is_refused(settings, **flags)
    assert all(word in told for word in words), told


def test_weights_that_would_run_code_do_not(person: Person, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"conv1.weight": Evil()}, tmp_path / "evil.pth")
    told = person.is_refused(student_path=str(tmp_path / "evil.pth"))
    assert "evil.pth" in told
    assert "tensors only" in told
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"epochs": "0"}, ["--epochs", "at least 1"]),
        ({"learning_rate": "-1"}, ["--learning_rate", "greater than 0"]),
        ({"temperature": "NaN"}, ["--temperature", "finite"]),
        ({"student_model": "resnet19"}, ["resnet19", "resnet18"]),
        ({"gpu_devices": "97"}, ["GPU 97", "cpu"]),
        ({"task_id": "../x"}, ["--task_id", "letters"]),
        ({"task_id": "a\nb"}, ["--task_id", "letters"]),
        ({"num_classes": "7"}, ["7", "3 classes", "circle"]),
        ({"output_dir": "run\0"}, ["--output_dir", "zero byte"]),
    ],
)
def test_a_flag_that_cannot_be(person: Person, flags: dict[str, str], words: list[str]) -> None:
    told = person.is_refused(**flags)
    assert all(word in told for word in words), told


def test_a_batch_too_small_is_refused_before_the_teacher_is_asked(person: Person) -> None:
    assert "batch_size" in person.is_refused(batch_size="1")
    said = events({"run": {"output_dir": str(person.output)}})
    assert not any("teacher is asked" in one.get("message", "") for one in said)


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ftp://x/y", "http://h:99999", "http://a b/", "http://[::1", "banana"],
)
def test_an_address_that_is_none(person: Person, address: str) -> None:
    told = person.is_refused(api_base_url=address)
    assert "no web address" in told
    assert "http://localhost:8080" in told
