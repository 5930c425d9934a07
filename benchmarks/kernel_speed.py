"""What ``benchmarks.kernels`` times: for each op large inputs on the GPU, our call, and what others have for it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tf2trt_core.kernels import Kernel

Peer = Callable[..., Any]
_ROWS, _WIDTH, _SEGMENTS = 1 << 20, 64, 1 << 16


@dataclass
class Bench:
    """One row: ``inputs`` are torch tensors; a peer gets them as arrays of its own library.

    ``peers``: "torch", "cupy" or "jax", with more words behind a space → a function of the inputs. JAX's are jitted.
    """

    name: str
    kernel: Kernel
    inputs: tuple[Any, ...]
    peers: Mapping[str, Peer]
    scalars: Mapping[str, Any] = field(default_factory=dict)


def module(name: str) -> Any:
    """A module of kernels."""
    return importlib.import_module(f"tf2trt_plugins_cuda.{name}")


def benches(torch: Any) -> Iterator[tuple[str, Callable[[], Bench]]]:
    """(name, a function that makes the row), so that only one row's inputs are in memory."""
    for group in (segments, scatters, unaries, pairs, scans, histograms, chosen):
        yield from group(torch).items()


def _random(torch: Any, *shape: int, low: float = 0.0, high: float = 1.0) -> Any:
    return torch.rand(*shape, device="cuda") * (high - low) + low


def _ids(torch: Any, count: int, limit: int, *, in_order: bool = False) -> Any:
    made = torch.randint(0, limit, (count,), device="cuda", dtype=torch.int32)
    if in_order:
        made = made.sort().values
        made[-1] = limit - 1
    return made


_NAMES = {"Sum": "sum", "Mean": "mean", "Max": "amax", "Min": "amin", "Prod": "prod"}
_START = {"Max": float("-inf"), "Min": float("inf"), "Prod": 1.0}


def _on_torch(reduce: str, count: int, data: Any, ids: Any) -> Any:
    torch = importlib.import_module("torch")
    out = torch.full((count, data.shape[1]), _START.get(reduce, 0.0), device="cuda")
    if reduce == "Sum":
        return out.index_add_(0, ids, data)
    return out.index_reduce_(0, ids, data, _NAMES[reduce], include_self=reduce != "Mean")


def _scattered(reduce: str, count: int, data: Any, ids: Any) -> Any:
    torch = importlib.import_module("torch")
    out = torch.full((count, data.shape[1]), _START.get(reduce, 0.0), device="cuda")
    wide = ids.long()[:, None].expand_as(data)
    return out.scatter_reduce_(0, wide, data, _NAMES[reduce], include_self=reduce != "Mean")


def _on_cupy(reduce: str, count: int, data: Any, ids: Any) -> Any:
    cupyx = importlib.import_module("cupyx")
    out = importlib.import_module("cupy").full((count, data.shape[1]), _START.get(reduce, 0.0), "float32")
    {"Sum": cupyx.scatter_add, "Max": cupyx.scatter_max, "Min": cupyx.scatter_min}[reduce](out, ids, data)
    return out


def _on_jax(reduce: str, count: int, data: Any, ids: Any, *, in_order: bool = False) -> Any:
    function = getattr(importlib.import_module("jax.ops"), f"segment_{reduce.lower()}")
    return function(data, ids, num_segments=count, indices_are_sorted=in_order)


