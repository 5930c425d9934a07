// Exclusive sums over a block and over tiles, and choosing elements in order with them.
//
// Choosing is three launches: `mark_chosen` (a bit per element, how many in each tile), `place_tiles` (how many before
// each tile), and `keep_chosen`, which calls a function for each element chosen.
#pragma once
#include "base.cuh"

namespace tf2trt {

// The exclusive sum over a block's threads; `spare` has a place for each warp. All threads take part.
template <class T> __device__ __forceinline__ T block_prefix(T mine, T* spare, T& total) {
  T sum = mine;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const T before = __shfl_up_sync(kFull, sum, step);
    if (lane() >= step) sum += before;
  }
  if (lane() == 31) spare[warp()] = sum;
  __syncthreads();
  T base = 0;
  total = 0;
  for (int w = 0; w < static_cast<int>(blockDim.x / 32); ++w) {
    if (w < warp()) base += spare[w];
    total += spare[w];
  }
  __syncthreads();
  return base + sum - mine;
}

// Counts of tiles, row by row, to how many there are in the tiles before, in place; `total` (or null): how many in all.
// A block for each row.
__global__ void __launch_bounds__(256) place_tiles(int64* tiles, int64 count, int64* total) {
  constexpr int kEach = 8;
  __shared__ int64 spare[8];
  int64* row = tiles + blockIdx.x * count;
  int64 before = 0;
  for (int64 base = 0; base < count; base += 256 * kEach) {
    const int64 first = base + threadIdx.x * kEach;
    int64 mine[kEach], sum = 0;
#pragma unroll
    for (int k = 0; k < kEach; ++k) {
      mine[k] = first + k < count ? row[first + k] : 0;
      sum += mine[k];
    }
    int64 all, at = block_prefix<int64>(sum, spare, all) + before;
#pragma unroll
    for (int k = 0; k < kEach; ++k) {
      if (first + k < count) row[first + k] = at;
      at += mine[k];
    }
    before += all;
  }
  if (total && threadIdx.x == 0) total[blockIdx.x] = before;
}

// A tile is 256 words of 32 elements; a block has a tile.
constexpr int kChooseTile = 256 * 32;

// Bit i % 32 of bits[i / 32] says whether chosen(i); `tiles`: how many of each tile.
template <class Chosen>
__device__ __forceinline__ void mark_chosen(int64 count, unsigned* bits, int64* tiles, Chosen chosen) {
  __shared__ int found[8];
  const int64 begin = blockIdx.x * static_cast<int64>(kChooseTile) + warp() * 1024 + lane();
  unsigned votes = 0;  // lane u's are of the u-th 32 elements
#pragma unroll 16
  for (int u = 0; u < 32; ++u) {
    const int64 i = begin + u * 32;
    const unsigned these = __ballot_sync(kFull, i < count && chosen(i));
    if (lane() == u) votes = these;
  }
  const int64 word = blockIdx.x * 256ll + threadIdx.x;
  if (word * 32 < count) bits[word] = votes;
  int mine = __popc(votes);
#pragma unroll
  for (int step = 16; step > 0; step /= 2) mine += __shfl_xor_sync(kFull, mine, step);
  if (lane() == 0) found[warp()] = mine;
  __syncthreads();
  if (threadIdx.x == 0) {
    int all = 0;
    for (int w = 0; w < 8; ++w) all += found[w];
    tiles[blockIdx.x] = all;
  }
}

// Calls keep(i, how many were chosen before i) for each i that was chosen.
template <class Keep>
__device__ __forceinline__ void keep_chosen(int64 count, const unsigned* bits, const int64* tiles, Keep keep) {
  __shared__ int spare[8];
  const int64 word = blockIdx.x * 256ll + threadIdx.x;
  const unsigned mine = word * 32 < count ? bits[word] : 0u;
  int all;
  const int before = block_prefix<int>(__popc(mine), spare, all);
  const int64 base = tiles[blockIdx.x], begin = (word - lane()) * 32 + lane();
#pragma unroll 4
  for (int u = 0; u < 32; ++u) {
    const unsigned these = __shfl_sync(kFull, mine, u);
    const int earlier = __shfl_sync(kFull, before, u);
    if (these >> lane() & 1u) keep(begin + u * 32, base + earlier + __popc(these & ((1u << lane()) - 1)));
  }
}

}  // namespace tf2trt
