// Scans along an axis in one pass over memory. A tile keeps its elements in registers, publishes what they come to, and
// waits for the tiles before it. The order of operations does not depend on timing, so results repeat bit by bit:
// tiles are taken in groups; what comes before a tile is the result up to the previous group, then, in order, each tile
// of its own group.
//
// `Op` has a type `Value` (what is carried along), `identity()` and `apply(a, b)`, which must be associative.
#pragma once
#include "base.cuh"

namespace tf2trt {

constexpr int kScanThreads = 256;
constexpr int kScanWarps = kScanThreads / 32;
constexpr int kScanGroup = 256;  // tiles in a group

// What tiles publish, for a chain of `tiles` tiles with `width` values each: a flag per tile (1: `own` is there,
// 2: `all`, the result up to and with this tile, too).
template <class C> struct Chain {
  unsigned* flags;
  C* own;
  C* all;
};

// Waits for the flag of a tile.
__device__ __forceinline__ void wait_for(const unsigned* flag, unsigned wanted) {
  while (load_acquire(flag) < wanted) {
  }
}

// Waits for the flags of up to N tiles in a row, those from `first` and before `end`; what they published can be read.
template <int N> __device__ __forceinline__ void wait_for_all(const unsigned* flags, int64 first, int64 end) {
  for (bool waiting = true; waiting;) {
    waiting = false;
#pragma unroll
    for (int k = 0; k < N; ++k) waiting |= first + k < end && load_relaxed(flags + first + k) == 0;
  }
  __threadfence();
}

template <class Op, class C> __device__ __forceinline__ C warp_inclusive(Op op, C value) {
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const C before = __shfl_up_sync(kFull, value, step);
    if (lane() >= step) value = op.apply(before, value);
  }
  return value;
}

// What comes before tile `at` of a chain of single values, for the first warp of a block: to be called by all its lanes,
// after it has `total`, the tile's own result. The same in every lane.
template <class Op, class C>
__device__ __forceinline__ C chain_prefix(Op op, const Chain<C>& chain, int64 at, int64 tiles, C total) {
  constexpr int kEach = kScanGroup / 32;
  const int64 group = at / kScanGroup * kScanGroup;
  const bool last = at + 1 == group + kScanGroup;
  if (lane() == 0 && at + 1 < tiles && !last) {
    chain.own[at] = total;
    __threadfence();
    store_release(chain.flags + at, 1u);
  }
  // Each lane has `kEach` neighbouring tiles of the group.
  const int64 begin = group + lane() * kEach;
  wait_for_all<kEach>(chain.flags, begin, at);
  C parts[kEach], mine = op.identity();
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    if (begin + k < at) parts[k] = chain.own[begin + k];
  }
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    if (begin + k < at) mine = op.apply(mine, parts[k]);
  }
  C prefix = __shfl_sync(kFull, warp_inclusive(op, mine), 31);
  if (group > 0) {
    C earlier = op.identity();
    if (lane() == 0) {
      wait_for(chain.flags + group - 1, 2u);
      earlier = chain.all[group - 1];
    }
    prefix = op.apply(__shfl_sync(kFull, earlier, 0), prefix);
  }
  if (lane() == 0 && last && at + 1 < tiles) {
    chain.all[at] = op.apply(prefix, total);
    __threadfence();
    store_release(chain.flags + at, 2u);
  }
  return prefix;
}

// The exclusive scan of one value per thread over a block; `spare` has a place for each warp, and what comes before the
// block's tile is taken along. All threads take part.
template <class Op, class C>
__device__ __forceinline__ C block_scan(Op op, const Chain<C>& chain, int64 at, int64 tiles, C mine, C* spare) {
  const C inclusive = warp_inclusive(op, mine);
  C before = __shfl_up_sync(kFull, inclusive, 1);
  if (lane() == 0) before = op.identity();
  if (lane() == 31) spare[warp()] = inclusive;
  __syncthreads();
  if (warp() == 0) {
    // the warps' results, exclusive, and the whole tile's
    const C own = lane() < kScanWarps ? spare[lane()] : op.identity();
    const C through = warp_inclusive(op, own);
    C base = __shfl_up_sync(kFull, through, 1);
    if (lane() == 0) base = op.identity();
    const C total = __shfl_sync(kFull, through, 31);
    const C prefix = tiles > 1 ? chain_prefix(op, chain, at, tiles, total) : op.identity();
    __syncwarp();
    if (lane() < kScanWarps) spare[lane()] = op.apply(prefix, base);
  }
  __syncthreads();
  return op.apply(spare[warp()], before);
}

}  // namespace tf2trt
