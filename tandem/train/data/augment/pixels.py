"""The pixels of a view, at any size."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from tandem.data.content import IGNORED
from tandem.train.data.augment import randaugment

FILL = (124, 116, 104)
"""ImageNet's mean colour: what lies outside of a picture, and over what is erased (as in timm)."""

ImageLike = Image.Image | NDArray[np.uint8]


def whole(image: ImageLike, size: int) -> NDArray[np.uint8]:
    """(size, size, 3): all of a picture, as view 0 and every validation image are."""
    return _resized(np.asarray(image), size).transpose(1, 2, 0)


def rendered(image: ImageLike, params: np.void, size: int) -> NDArray[np.uint8]:
    """(3, size, size) of the view that `params` (one PARAMS) describe."""
    image_HWC = np.asarray(image)
    height, width = image_HWC.shape[:2]
    left, right = _edges(float(params["left"]), float(params["width"]), width)
    top, bottom = _edges(float(params["top"]), float(params["height"]), height)
    view_CHW = _resized(image_HWC[top:bottom, left:right], size)
    if params["flip"]:
        view_CHW = view_CHW[:, :, ::-1]
    brightness, contrast = float(params["brightness"]), float(params["contrast"])
    saturation = float(params["saturation"])
    if not brightness == contrast == saturation == 1:
        view_CHW = _coloured(view_CHW, brightness, contrast, saturation)
    if params["more"]:
        return _distorted(view_CHW, params)
    return np.ascontiguousarray(view_CHW)


def rendered_mask(mask_HW: NDArray[np.uint8], params: np.void, size: int) -> NDArray[np.uint8]:
    """(size, size): the mask of the view that `rendered` gives of its picture; nearest pixels."""
    height, width = mask_HW.shape
    left, right = _edges(float(params["left"]), float(params["width"]), width)
    top, bottom = _edges(float(params["top"]), float(params["height"]), height)
    rows = top + ((np.arange(size) + 0.5) * (bottom - top) / size).astype(np.int64)
    columns = left + ((np.arange(size) + 0.5) * (right - left) / size).astype(np.int64)
    view_HW = mask_HW[rows[:, None], columns[None]]
    view_HW = np.ascontiguousarray(view_HW[:, ::-1] if params["flip"] else view_HW)
    if params["more"]:
        image = _warped(Image.fromarray(view_HW), params, Image.Resampling.NEAREST, IGNORED)
        view_HW = np.array(image)
        left, top, right, bottom = _erased(params, size)
        view_HW[top:bottom, left:right] = IGNORED
    return view_HW


def _distorted(view_CHW: NDArray[np.uint8], params: np.void) -> NDArray[np.uint8]:
    """RandAugment, grey, blur and erasing of a view that is cropped, flipped and coloured."""
    size = view_CHW.shape[1]
    image = Image.fromarray(np.ascontiguousarray(view_CHW.transpose(1, 2, 0)))
    image = _warped(image, params, Image.Resampling.BILINEAR, FILL)
    image = randaugment.applied(image, params)
    if params["grey"]:
        image = ImageOps.grayscale(image).convert("RGB")
    if params["blur"] > 0:
        image = image.filter(ImageFilter.GaussianBlur(float(params["blur"]) * size))
    out_CHW = np.array(image).transpose(2, 0, 1)
    left, top, right, bottom = _erased(params, size)
    out_CHW[:, top:bottom, left:right] = np.array(FILL, np.uint8)[:, None, None]
    return np.ascontiguousarray(out_CHW)


def _warped(
    image: Image.Image,
    params: np.void,
    resampling: Image.Resampling,
    fill: int | tuple[int, int, int],
) -> Image.Image:
    size = image.width
    (a, b, c), (d, e, f) = params["warp"].tolist()
    if (a, b, c, d, e, f) == (1, 0, 0, 0, 1, 0):
        return image
    matrix = (a, b, c * size, d, e, f * size)
    return image.transform(image.size, Image.Transform.AFFINE, matrix, resampling, fillcolor=fill)


def _erased(params: np.void, size: int) -> tuple[int, int, int, int]:
    """The pixels' left, top, right and bottom; nothing where nothing is erased."""
    left, top, width, height = params["erased"].tolist()
    edges = (left, top, left + width, top + height)
    first, second, third, fourth = (round(one * size) for one in edges)
    return first, second, third, fourth


def _edges(start: float, extent: float, pixels: int) -> tuple[int, int]:
    first = min(round(start * pixels), pixels - 1)
    last = round((start + extent) * pixels)
    return first, min(max(last, first + 1), pixels)


def _resized(image_HWC: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(3, size, size), bicubic with antialias; PyTorch's is three times as quick as Pillow's."""
    if not image_HWC.flags.writeable:
        # Only read here, but torch warns of every array that it could not write to.
        image_HWC = image_HWC.copy()
    image_1CHW = torch.from_numpy(image_HWC).permute(2, 0, 1)[None]
    if image_HWC.shape[:2] == (size, size):
        return np.ascontiguousarray(image_1CHW[0].numpy())
    out_1CHW = F.interpolate(image_1CHW, size=(size, size), mode="bicubic", antialias=True)
    return out_1CHW[0].numpy()


def _coloured(
    view_CHW: NDArray[np.uint8], brightness: float, contrast: float, saturation: float
) -> NDArray[np.uint8]:
    """Contrast turns about mid-grey, not the picture's mean, so that it is equal at every size."""
    gain = brightness * contrast
    out_CHW = view_CHW.astype(np.float32, order="C")
    grey_HW = out_CHW[0] * np.float32(0.299)
    grey_HW += out_CHW[1] * np.float32(0.587)
    grey_HW += out_CHW[2] * np.float32(0.114)
    grey_HW *= np.float32(gain * (1 - saturation))
    grey_HW += np.float32(128 * (1 - contrast) + 0.5)
    out_CHW *= np.float32(gain * saturation)
    out_CHW += grey_HW
    np.clip(out_CHW, 0, 255, out=out_CHW)
    return out_CHW.astype(np.uint8)
