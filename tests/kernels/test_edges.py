"""Edges of kernel ops, by reference and source: out of range, empty, more work than threads, sizes beyond 32 bits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kernels import judge
from tf2trt_core.conformance.cases import make
from tf2trt_core.kernels import DeviceFacts, KernelError
from tf2trt_core.kernels.immediate import numpy_reference, play
from tf2trt_core.kernels.plan import Launch

OPS = {op.name: op for module in judge.modules() for op in judge.ops(module)}
KERNELS = {kernel.name: kernel for module in judge.modules() for kernel in judge.kernels(module)}
NAN, INF = np.nan, np.inf
F = np.float32
LONG_2 = np.int64(2)
FAR = 2**40


def f(*values):
    return np.array(values, F)


def i(*values, dtype=np.int32):
    return np.array(values, dtype)


def case(name, **given):
    return make(OPS[name].schema, given, lambda _: "int32")


def played(host, name, *, device=None, orders=(0, 1, 7), **given):
    """The op's outputs, by the reference and by the source in some orders and alignments, which must agree."""
    one = case(name, **given)
    right = play(OPS[name], one.inputs, one.attributes, numpy_reference)
    for order in orders:

        def run(kernel, arrays, scalars, order=order):
            return host.run(kernel, arrays, scalars, device=device, seed=order, shift=order % 4)

        for mine, want in zip(play(OPS[name], one.inputs, one.attributes, run), right, strict=True):
            assert (mine.dtype, mine.shape) == (want.dtype, want.shape)
            np.testing.assert_allclose(mine.astype(np.float64), want.astype(np.float64), rtol=1e-5)
    return right


