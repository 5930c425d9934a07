"""More rows for ``benchmarks.kernels``: searches, sorting, and the kernels for boxes and images."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from benchmarks.kernel_speed import Bench, module


def rows(torch: Any) -> dict[str, Callable[[], Bench]]:
    """Name → a function that makes the row."""
    return {
        "UpperBound": lambda: _search(torch, "UpperBound", "right"),
        "LowerBound": lambda: _search(torch, "LowerBound", "left"),
        "TopKV2": lambda: _top_k(torch, 64, 1 << 16, 1000),
        "Sort": lambda: _top_k(torch, 1, 1 << 24, 1 << 24),
        "NonMaxSuppressionV5": lambda: _boxes(torch, 5000),
        "NonMaxSuppressionV5 soft": lambda: _boxes(torch, 5000, sigma=0.5),
        "CombinedNonMaxSuppression": lambda: _classes(torch, 8, 2000, 90, levels=0),
        "CombinedNonMaxSuppression ties": lambda: _classes(torch, 8, 2000, 90, levels=256),
        "CropAndResize": lambda: _crops(torch, 1000),
        "MaxPoolWithArgmax": lambda: _pooled(torch, 64),
        "MaxPoolWithArgmax large": lambda: _pooled(torch, 512),
    }


def _search(torch: Any, name: str, side: str) -> Bench:
    table = torch.rand(1, 1 << 16, device="cuda").sort().values
    values = torch.rand(1, 1 << 24, device="cuda")
    peers = {
        "torch": lambda t, v: torch.searchsorted(t, v, side=side, out_int32=True),
        "cupy": lambda t, v: importlib.import_module("cupy").searchsorted(t[0], v[0], side=side),
        "jax": lambda t, v: importlib.import_module("jax.numpy").searchsorted(t[0], v[0], side=side),
    }
    return Bench(
        f"{name} {1 << 24} in {1 << 16}", module("searching").KERNELS[name], (table, values), peers, {"O": "int32"}
    )


def _top_k(torch: Any, height: int, length: int, k: int) -> Bench:
    listed = module("sorting").KERNELS
    kernel = next(one for one in (listed.values() if isinstance(listed, dict) else listed) if one.name == "top_k")
    sort = k == length
    peers: dict[str, Callable[..., Any]] = {
        "torch": (lambda x: torch.sort(x, descending=True, stable=True)) if sort else (lambda x: torch.topk(x, k)),
        "jax": lambda x: importlib.import_module("jax.lax").top_k(x, k),
    }
    data = torch.rand(height, length, device="cuda")
    return Bench(f"TopKV2 {k} of {height}x{length}", kernel, (data,), peers, {"k": k, "I": "int32"})


def _boxes(torch: Any, count: int, *, sigma: float = 0.0) -> Bench:
    corner, size = torch.rand(count, 2, device="cuda"), torch.rand(count, 2, device="cuda") * 0.2
    numbers = [torch.tensor(number, device="cuda") for number in (0.5, float("-inf"), sigma)]
    kernel = next(one for one in module("non_max_suppression").KERNELS if one.name == "non_max_suppression")
    inputs = (torch.cat([corner, corner + size], 1), torch.rand(count, device="cuda"), *numbers)
    nms = {"torch": lambda boxes, scores, *_: importlib.import_module("torchvision").ops.nms(boxes, scores, 0.5)}
    name = f"NonMaxSuppressionV5 {count} boxes{', soft' if sigma else ''}"
    return Bench(name, kernel, inputs, {} if sigma else nms, {"limit": count})


def _classes(torch: Any, images: int, count: int, classes: int, *, levels: int) -> Bench:
    """``levels``: how many different scores there are, 0 for as many as it happens."""
    corner = torch.rand(images, count, 1, 2, device="cuda")
    boxes = torch.cat([corner, corner + torch.rand(images, count, 1, 2, device="cuda") * 0.2], 3)
    scores = torch.rand(images, count, classes, device="cuda")
    if levels:
        scores = (scores * levels).floor() / levels
    numbers = [torch.tensor(number, device="cuda") for number in (0.5, 0.5)]
    name = f"CombinedNonMaxSuppression {images}x{count}x{classes}{', ties' if levels else ''}"
    scalars = {"per_class": 100, "total": 300, "pad_per_class": False, "clip": True}
    kernel = module("combined_non_max_suppression").COMBINED
    return Bench(name, kernel, (boxes, scores, *numbers), {}, scalars)


def _crops(torch: Any, count: int) -> Bench:
    height, width, channels = 200, 304, 64
    image = torch.rand(1, height, width, channels, device="cuda")
    corner, size = torch.rand(count, 2, device="cuda") * 0.7, torch.rand(count, 2, device="cuda") * 0.3
    boxes = torch.cat([corner, corner + size], 1)
    scale = torch.tensor([width, height, width, height], device="cuda")
    regions = torch.cat([torch.zeros(count, 1, device="cuda"), boxes[:, [1, 0, 3, 2]] * scale], 1)
    planes = image.permute(0, 3, 1, 2).contiguous()
    # the same samples, but its own borders and half pixels, of planes
    peers = {
        "torch": lambda *_: importlib.import_module("torchvision").ops.roi_align(planes, regions, 14, sampling_ratio=1)
    }
    inputs = (image, boxes, torch.zeros(count, dtype=torch.int32, device="cuda"))
    scalars = {"height": 14, "width": 14, "nearest": False, "extrapolation": 0.0}
    return Bench(
        f"CropAndResize {count}x14x14x{channels}", module("crop_and_resize").CROP_AND_RESIZE, inputs, peers, scalars
    )


def _pooled(torch: Any, batch: int) -> Bench:
    data = torch.rand(batch, 112, 112, 64, device="cuda")
    planes = data.permute(0, 3, 1, 2)  # TensorFlow's layout, as torch calls it
    pool = torch.nn.functional.max_pool2d
    scalars = {
        "rows": 3,
        "columns": 3,
        "row_stride": 2,
        "column_stride": 2,
        "same": False,
        "batch": False,
        "I": "int64",
    }
    peers = {"torch": lambda _: pool(planes, 3, 2, return_indices=True)}
    kernel = module("max_pool_with_argmax").MAX_POOL_WITH_ARGMAX
    return Bench(f"MaxPoolWithArgmax {batch}x112x112x64, 3x3 by 2", kernel, (data,), peers, scalars)
