"""tf.image.crop_and_resize: boxes cut out of images and resized to one size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tf2trt_core import NARROW, Context, Dims, Value, op
from tf2trt_core.kernels import Call, Kernel
from tf2trt_plugins_cuda._sliding import launch
from tf2trt_plugins_cuda.references.crop_and_resize import crop_and_resize as reference

SOURCE = Path(__file__).with_suffix(".cu")


def _launches(call: Call) -> None:
    image, crops = call.inputs[0], call.outputs[0]
    nearest, outside = bool(call.scalars["nearest"]), call.real("extrapolation")
    launch(call, "crop", crops, image, *image.shape, *crops.shape[1:3], nearest, outside)


CROP_AND_RESIZE = Kernel(
    "crop_and_resize(image: T, boxes: float32, box_ind: int32, height: dim, width: dim, nearest: bool,"
    " extrapolation: float) -> crops: float32",
    SOURCE,
    {"T": "float32 float16 bfloat16 int32 int64"},
    {
        "crop": "tf2trt::crop_and_resize<{T}, 1>",
        "crop, wide": "tf2trt::crop_and_resize<{T}, tf2trt::kChannels<{T}>>",
    },
    shape=lambda image, boxes, height, width: [(boxes[0], height, width, image[3])],
    launches=_launches,
    agree=lambda boxes, box_ind: [(boxes, (*box_ind, 4))],
    reference=reference,
    fma=False,
)
KERNELS = (CROP_AND_RESIZE,)


@op("CropAndResize", carries=NARROW, keep_float32=True)
def crop_and_resize(
    ctx: Context,
    image: Value,
    boxes: Value,
    box_ind: Value,
    crop_size: Dims,
    method: str,
    extrapolation_value: float,
) -> Value:
    """As TensorFlow's CPU kernel, to the last bit.

    What that refuses gives crops of ``extrapolation_value``: boxes that are not finite, a ``box_ind`` out of range.
    """
    height, width = crop_size
    scalars = {"height": height, "width": width, "nearest": method == "nearest", "extrapolation": extrapolation_value}
    return ctx.launch(CROP_AND_RESIZE, image, boxes, box_ind, **scalars)[0]


@crop_and_resize.cases
def _(draw: Any, gen: Any) -> Any:
    shape = [*(draw(gen.integers(1, 6)) for _ in range(3)), draw(gen.sampled_from([1, 2, 3, 4, 8]))]
    count = draw(gen.integers(0, 4))
    low, high = draw(gen.sampled_from([(0.0, 1.0), (-0.5, 1.5), (0.25, 0.75)]))
    return gen.case(
        image=draw(gen.tensors(shape=shape)),
        boxes=draw(gen.tensors(shape=(count, 4), dtype="float32", low=low, high=high)),
        box_ind=draw(gen.indices((count,), shape[0])),
        crop_size=[draw(gen.integers(1, 5)), draw(gen.integers(1, 5))],
        method=draw(gen.sampled_from(["bilinear", "nearest"])),
        extrapolation_value=draw(gen.floats(-2, 2)),
    )
