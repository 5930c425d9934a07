"""Plans of calls: launch limits, workspace, empty grids, parts of buffers, arguments; sizes beyond 32 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tf2trt_core.kernels import Buffer, Call, DeviceFacts, Kernel, KernelError, ceil_div, extents, strides
from tf2trt_core.kernels.plan import Copy, Launch, Memset
from tf2trt_core.kernels.scanning import choose
from tf2trt_core.kernels.sorting import sort, sort_entries


def call(shape=(4,), device=None, entries=("it",)):
    tensors = [(Buffer(role, 0, "float32", shape),) for role in ("input", "output")]
    return Call(*tensors, (), {"n": 3, "several": (1, 2)}, device or DeviceFacts(), dict.fromkeys(entries, "f"))


# -- launches -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("grid", "block", "said"),
    [
        (2**31, 32, "a grid of"),
        ((1, 65536), 32, "a grid of"),
        ((1, 1, 65536), 32, "a grid of"),
        (-1, 32, "a grid of"),
        (1, 1025, "a block of"),
        (1, (1, 1, 65), "a block of"),
        (1, (32, 33), "1056 threads in a block; 1024 are the most"),
    ],
)
def test_launches_have_limits(grid, block, said):
    with pytest.raises(KernelError, match=said):
        call().launch("it", grid, block)


def test_the_largest_launch():
    made = call(device=DeviceFacts(shared_bytes=100 << 10))
    made.launch("it", (2**31 - 1, 65535, 65535), (16, 8, 8), shared=100 << 10)
    assert made.steps == [Launch("it", (2**31 - 1, 65535, 65535), (16, 8, 8), (), 100 << 10)]


def test_shared_memory_is_the_devices():
    with pytest.raises(KernelError, match="49153 bytes of shared memory; the device has 49152"):
        call().launch("it", 1, 32, shared=49153)


def test_an_entry_must_be_declared():
    with pytest.raises(KernelError, match="no entry 'other'; the declaration has it, more"):
        call(entries=("it", "more")).launch("other", 1, 1)


@pytest.mark.parametrize("grid", [0, (5, 0), (5, 5, 0)])
def test_an_empty_grid_is_no_launch(grid):
    made = call()
    made.launch("it", grid, 32)
    assert not made.steps


def test_grids_of_loops_are_as_large_as_the_work_or_the_device():
    made = call(device=DeviceFacts(multiprocessors=3))
    assert [made.grid(count, 256) for count in (0, 1, 256, 257, 2**40)] == [0, 1, 1, 2, 96]
    assert made.grid(2**40, 256, 4) == 12


def test_arguments_have_the_types_of_cxx():
    made = call()
    made.launch("it", 1, 1, 7, True, 0.5, None, np.uint8(3), made.inputs[0], extents((2, 3)))  # noqa: FBT003
    given = made.steps[0].arguments
    assert [type(one) for one in given[:3]] == [np.int64, np.int32, np.float32]
    assert given[3] is None
    assert given[4:6] == (np.uint8(3), made.inputs[0])
    with pytest.raises(KernelError, match="a launch takes no str as argument"):
        made.launch("it", 1, 1, "seven")


def test_scalars_are_single_numbers():
    assert call().number("n") == 3
    with pytest.raises(KernelError, match="'several' is several numbers"):
        call().number("several")


# -- memory ---------------------------------------------------------------------------------------
def test_workspace_pieces_are_aligned_and_do_not_overlap():
    made = call()
    pieces = [
        made.workspace("float16", 3),
        made.workspace("int64", 0),
        made.workspace("bool", 257),
        made.workspace("int32"),
    ]
    assert [piece.offset for piece in pieces] == [0, 256, 256, 768]
    assert made.workspace_bytes == 1024
    assert all(piece.offset + piece.nbytes <= made.workspace_bytes for piece in pieces)


def test_fills_and_copies_of_nothing_are_no_steps():
    made, empty = call(), Buffer("output", 0, "float32", (0, 3))
    made.memset(empty, 0)
    made.copy(empty, Buffer("input", 0, "float32", (3, 0)))
    assert not made.steps
    made.memset(made.outputs[0], 255)
    made.copy(made.outputs[0], made.inputs[0])
    assert made.steps == [Memset(made.outputs[0], 255), Copy(made.outputs[0], made.inputs[0])]
    with pytest.raises(KernelError, match="a copy of 16 bytes onto 0"):
        made.copy(empty, made.inputs[0])


def test_parts_of_buffers():
    whole = Buffer("workspace", 2, "int32", (5, 4, 3), 512)
    part = whole.part(2)
    inner = part.part(1)
    assert (part.shape, part.start, part.root) == ((4, 3), 96, whole)
    assert (inner.shape, inner.start, inner.root) == ((3,), 108, whole)


def test_extents_and_strides():
    assert extents((2, 3)).tolist() == [2, 3, 1, 1, 1, 1, 1, 1]
    assert strides((3, 1, 5), (2, 3, 4, 5)).tolist() == [0, 5, 0, 1, 0, 0, 0, 0]
    assert ceil_div(7, 2) == 4


# -- beyond 32 bits -----------------------------------------------------------------------------------
def test_choosing_among_more_than_four_billion_elements():
    made = call(entries=("mark", "keep"))
    found = made.workspace("int64")
    choose(made, 2**33, found, (), ())
    zeros, mark, keep = made.steps
    assert mark.grid == keep.grid == (2**33 // 8192, 1, 1)
    assert zeros.target.size == 2**33 // 8192 // 256
    assert mark.arguments[1].size * 32 == 2**33  # a bit for each
    with pytest.raises(KernelError, match="a grid has 2147483647 blocks at most"):
        choose(made, 2**31 * 8192, found, (), ())


def test_sorts_of_rows_of_billions():
    made = call(entries=sort_entries("unsigned"))
    keys, values = sort(made, made.workspace("int32", 2**32 - 1), 2**32 - 1, 32)
    assert keys.size == values.size == 2**32 - 1
    assert {step.entry for step in made.steps[1:]} == {"sort histogram, huge", "sort pass, large, huge"}
    with pytest.raises(KernelError, match="4294967296 elements in a row; a sort counts to 4294967295"):
        sort(made, made.workspace("int32", 2**32), 2**32, 32)


def test_a_plan_of_a_declaration_has_its_buffers():
    def launches(made):
        scratch = made.workspace("int32", made.inputs[0].size)
        made.memset(made.sizes[0], 0)
        made.launch("it", 1, 32, *made.inputs, *made.outputs, *made.sizes, scratch, made.number("n"))

    kernel = Kernel(
        "f(x: T, n: int) -> y: T, z: int64", Path("nowhere.cu"), {"T": "float32"}, {"it": "f<{T}>"},
        lambda x, found: [(found, *x[1:]), (found,)], launches, sizes={"found": lambda x: 2 * x[0]},
    )  # fmt: skip
    made = kernel.plan(["float32"], [(3, 2)], {"n": 5})
    assert [one.shape for one in made.outputs] == [(6, 2), (6,)]
    assert [one.dtype for one in made.outputs] == ["float32", "int64"]
    assert [(one.role, one.dtype, one.shape) for one in made.sizes] == [("size", "int64", ())]
    assert made.workspace_bytes == 256
    assert [type(step) for step in made.steps] == [Memset, Launch]