def segments(torch: Any) -> dict[str, Callable[[], Bench]]:
    """Rows reduced by segment."""
    kernels, sparse = module("segments"), module("sparse_segments")

    def unsorted(reduce: str, rows: int = _ROWS, width: int = _WIDTH, count: int = _SEGMENTS) -> Bench:
        data = _random(torch, rows, width, low=0.9, high=1.1)
        peers: dict[str, Peer] = {
            "torch": lambda *given: _on_torch(reduce, count, *given),
            "torch scatter": lambda *given: _scattered(reduce, count, *given),
            "jax": lambda *given: _on_jax(reduce, count, *given),
        }
        if reduce != "Prod":
            peers["cupy"] = lambda *given: _on_cupy(reduce, count, *given)
        name = f"UnsortedSegment{reduce} {rows}x{width} into {count}"
        kernel = kernels.UNSORTED[f"UnsortedSegment{reduce}"]
        return Bench(name, kernel, (data, _ids(torch, rows, count)), peers, {"segments": count})

    def in_order(reduce: str, rows: int = _ROWS, count: int = _SEGMENTS) -> Bench:
        data, ids = _random(torch, rows, _WIDTH, low=0.9, high=1.1), _ids(torch, rows, count, in_order=True)
        lengths = torch.bincount(ids, minlength=count)
        peers: dict[str, Peer] = {
            "torch": lambda *given: _on_torch(reduce, count, *given),
            "torch segment_reduce": lambda data, _: torch.segment_reduce(
                data, _NAMES[reduce].removeprefix("a"), lengths=lengths, unsafe=True
            ),
        }
        if reduce != "Mean":
            peers["jax"] = lambda *given: _on_jax(reduce, count, *given, in_order=True)
        name = f"Segment{reduce} {rows}x{_WIDTH} into {count}"
        return Bench(name, kernels.SORTED[f"Segment{reduce}"], (data, ids), peers, {"segments": count})

    def picked(reduce: str) -> Bench:
        table, rows = _random(torch, _ROWS, _WIDTH), _ids(torch, _ROWS, _ROWS)
        ids = _ids(torch, _ROWS, _SEGMENTS, in_order=True)
        offsets = torch.nn.functional.pad(torch.bincount(ids, minlength=_SEGMENTS).cumsum(0), (1, 0))[:-1].int()
        bag = torch.nn.functional.embedding_bag
        peers: dict[str, Peer] = {"torch": lambda table, rows, _: bag(rows, table, offsets, mode=reduce.lower())}
        if reduce == "Sum":
            peers["jax"] = lambda table, rows, ids: _on_jax("Sum", _SEGMENTS, table[rows], ids, in_order=True)
        name = f"SparseSegment{reduce} {_ROWS} of {_ROWS}x{_WIDTH} into {_SEGMENTS}"
        kernel = sparse.FIXED[f"SparseSegment{reduce}WithNumSegments"]
        return Bench(name, kernel, (table, rows, ids), peers, {"segments": _SEGMENTS})

    return {
        **{f"UnsortedSegment{reduce}": partial(unsorted, reduce) for reduce in ("Sum", "Max", "Min", "Prod")},
        "UnsortedSegmentSum narrow": lambda: unsorted("Sum", 1 << 24, 1, 1 << 20),
        **{f"Segment{reduce}": partial(in_order, reduce) for reduce in ("Sum", "Mean", "Max", "Min", "Prod")},
        **{
            f"Segment{reduce} large": partial(in_order, reduce, _ROWS * 16, _SEGMENTS * 16) for reduce in ("Sum", "Max")
        },
        **{f"SparseSegment{reduce}": partial(picked, reduce) for reduce in ("Sum", "Mean")},
    }


def scatters(torch: Any) -> dict[str, Callable[[], Bench]]:
    """Scatters that accumulate."""
    kernels = module("scatter")

    def fresh() -> Bench:
        index, updates = _ids(torch, _ROWS, _SEGMENTS)[:, None], _random(torch, _ROWS, _WIDTH)
        shape = (_SEGMENTS, _WIDTH)
        peers: dict[str, Peer] = {
            "torch": lambda index, updates: torch.zeros(shape, device="cuda").index_add_(0, index[:, 0], updates),
            "jax": lambda index, updates: _jnp().zeros(shape).at[index[:, 0]].add(updates),
        }
        return Bench(
            f"ScatterNd {_ROWS}x{_WIDTH} into {_SEGMENTS}",
            kernels.SCATTER_ND,
            (index, updates),
            peers,
            {"shape": shape},
        )

    def onto(name: str) -> Bench:
        tensor, updates = (_random(torch, rows, _WIDTH) for rows in (_SEGMENTS, _ROWS))
        index = _ids(torch, _ROWS, _SEGMENTS)[:, None]
        do = {
            "Add": lambda t, i, u: t.clone().index_add_(0, i[:, 0], u),
            "Max": lambda t, i, u: t.clone().index_reduce_(0, i[:, 0], u, "amax"),
        }[name]
        on_jax = {"Add": lambda t, i, u: t.at[i[:, 0]].add(u), "Max": lambda t, i, u: t.at[i[:, 0]].max(u)}[name]
        title = f"TensorScatter{name} {_ROWS}x{_WIDTH} onto {_SEGMENTS}"
        return Bench(
            title, kernels.ONTO[f"TensorScatter{name}"], (tensor, index, updates), {"torch": do, "jax": on_jax}
        )

    return {"ScatterNd": fresh, **{f"TensorScatter{name}": partial(onto, name) for name in ("Add", "Max")}}