# -- out of range ---------------------------------------------------------------------------------
#: What TensorFlow's CPU kernels refuse is left out, as the ops' documentation says.
OUTSIDE = [
    ("UnsortedSegmentSum", {"data": f(1, 2, 4, 8), "segment_ids": i(-1, 0, 2, 5), "num_segments": 3}, [2, 0, 4]),
    ("UnsortedSegmentMax", {"data": i(1, 2, 4), "segment_ids": i(-FAR, 1, FAR, dtype=np.int64), "num_segments": 2},
     [-(2**31), 2]),
    ("UnsortedSegmentProd", {"data": f(3, 5), "segment_ids": i(7, -7), "num_segments": 2}, [1, 1]),
    ("SegmentSum", {"data": f(1, 2, 4), "segment_ids": i(-2, 0, 1)}, [2, 4]),
    ("SparseSegmentSum", {"data": f(1, 2), "indices": i(-1, 1, 2, 0), "segment_ids": i(0, 0, 0, 1)}, [2, 1]),
    ("SparseSegmentSumWithNumSegments",
     {"data": f(1, 2), "indices": i(0, 1, FAR, dtype=np.int64), "segment_ids": i(0, 1, 4), "num_segments": 2}, [1, 2]),
    ("ScatterNd", {"indices": i([-1], [3], [1], [1]), "updates": f(1, 2, 4, 8), "shape": i(3)}, [0, 12, 0]),
    ("ScatterNd", {"indices": i([0, 2], [-1, 1], [1, 1]), "updates": f(1, 2, 4), "shape": i(2, 2)}, [[0, 0], [0, 4]]),
    ("TensorScatterAdd", {"tensor": f(1, 1), "indices": i([FAR], [-FAR], [1], dtype=np.int64), "updates": f(1, 2, 4)},
     [1, 5]),
    ("TensorScatterSub", {"tensor": i(1, 1), "indices": i([2], [0]), "updates": i(1, 2)}, [-1, 1]),
    ("Bincount", {"arr": i(-1, 0, 7, 2, 2**31 - 1, -(2**31)), "size": 3, "weights": i()}, [1, 0, 1]),
    ("DenseBincount", {"input": i([-1, 0], [FAR, 1], dtype=np.int64), "size": LONG_2, "weights": f([1, 2], [3, 4])},
     [[2, 0], [0, 4]]),
    ("HistogramFixedWidth", {"values": f(NAN, -INF, INF, 0.5), "value_range": f(0, 2), "nbins": 2}, [2, 1]),
    ("LeftShift", {"x": i(1, 1, 1), "y": i(-1, 40, 3)}, [1, -(2**31), 8]),
    ("LowerBound", {"sorted_inputs": f([1, 2, 3]), "values": f([NAN, -INF, INF])}, [[0, 0, 3]]),
    ("UpperBound", {"sorted_inputs": f([1, 2, 3]), "values": f([NAN, -INF, INF])}, [[3, 0, 3]]),
    ("CropAndResize", {"image": np.ones((1, 2, 2, 1), F), "boxes": np.tile(f(0, 0, 1, 1), (4, 1)),
                       "box_ind": i(0, 1, -1, 2**31 - 1), "crop_size": i(1, 1), "extrapolation_value": 9.0},
     [[[[one]]] for one in (1, 9, 9, 9)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "right"), OUTSIDE, ids=[entry[0] for entry in OUTSIDE])
def test_out_of_range(name, given, right, host):
    np.testing.assert_array_equal(played(host, name, **given)[0], right)


# -- empty ----------------------------------------------------------------------------------------
NONE = np.zeros((0, 3), F)
EMPTY = [
    ("BitwiseAnd", {"x": np.zeros((0, 3), np.int32), "y": i(1)}, [(0, 3)]),
    ("Lgamma", {"x": NONE}, [(0, 3)]),
    ("Igamma", {"a": NONE, "x": f(1)}, [(0, 3)]),
    ("Betainc", {"a": NONE, "b": NONE, "x": NONE}, [(0, 3)]),
    ("Cumprod", {"x": NONE, "axis": 0}, [(0, 3)]),
    ("CumulativeLogsumexp", {"x": NONE, "axis": -1}, [(0, 3)]),
    ("UnsortedSegmentMin", {"data": NONE, "segment_ids": i(), "num_segments": 2}, [(2, 3)]),
    ("UnsortedSegmentSum", {"data": f(1, 2), "segment_ids": i(0, 0), "num_segments": 0}, [(0,)]),
    ("SegmentMean", {"data": NONE, "segment_ids": i()}, [(0, 3)]),
    ("SparseSegmentMean", {"data": NONE + 1, "indices": i(), "segment_ids": i()}, [(0, 3)]),
    ("ScatterNd", {"indices": np.zeros((0, 1), np.int32), "updates": NONE, "shape": i(2, 3)}, [(2, 3)]),
    ("TensorScatterAdd", {"tensor": f(1, 2), "indices": np.zeros((0, 1), np.int32), "updates": f()}, [(2,)]),
    ("Bincount", {"arr": i(), "size": 3, "weights": f()}, [(3,)]),
    ("Bincount", {"arr": i(1, 2), "size": 0, "weights": f()}, [(0,)]),
    (
        "DenseBincount",
        {"input": np.zeros((2, 0), np.int32), "size": 3, "weights": f(), "binary_output": True},
        [(2, 3)],
    ),
    ("HistogramFixedWidth", {"values": f(), "value_range": f(0, 1), "nbins": 4}, [(4,)]),
    ("Unique", {"x": f()}, [(0,), (0,)]),
    ("UniqueWithCountsV2", {"x": NONE, "axis": i(1)}, [(0, 1), (3,), (1,)]),
    ("Where", {"input": NONE}, [(0, 2)]),
    ("Where", {"input": f(0, 0)}, [(0, 1)]),
    ("LowerBound", {"sorted_inputs": f([]), "values": f([1, 2])}, [(1, 2)]),
    ("UpperBound", {"sorted_inputs": f([1, 2]), "values": f([])}, [(1, 0)]),
    ("TopKV2", {"input": np.ones((2, 5), F), "k": 0}, [(2, 0), (2, 0)]),
    ("TopKV2", {"input": np.ones((0, 5), F), "k": 3}, [(0, 3), (0, 3)]),
    ("Bitcast", {"input": NONE, "type": "int16"}, [(0, 3, 2)]),
]


@pytest.mark.parametrize(("name", "given", "shapes"), EMPTY, ids=[entry[0] for entry in EMPTY])
def test_empty(name, given, shapes, host):
    assert [array.shape for array in played(host, name, **given)] == shapes


# -- more work than threads -------------------------------------------------------------------------
def test_grids_smaller_than_the_work(host):
    """One multiprocessor, so that every thread has several elements, or a block several tiles."""
    one = DeviceFacts(multiprocessors=1)
    random = np.random.default_rng(1)
    numbers = random.integers(0, 50, 9000).astype(np.int32)
    given = [
        ("UnsortedSegmentSum", {"data": numbers, "segment_ids": numbers[::-1].copy(), "num_segments": 50}),
        ("UnsortedSegmentMax", {"data": numbers, "segment_ids": numbers[::-1].copy(), "num_segments": 50}),
        ("SegmentProd", {"data": numbers, "segment_ids": np.sort(numbers)}),
        ("ScatterNd", {"indices": numbers[:, None], "updates": numbers, "shape": i(50)}),
        ("Bincount", {"arr": numbers, "size": 50, "weights": f()}),
        ("UniqueWithCounts", {"x": numbers}),
        ("Where", {"input": numbers - 25}),
        ("Cumprod", {"x": (numbers | 1).reshape(100, 90), "axis": 0}),
        ("UpperBound", {"sorted_inputs": np.sort(numbers)[None], "values": numbers[None, ::-1].copy()}),
        ("TopKV2", {"input": numbers.reshape(2, 4500), "k": 4000}),
    ]
    for name, arrays in given:
        played(host, name, device=one, orders=(5,), **arrays)


@pytest.mark.parametrize("name", ["SegmentMax", "SegmentMin", "UnsortedSegmentMax", "UnsortedSegmentMin"])
def test_a_segment_with_nan_is_nan(name, host):
    """Wherever it is, also where a long segment is reduced in parts."""
    given = {"num_segments": 3} if name.startswith("Unsorted") else {}
    ids = np.repeat(i(0, 1, 2), [40, 700, 10])
    for place in (0, 39, 40, 56, 400, 739):
        data = np.random.default_rng(place).normal(size=(750, 3)).astype(F)
        data[place, 1] = NAN
        one = DeviceFacts(multiprocessors=1)
        (made,) = played(host, name, device=one, orders=(0, 1), data=data, segment_ids=ids, **given)
        right = np.zeros((3, 3), bool)
        right[ids[place], 1] = True
        np.testing.assert_array_equal(np.isnan(made), right)


def test_a_search_tree_that_holds_some_of_the_row(host):
    small = DeviceFacts(multiprocessors=1, shared_bytes=256)
    random = np.random.default_rng(2)
    for length, name in itertools.product((1, 31, 32, 33, 1000), ("LowerBound", "UpperBound")):
        rows = np.sort(random.integers(-99, 99, (3, length)), axis=1).astype(np.float16)
        values = random.integers(-120, 120, (3, 700)).astype(np.float16)
        side = {"LowerBound": "left", "UpperBound": "right"}[name]
        (found,) = played(host, name, device=small, orders=(3,), sorted_inputs=rows, values=values)
        assert found.tolist() == [np.searchsorted(*pair, side).tolist() for pair in zip(rows, values, strict=True)]


@pytest.mark.parametrize("size", [31, 32, 33, 8191, 8193, 258 * 8192 + 40])
def test_places_beyond_a_tile_and_a_group_of_tiles(size, host):
    random = np.random.default_rng(size)
    chosen = random.random(size) < (0.5 if size < 10_000 else 0.01)
    orders = (0, 1, 7) if size < 10_000 else (3,)
    (made,) = played(host, "Where", orders=orders, input=chosen)
    assert made.tolist() == np.flatnonzero(chosen)[:, None].tolist()


@pytest.mark.parametrize("limits", [(0, 1), (-3.7, 2.9), (1e30, 3e38), (-1e-40, 3e-39), (1, 1 + 2**-20)])
@pytest.mark.parametrize("bins", [1, 7, 256])
def test_values_beside_the_edges_of_bins(limits, bins, host):
    """Where a quotient in float32 falls into the next bin."""
    low, high = map(F, limits)
    edges = (np.linspace(low, high, bins + 1, dtype=np.float64)).astype(F)
    beside = [np.nextafter(edges, F(end)) for end in (-INF, INF)]
    random = np.random.default_rng(bins).uniform(low, high, 500).astype(F)
    values = np.concatenate([edges, *beside, random, f(-INF, INF, NAN, 0, -3e38, 3e38)])
    with np.errstate(all="ignore"):
        played(host, "HistogramFixedWidth", values=values, value_range=f(low, high), nbins=bins)


def test_betainc_keeps_its_digits_where_its_complement_is_near_one(host):
    """TensorFlow's answers in float64, of the same float32 inputs."""
    a, b, x = f(0.63829786, 6.3405256), f(0.016022285, 0.000100917445), f(0.62425625, 0.880544)
    (made,) = played(host, "Betainc", a=a, b=b, x=x)
    np.testing.assert_allclose(made, [0.025960010066744987, 3.469543405569793e-05], rtol=5e-6)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("window", [(1, 3), (4, 5), (7, 2), (3, 7)])
def test_windows_of_more_taps_than_are_taken_at_once(window, channels, host):
    random = np.random.default_rng(channels)
    data = random.integers(-3, 3, (2, 8, 9, channels)).astype(F)
    data[random.random(data.shape) < 0.05] = NAN
    data[random.random(data.shape) < 0.3] = -INF
    for padding, strides in itertools.product(("SAME", "VALID"), ((1, 1), (2, 3))):
        sizes = {"ksize": [1, *window, 1], "strides": [1, *strides, 1], "padding": padding}
        played(host, "MaxPoolWithArgmax", input=data, **sizes, include_batch_in_index=True)


# -- bits -----------------------------------------------------------------------------------------
BITS = ("int8", "uint8", "int16", "uint16", "int32", "int64", "float16", "float32")


@pytest.mark.parametrize("source", [*BITS, "bfloat16"])
def test_bitcast_has_the_bytes_of_numpy(source, host):
    raw = np.random.default_rng(3).bytes(64)
    for target in (*BITS, "bfloat16"):
        x, right = np.frombuffer(raw, source), np.frombuffer(raw, target)
        grown = right.itemsize // x.itemsize
        given = x.reshape(-1, grown) if grown > 1 else x
        one = case("Bitcast", input=given, type=target)
        for run in (numpy_reference, host.run):
            (mine,) = play(OPS["Bitcast"], one.inputs, one.attributes, run)
            assert mine.dtype == right.dtype
            assert mine.tobytes() == raw


# -- beyond 32 bits -------------------------------------------------------------------------------
HUGE = 3 << 31
VECTOR, MATRIX = [(HUGE,)], [(4, HUGE)]
#: Kernel → (dtypes, shapes, scalars): planned, not run.
PLANS = {
    "cumprod": (["float32"], MATRIX, {"axis": 1, "exclusive": False, "reverse": False}),
    "cumulative_logsumexp": (["float16"], [(HUGE, 4)], {"axis": 0, "exclusive": False, "reverse": False}),
    "bincount": (["int32", "float32"], [*VECTOR, (0,)], {"bins": 10, "per_row": False, "binary": False}),
    "histogram_fixed_width": (["float32"] * 2, [*VECTOR, (2,)], {"bins": HUGE, "T": "int64"}),
    "scatter_nd": (["int64", "float32"], [(2**31, 1), (2**31, 2)], {"shape": (2**31, 2)}),
    "tensor_scatter_add": (["float32", "int64", "float32"], [(HUGE // 2, 8), (9, 1), (9, 8)], {}),
    "unsorted_segment_sum": (["float32", "int32"], [(2**31, 8), (2**31,)], {"segments": 1000}),
    "segment_sum": (["float32", "int32"], [(HUGE, 8), (HUGE,)], {"segments": 1000}),
    "sparse_segment_mean": (["float32", "int32", "int32"], [(HUGE // 2, 8), (HUGE,), (HUGE,)], {"segments": 9}),
    "bitcast": (["float32"], VECTOR, {"Y": "int32", "source": 32, "target": -16}),
    "where": (["bool"], VECTOR, {}),
    "unique": (["float32"], [(1 << 31, 4)], {"I": "int64", "axis": 0}),
    "lower_bound": (["float32"] * 2, [(1, HUGE), (1, HUGE)], {"O": "int64"}),
    "top_k": (["float32"], [(4, 2**32 - 1)], {"k": 5000, "I": "int64"}),
    "top_k_long": (["int64"], [(4, 2**31)], {"k": 2**31, "I": "int64"}),
}  # fmt: skip
ELEMENTWISE = [
    kernel.name
    for kernel in KERNELS.values()
    if {one.name for one in kernel.signature.scalars} <= {"option"} and set(kernel.entries) <= {"map", "broadcast"}
]


@pytest.mark.parametrize("name", [*PLANS, *ELEMENTWISE])
def test_plans_beyond_32_bits(name):
    """Every count that a launch gets is one of 64 bits, and the grid is one that can be launched."""
    kernel = KERNELS[name]
    if name in PLANS:
        dtypes, shapes, scalars = PLANS[name]
    else:
        bound = kernel.bindings()[0]
        dtypes = [kernel.signature.dtype(one, bound) for one in kernel.signature.inputs]
        shapes = VECTOR * len(dtypes)
        scalars = dict.fromkeys((one.name for one in kernel.signature.scalars), 32)
        scalars |= {one: bound[one] for one in kernel.signature.types}
    call = kernel.plan(dtypes, shapes, scalars, DeviceFacts(132, 90, 227 << 10))
    launches = [step for step in call.steps if isinstance(step, Launch)]
    assert launches
    given = {one for launch in launches for one in launch.arguments if isinstance(one, np.int64)}
    extents = {extent for buffer in (*call.inputs, *call.outputs) for extent in (buffer.size, *buffer.shape)}
    assert {int(one) for one in given if one >= 2**31} & extents


@pytest.mark.parametrize(
    ("name", "dtypes", "shapes", "scalars", "said"),
    [
        ("unique", ["float32"], [((1 << 31) + 1,)], {"I": "int64", "axis": 0}, "a table of them"),
        ("unsorted_segment_sum", ["float32", "int64"], [(4,), (4,)], {"segments": 2**32}, "a 32-bit key counts to"),
        ("unsorted_segment_max", ["float32", "int64"], [(2**32,), (2**32,)], {"segments": 9}, "a sort counts to"),
        ("scatter_nd", ["int64", "float32"], [(9, 1), (9,)], {"shape": (2**32,)}, "a 32-bit key counts to"),
        ("top_k", ["float32"], [(2**32,)], {"k": 5000, "I": "int64"}, "a sort counts to"),
        ("top_k", ["float32"], [(2**31 + 1,)], {"k": 5000, "I": "int32"}, "int32 does not hold"),
        ("lower_bound", ["float32"] * 2, [(1, 2**31), (1, 9)], {"O": "int32"}, "int32 does not hold"),
        ("non_max_suppression", ["float32"] * 5, [(2**31, 4), (2**31,), *[()] * 3], {"limit": 9}, "int32 does not"),
        ("combined_non_max_suppression", ["float32"] * 4, [(1, 2**20, 1, 4), (1, 2**20, 2**11), (), ()],
         {"per_class": 2**20, "total": 9, "pad_per_class": False, "clip": False}, "number them by int32"),
        ("max_pool_with_argmax", ["float32"], [(1, 2**16, 2**15, 1)],
         {"rows": 2**16, "columns": 1, "row_stride": 1, "column_stride": 1, "same": False, "batch": False,
          "I": "int64"},
         "2147483648 places; they are counted in 32 bits"),
        ("bincount", ["int32", "float32"], [(70000, 9), (0,)], {"bins": 9, "per_row": True, "binary": False}, "a grid"),
    ],
)  # fmt: skip
def test_what_a_kernel_cannot_count_is_refused(name, dtypes, shapes, scalars, said):
    with pytest.raises(KernelError, match=said):
        KERNELS[name].plan(dtypes, shapes, scalars)
