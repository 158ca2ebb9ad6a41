"""What a browser is shown: turned, bounded, re-encoded; nothing from outside of the folder."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tandem.server.errors import NotFoundError
from tandem.server.http import images
from tandem.server.http.images import fitted, mask_indices, mask_png, rendered, respond, stamp_of

RED, GREEN, BLUE = (220, 20, 20), (20, 200, 20), (20, 20, 220)


def opened(body: bytes) -> Image.Image:
    return Image.open(io.BytesIO(body))


def is_like(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) < 60


def test_an_image_is_turned_as_its_camera_says_and_bounded(tmp_path: Path):
    path = tmp_path / "turned.jpg"
    wide = Image.new("RGB", (400, 200), RED)
    wide.paste(GREEN, (0, 0, 200, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees clockwise to be shown
    wide.save(path, exif=exif)
    body, media_type = rendered(path, 160)
    image = opened(body)
    assert (media_type, image.size) == ("image/jpeg", (80, 160))
    assert is_like(image.getpixel((40, 20)), GREEN)
    assert is_like(image.getpixel((40, 140)), RED)
    assert not image.getexif()


def test_a_small_image_is_not_enlarged_and_loses_nothing(tmp_path: Path):
    path = tmp_path / "small.png"
    Image.new("RGB", (20, 10), RED).save(path)
    body, media_type = rendered(path, 320)
    assert (media_type, opened(body).size) == ("image/png", (20, 10))
    assert opened(body).getpixel((3, 3)) == RED


@pytest.mark.parametrize("content", [b"", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_image_is_told_by_its_name_only(tmp_path: Path, content: bytes):
    path = tmp_path / "evil.png"
    path.write_bytes(content)
    with pytest.raises(NotFoundError, match=r"evil\.png") as caught:
        rendered(path, 64)
    assert str(tmp_path) not in str(caught.value)


def test_too_many_pixels_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "huge.png"
    Image.new("L", (300, 300)).save(path)
    monkeypatch.setattr(images, "MOST_PIXELS", 89_999)
    for read in (lambda: rendered(path, 64), lambda: mask_indices(path)):
        with pytest.raises(NotFoundError, match="larger than"):
            read()


def test_a_file_that_has_gone_is_said_so(tmp_path: Path):
    for read in (lambda p: rendered(p, 64), mask_indices, stamp_of):
        with pytest.raises(NotFoundError, match="no longer there"):
            read(tmp_path / "gone.jpg")


def test_a_clip_shows_its_middle_frame_or_the_one_asked_for(tmp_path: Path):
    for number, colour in enumerate((RED, GREEN, BLUE)):
        Image.new("RGB", (40, 30), colour).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("no frame")
    assert opened(rendered(tmp_path, 64)[0]).getpixel((5, 5)) == GREEN
    assert opened(rendered(tmp_path, 64, frame=2)[0]).getpixel((5, 5)) == BLUE
    with pytest.raises(NotFoundError):
        rendered(tmp_path, 64, frame=3)


def test_a_clips_frame_may_not_lead_out_of_the_root(tmp_path: Path):
    secret, data = tmp_path / "secret.png", tmp_path / "data"
    Image.new("RGB", (9, 9), RED).save(secret)
    clip = data / "clip"
    clip.mkdir(parents=True)
    (clip / "0.png").symlink_to(secret)
    with pytest.raises(NotFoundError):
        rendered(clip, 64, root=data)
    assert rendered(clip, 64, root=tmp_path)[1] == "image/png"


def test_a_video_shows_its_middle(tmp_path: Path):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as video:
        stream = video.add_stream("mpeg4", rate=10, options={"g": "1"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for colour in [RED] * 10 + [GREEN] * 10:
            pixels = np.full((96, 128, 3), colour, np.uint8)
            video.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        video.mux(stream.encode())
    assert is_like(opened(rendered(path, 128)[0]).getpixel((60, 40)), GREEN)
    assert is_like(opened(rendered(path, 128, frame=0)[0]).getpixel((60, 40)), RED)
    with pytest.raises(NotFoundError):
        rendered(path, 128, frame=99)


def test_a_play_list_that_calls_itself_a_video_opens_nothing(tmp_path: Path):
    Image.new("RGB", (64, 64), RED).save(tmp_path / "secret.png")
    path = tmp_path / "clip.mp4"
    path.write_text(f"ffconcat version 1.0\nfile '{tmp_path / 'secret.png'}'\n")
    with pytest.raises(NotFoundError, match="cannot be shown"):
        rendered(path, 64)


def test_a_mask_is_as_large_as_its_image_and_clear_where_nothing_is(tmp_path: Path):
    indices = np.zeros((8, 8), np.uint8)
    indices[:, 4:] = 2
    indices[0, 0] = 255
    body = mask_png(indices, 100, shape=(400, 200))
    image = opened(body).convert("RGBA")
    assert image.size == fitted((400, 200), 100) == (100, 50)
    assert image.getpixel((20, 40))[3] == image.getpixel((1, 1))[3] == 0
    assert image.getpixel((80, 20)) == (0x3C, 0xB4, 0x4B, images.MASK_OPACITY)
    (tmp_path / "kept.png").write_bytes(opened_bytes(indices))
    assert (mask_indices(tmp_path / "kept.png") == indices).all()


def opened_bytes(indices: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(indices).save(out, "PNG")
    return out.getvalue()


def test_an_answer_is_kept_by_the_browser_until_the_file_changes(tmp_path: Path):
    path = tmp_path / "one.png"
    Image.new("RGB", (20, 20), RED).save(path)
    made: list[int] = []

    def make() -> tuple[bytes, str]:
        made.append(1)
        return rendered(path, 64)

    first = respond(make, stamp_of(path, 64), None)
    assert first.headers["Cache-Control"] == "private, max-age=3600"
    assert first.headers["X-Content-Type-Options"] == "nosniff"
    again = respond(make, stamp_of(path, 64), f'W/"x", {first.headers["ETag"]}')
    assert (again.status_code, len(made)) == (304, 1)
    Image.new("RGB", (21, 20), GREEN).save(path)
    changed = respond(make, stamp_of(path, 64), first.headers["ETag"])
    assert (changed.status_code, len(made)) == (200, 2)
