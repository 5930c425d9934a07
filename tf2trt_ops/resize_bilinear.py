"""tf.image.resize(method="bilinear"): weighted means of two by two neighbours."""

from __future__ import annotations

from typing import Any

from tf2trt_core import Context, Dims, Value, op
from tf2trt_ops._resampling import CARRIES, drawn, transformation


@op("ResizeBilinear", carries=CARRIES)
def resize_bilinear(ctx: Context, images: Value, size: Dims, align_corners: bool, half_pixel_centers: bool) -> Value:
    """The result is float32 whatever the images are; the size may be computed at run time."""
    kind = transformation(align_corners=align_corners, half_pixel_centers=half_pixel_centers)
    target = [images.shape[0], *size, images.shape[3]]
    images = ctx.cast(images, "float32")
    return images if images.shape == tuple(target) else ctx.resize(images, target, mode="LINEAR", transformation=kind)


@resize_bilinear.cases
def _(draw: Any, gen: Any) -> Any:
    # TensorFlow rounds places to float32, which shows where small elements lie next to large ones.
    return gen.case(**drawn(draw, gen, low=4, high=8))