_CUPY = "cupyx.scipy.special"
_JAX = "jax.scipy.special"
#: Op → (elements, low, high, torch.special's name, cupyx's, jax's).
_UNARY = {
    "Lgamma": (26, 0.1, 50.0, "gammaln", "gammaln", "gammaln"),
    "Digamma": (26, 0.1, 50.0, "digamma", "digamma", "digamma"),
    "Erfinv": (26, -0.99, 0.99, "erfinv", "erfinv", "erfinv"),
    "Ndtri": (26, 0.001, 0.999, "ndtri", "ndtri", "ndtri"),
    "BesselI0": (26, -8.0, 8.0, "i0", "i0", "i0"),
    "BesselI0e": (26, -20.0, 20.0, "i0e", "i0e", "i0e"),
    "BesselI1": (26, -8.0, 8.0, "i1", "i1", "i1"),
    "BesselI1e": (26, -20.0, 20.0, "i1e", "i1e", "i1e"),
    "BesselJ0": (26, -20.0, 20.0, "bessel_j0", "j0", ""),
    "BesselJ1": (26, -20.0, 20.0, "bessel_j1", "j1", ""),
    "BesselY0": (26, 0.1, 20.0, "bessel_y0", "y0", ""),
    "BesselY1": (26, 0.1, 20.0, "bessel_y1", "y1", ""),
    "BesselK0": (26, 0.1, 20.0, "modified_bessel_k0", "k0", ""),
    "BesselK0e": (26, 0.1, 20.0, "scaled_modified_bessel_k0", "k0e", ""),
    "BesselK1": (26, 0.1, 20.0, "modified_bessel_k1", "k1", ""),
    "BesselK1e": (26, 0.1, 20.0, "scaled_modified_bessel_k1", "k1e", ""),
    "Dawsn": (26, -8.0, 8.0, "", "dawsn", ""),
    "Expint": (26, 0.1, 20.0, "", "expi", "expi"),
    "Spence": (26, 0.1, 20.0, "", "spence", "spence"),
    "FresnelSin": (24, -8.0, 8.0, "", "", "fresnel"),
    "FresnelCos": (24, -8.0, 8.0, "", "", "fresnel"),
}


def _later(module: str, name: str) -> Peer:
    """A function of a library that may not be there."""

    def call(*given: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*given)

    return call


def _peers(torch: Any, on_torch: str, on_cupy: str, on_jax: str) -> dict[str, Peer]:
    made: dict[str, Peer] = {}
    if on_torch:
        made["torch"] = getattr(torch.special, on_torch)
    if on_cupy:
        made["cupy"] = _later(_CUPY, on_cupy)
    if on_jax:
        made["jax"] = _later(_JAX, on_jax)
    return made


def _jnp() -> Any:
    return importlib.import_module("jax.numpy")


def unaries(torch: Any) -> dict[str, Callable[[], Bench]]:
    """Functions of one argument."""
    listed = {**module("gamma").KERNELS, **module("special").KERNELS}

    def one(name: str) -> Bench:
        bits, low, high, *names = _UNARY[name]
        peers = _peers(torch, *names)
        if name.startswith("Fresnel"):
            place = int(name == "FresnelCos")
            peers = {"jax": lambda x: importlib.import_module(_JAX).fresnel(x)[place]}
        return Bench(f"{name} {1 << bits}", listed[name], (_random(torch, 1 << bits, low=low, high=high),), peers)

    return {name: partial(one, name) for name in _UNARY}


