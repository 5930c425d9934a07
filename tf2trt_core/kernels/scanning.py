"""Planning the choosing of elements of ``tf2trt/prefix.cuh`` as part of a kernel's launches."""

from __future__ import annotations

from typing import Any

from tf2trt_core.kernels.errors import KernelError
from tf2trt_core.kernels.plan import Buffer, Call, ceil_div

THREADS = 256
#: Elements of a tile, which a block has.
_TILE = 32 * THREADS
#: kTileGroup in the source.
_GROUP = 256


def choose_entries(mark: str, keep: str) -> dict[str, str]:
    """What a declaration's ``entries`` needs for ``choose``.

    ``mark`` is an entry that calls ``mark_chosen``, its first parameters (count, bits, tiles, groups); ``keep`` one
    that calls ``keep_chosen``, its first parameters (count, bits, tiles, groups, found).
    """
    return {"mark": mark, "keep": keep}


def choose(call: Call, count: int, found: Buffer, mark: tuple[Any, ...], keep: tuple[Any, ...]) -> None:
    """Choose among ``count`` elements, in order; ``found`` gets how many. The tuples are more arguments."""
    tiles = max(ceil_div(count, _TILE), 1)
    if tiles >= 2**31:
        raise KernelError(f"{tiles} tiles; a grid has 2147483647 blocks at most")
    bits, each = call.workspace("int32", tiles * THREADS), call.workspace("int32", tiles)
    groups = call.workspace("int64", ceil_div(tiles, _GROUP))
    call.memset(groups, 0)
    call.launch("mark", tiles, THREADS, count, bits, each, groups, *mark)
    call.launch("keep", tiles, THREADS, count, bits, each, groups, found, *keep)
