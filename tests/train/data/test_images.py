from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tandem.data.images import load_rgb, open_rgb
from tandem.spec.errors import DataError

LIMIT = 120_000_000
RED, GREEN = (200, 30, 30), (30, 180, 60)


def two_tone(size: tuple[int, int] = (20, 10)) -> Image.Image:
    """Left half red, right half green."""
    image = Image.new("RGB", size, RED)
    image.paste(GREEN, (size[0] // 2, 0, size[0], size[1]))
    return image


def near(pixel: np.ndarray, colour: tuple[int, int, int], by: int = 25) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= by)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.webp", "a.tif", "a.gif"])
def test_every_format_gives_the_same_image(tmp_path: Path, name: str) -> None:
    two_tone().save(tmp_path / name, quality=95)
    image_HWC = load_rgb(tmp_path / name, LIMIT)
    assert image_HWC.shape == (10, 20, 3)
    assert image_HWC.dtype == np.uint8
    assert near(image_HWC[5, 2], RED)
    assert near(image_HWC[5, 17], GREEN)


@pytest.mark.parametrize("mode", ["CMYK", "L", "1", "P", "RGBA", "LA", "YCbCr", "LAB"])
def test_every_colour_mode_is_read(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr", "LAB") else "a.png")
    if mode == "LAB":
        Image.new("LAB", (20, 10), (128, 128, 128)).save(path)
    else:
        two_tone().convert("L" if mode in ("1", "LA") else "RGB").convert(mode).save(path)
    image_HWC = load_rgb(path, LIMIT)
    assert image_HWC.shape == (10, 20, 3)
    if mode in ("P", "RGBA", "YCbCr", "CMYK"):
        assert near(image_HWC[5, 2], RED, 40)
        assert near(image_HWC[5, 17], GREEN, 40)


def test_cmyk_jpeg_keeps_its_colours(tmp_path: Path) -> None:
    two_tone((32, 16)).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    image_HWC = load_rgb(tmp_path / "a.jpg", LIMIT)
    assert near(image_HWC[8, 4], RED, 40)
    assert near(image_HWC[8, 28], GREEN, 40)


def test_sixteen_bits_keep_their_high_byte(tmp_path: Path) -> None:
    ramp = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    image_HWC = load_rgb(tmp_path / "a.png", LIMIT)
    assert (image_HWC[..., 0].reshape(-1) == np.arange(256)).all()
    assert (image_HWC[..., 0] == image_HWC[..., 2]).all()


def test_floats_span_their_range(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(-3, 5, 64, dtype=np.float32).reshape(8, 8)).save(tmp_path / "a.tif")
    image_HWC = load_rgb(tmp_path / "a.tif", LIMIT)
    assert image_HWC.min() == 0
    assert image_HWC.max() == 255


def test_transparent_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert (load_rgb(tmp_path / "a.png", LIMIT) == 255).all()
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([10, 20, 30] * 256)
    palette.save(tmp_path / "b.png", transparency=b"\x00" * 4)
    assert (load_rgb(tmp_path / "b.png", LIMIT) == 255).all()


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN)]
    for name in ("a.gif", "a.webp", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=50)
        assert near(load_rgb(tmp_path / name, LIMIT)[4, 4], RED, 12)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_exif_turns_the_image(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    two_tone((40, 16)).save(path, exif=exif, quality=95)
    image_HWC = load_rgb(path, LIMIT)
    turned = orientation in (6, 8)
    assert image_HWC.shape == ((40, 16, 3) if turned else (16, 40, 3))
    first = image_HWC[2, 8] if turned else image_HWC[8, 2]
    # 6: the stored left is shown at the top; 8: at the bottom; 3: at the right.
    assert near(first, RED if orientation in (1, 6) else GREEN)


def test_draft_decoding_is_smaller_and_never_too_small(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    two_tone((1600, 800)).save(tmp_path / "a.jpg", exif=exif)
    image = open_rgb(tmp_path / "a.jpg", LIMIT, (100, 200))
    assert image.size == (100, 200)
    assert open_rgb(tmp_path / "a.jpg", LIMIT, (101, 200)).size == (200, 400)
    assert near(np.asarray(image)[20, 50], RED)
    assert load_rgb(tmp_path / "a.jpg", LIMIT).shape == (1600, 800, 3)


def bomb(path: Path, side: int = 30_000) -> None:
    """A PNG header of side x side pixels; its few bytes of data would inflate to nothing much."""

    def chunk(name: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + check

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b""))


def test_a_bomb_is_refused_from_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb(tmp_path / "a.png")

    def never(self: Image.Image) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", never)
    with pytest.raises(DataError, match=r"a\.png has 30000 x 30000 pixels, more than 120000000"):
        load_rgb(tmp_path / "a.png", LIMIT)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    for name in ("text.jpg", "empty.png"):
        with pytest.raises(DataError, match=rf"{name} is no picture"):
            load_rgb(tmp_path / name, LIMIT)
    with pytest.raises(DataError, match=r"gone\.png cannot be read: No such file"):
        load_rgb(tmp_path / "gone.png", LIMIT)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "tif", "bmp"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_named(tmp_path: Path, suffix: str, part: float) -> None:
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(DataError, match=rf"a\.{suffix}") as caught:
        load_rgb(path, LIMIT)
    assert caught.value.exit_code == 2


@pytest.mark.filterwarnings(r"ignore::UserWarning:PIL")  # pytest undoes the filter of images.py
def test_random_bytes_after_a_header_never_escape_as_another_error(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for suffix in ("jpg", "png", "gif", "webp", "tif", "bmp"):
        path = tmp_path / f"a.{suffix}"
        two_tone((24, 24)).save(path)
        good = path.read_bytes()
        for _ in range(60):
            broken = bytearray(good)
            for place in random.integers(0, len(good), 6):
                broken[place] = random.integers(0, 256)
            path.write_bytes(bytes(broken))
            try:
                load_rgb(path, 10_000_000)
            except DataError:
                continue