def pairs(torch: Any) -> dict[str, Callable[[], Bench]]:
    """Functions of two or three arguments, and bit operations."""
    gamma, bitwise = module("gamma").KERNELS, module("bitwise")

    def special(name: str, names: tuple[str, str, str], *ranges: tuple[float, float]) -> Bench:
        inputs = tuple(_random(torch, 1 << 22, low=low, high=high) for low, high in ranges)
        return Bench(f"{name} {1 << 22}", gamma[name], inputs, _peers(torch, *names))

    def bits(
        name: str, kernel: Kernel, on_torch: Any, method: str, scalars: Mapping[str, Any], count: int = 2
    ) -> Bench:
        high = 31 if "Shift" in name else 2**31 - 1
        inputs = tuple(torch.randint(0, high, (1 << 26,), device="cuda", dtype=torch.int32) for _ in range(count))
        peers: dict[str, Peer] = {"torch": on_torch} if on_torch else {}
        if method:
            peers["cupy"] = _later("cupy", method)
            peers["jax"] = _later("jax.numpy", method)
        return Bench(f"{name} {1 << 26}", kernel, inputs, peers, scalars)

    def after() -> Bench:
        inputs = tuple(_random(torch, 1 << 26, low=-1.0) for _ in range(2))
        peers = {"torch": torch.nextafter, "jax": lambda x, y: _jnp().nextafter(x, y)}
        return Bench(f"NextAfter {1 << 26}", bitwise.NEXT_AFTER, inputs, peers)

    wide = {"option": 32}
    shifts = bitwise.SHIFTS
    return {
        "Igamma": lambda: special("Igamma", ("gammainc", "gammainc", "gammainc"), (0.1, 20.0), (0.1, 20.0)),
        "Igammac": lambda: special("Igammac", ("gammaincc", "gammaincc", "gammaincc"), (0.1, 20.0), (0.1, 20.0)),
        "Zeta": lambda: special("Zeta", ("zeta", "zeta", "zeta"), (1.1, 10.0), (0.1, 20.0)),
        "Betainc": lambda: special("Betainc", ("", "betainc", "betainc"), (0.1, 10.0), (0.1, 10.0), (0.0, 1.0)),
        **{
            f"Bitwise{name}": partial(
                bits,
                f"Bitwise{name}", bitwise.PAIRS[f"Bitwise{name}"], getattr(torch, f"bitwise_{name.lower()}"),
                f"bitwise_{name.lower()}", {},
            )
            for name in ("And", "Or", "Xor")
        },
        "LeftShift": lambda: bits("LeftShift", shifts["LeftShift"], torch.bitwise_left_shift, "left_shift", wide),
        "RightShift": lambda: bits("RightShift", shifts["RightShift"], torch.bitwise_right_shift, "right_shift", wide),
        "PopulationCount": lambda: Bench(
            f"PopulationCount {1 << 26}", bitwise.POPULATION_COUNT,
            (torch.randint(0, 2**31 - 1, (1 << 26,), device="cuda", dtype=torch.int32),),
            {"jax": lambda x: importlib.import_module("jax.lax").population_count(x)}, {"Y": "int32", **wide},
        ),
        "NextAfter": after,
    }  # fmt: skip


def scans(torch: Any) -> dict[str, Callable[[], Bench]]:
    """Running products and log-sum-exps."""
    kernels = module("cumulative").KERNELS

    def one(name: str, shape: tuple[int, int], axis: int) -> Bench:
        data = _random(torch, *shape, low=0.99, high=1.01)
        peers: dict[str, Peer] = {"torch": lambda x: torch.logcumsumexp(x, axis)}
        if name == "Cumprod":
            peers = {
                "torch": lambda x: torch.cumprod(x, axis),
                "cupy": lambda x: importlib.import_module("cupy").cumprod(x, axis),
                "jax": lambda x: _jnp().cumprod(x, axis),
            }
        else:
            peers["jax"] = lambda x: importlib.import_module("jax.lax").cumlogsumexp(x, axis)
        scalars = {"axis": axis, "exclusive": False, "reverse": False}
        return Bench(f"{name} {shape[0]}x{shape[1]} axis {axis}", kernels[name], (data,), peers, scalars)

    return {
        f"{name} {axis}": partial(one, name, shape, axis)
        for name in kernels
        for shape, axis in (((4096, 16384), 1), ((16384, 4096), 0))
    } | {f"Cumprod {axis} large": partial(one, "Cumprod", (32768, 16384), axis) for axis in (1, 0)}


def histograms(torch: Any) -> dict[str, Callable[[], Bench]]:
    """Counts."""
    kernels = module("histogram")

    def counted(*, weighted: bool, size: int = 1 << 26) -> Bench:
        values = _ids(torch, size, 1024)
        weights = _random(torch, 1 << 26 if weighted else 0)
        if not weighted:
            weights = weights.int()
        used = (lambda v, w: (v, w)) if weighted else lambda v, _: (v,)
        peers: dict[str, Peer] = {
            "torch": lambda *given: torch.bincount(*used(*given), minlength=1024),
            "cupy": lambda *given: importlib.import_module("cupy").bincount(*used(*given), minlength=1024),
            "jax": lambda *given: _jnp().bincount(*used(*given), length=1024),
        }
        scalars = {"bins": 1024, "per_row": False, "binary": False}
        name = f"Bincount {size} into 1024{', weighted' * weighted}"
        return Bench(name, kernels.BINCOUNT, (values, weights), peers, scalars)

    def fixed(size: int) -> Bench:
        values, limits = _random(torch, size), torch.tensor([0.0, 1.0], device="cuda")
        peers: dict[str, Peer] = {
            "torch": lambda v, _: torch.histc(v, 256, 0, 1),
            "cupy": lambda v, _: importlib.import_module("cupy").histogram(v, 256, (0.0, 1.0))[0],
            "jax": lambda v, _: _jnp().histogram(v, 256, (0.0, 1.0))[0],
        }
        name = f"HistogramFixedWidth {size} into 256"
        return Bench(name, kernels.FIXED_WIDTH, (values, limits), peers, {"bins": 256, "T": "int32"})

    return {
        "Bincount": lambda: counted(weighted=False),
        "Bincount weighted": lambda: counted(weighted=True),
        "Bincount large": lambda: counted(weighted=False, size=1 << 29),
        "HistogramFixedWidth": lambda: fixed(1 << 26),
        "HistogramFixedWidth large": lambda: fixed(1 << 29),
    }


def chosen(torch: Any) -> dict[str, Callable[[], Bench]]:
    """What has outputs of data-dependent extents: our time and theirs have the size brought to the host."""

    def unique(limit: int) -> Bench:
        peers: dict[str, Peer] = {
            "torch": lambda x: torch.unique(x, return_inverse=True),
            "cupy": lambda x: importlib.import_module("cupy").unique(x, return_inverse=True),
            "jax": lambda x: _jnp().unique(x, return_inverse=True, size=limit),
        }
        data = torch.randint(0, limit, (1 << 22,), device="cuda", dtype=torch.int32)
        return Bench(f"Unique {1 << 22} of {limit}", module("unique").UNIQUE, (data,), peers, {"axis": 0, "I": "int32"})

    def where(size: int) -> Bench:
        data = torch.randint(0, 2, (size,), device="cuda", dtype=torch.bool)
        peers: dict[str, Peer] = {
            "torch": torch.nonzero,
            "cupy": lambda x: importlib.import_module("cupy").argwhere(x),
        }
        return Bench(f"Where {size}, half", module("where").WHERE, (data,), peers)

    return {
        "Unique": lambda: unique(1 << 20),
        "Unique few": lambda: unique(1000),
        "Where": lambda: where(1 << 26),
        "Where large": lambda: where(1 << 29),
    }
