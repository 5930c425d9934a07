// Exclusive sums over a block and over tiles, and choosing elements in order with them.
//
// Choosing is two launches: `mark_chosen` (a bit per element, how many in each tile), and `keep_chosen`, which calls a
// function for each element chosen.
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

// A tile is 256 words of 32 elements; a block has a tile. Tiles are in groups, so that what was chosen before a tile is a
// short sum: of the groups before its own, and of the tiles of its own.
constexpr int kChooseTile = 256 * 32, kTileGroup = 256;

// A thread's word of bits goes to bits[word]; `tiles`: how many of each tile; `groups`, which begin with zeros: of each
// group.
__device__ __forceinline__ void mark_word(int64 count, unsigned* bits, int* tiles, uint64* groups, unsigned mine) {
  __shared__ int found[8];
  const int64 word = blockIdx.x * 256ll + threadIdx.x;
  if (word * 32 < count) bits[word] = mine;
  int many = __popc(mine);
#pragma unroll
  for (int step = 16; step > 0; step /= 2) many += __shfl_xor_sync(kFull, many, step);
  if (lane() == 0) found[warp()] = many;
  __syncthreads();
  if (threadIdx.x == 0) {
    int all = 0;
    for (int w = 0; w < 8; ++w) all += found[w];
    tiles[blockIdx.x] = all;
    if (all) atomicAdd(groups + blockIdx.x / kTileGroup, static_cast<uint64>(all));
  }
}

// Bit i % 32 of bits[i / 32] says whether chosen(i).
template <class Chosen>
__device__ __forceinline__ void mark_chosen(int64 count, unsigned* bits, int* tiles, uint64* groups, Chosen chosen) {
  const int64 begin = blockIdx.x * static_cast<int64>(kChooseTile) + warp() * 1024 + lane();
  unsigned votes = 0;  // lane u's are of the u-th 32 elements
#pragma unroll 16
  for (int u = 0; u < 32; ++u) {
    const int64 i = begin + u * 32;
    const unsigned these = __ballot_sync(kFull, i < count && chosen(i));
    if (lane() == u) votes = these;
  }
  mark_word(count, bits, tiles, groups, votes);
}

// What a block's tile has: the numbers within it of the elements chosen, how many those are, and how many there are
// before.
struct Tile {
  const unsigned short* chosen;
  int many;
  int64 begin, before;
};

// The last block says how many were found in all.
__device__ __forceinline__ Tile
chosen_of_tile(int64 count, const unsigned* bits, const int* tiles, const uint64* groups, int64* found) {
  __shared__ unsigned short chosen[kChooseTile];
  __shared__ int64 sums[8];
  __shared__ int spare[8];
  const unsigned tile = blockIdx.x, group = tile / kTileGroup;
  const int64 word = tile * 256ll + threadIdx.x;
  const unsigned mine = word * 32 < count ? bits[word] : 0u;
  int64 earlier = threadIdx.x < tile % kTileGroup ? tiles[group * kTileGroup + threadIdx.x] : 0;
  for (unsigned g = threadIdx.x; g < group; g += 256) earlier += static_cast<int64>(groups[g]);
#pragma unroll
  for (int step = 16; step > 0; step /= 2) earlier += __shfl_xor_sync(kFull, earlier, step);
  if (lane() == 0) sums[warp()] = earlier;
  int many, at = block_prefix<int>(__popc(mine), spare, many);
  for (unsigned left = mine; left; left &= left - 1)
    chosen[at++] = static_cast<unsigned short>(threadIdx.x * 32 + __ffs(static_cast<int>(left)) - 1);
  __syncthreads();
  int64 before = 0;
  for (int w = 0; w < 8; ++w) before += sums[w];
  if (tile == gridDim.x - 1 && threadIdx.x == 0) *found = before + many;
  return {chosen, many, tile * static_cast<int64>(kChooseTile), before};
}

// Calls keep(i, how many were chosen before i) for each i that was chosen, neighbours by neighbouring threads.
template <class Keep> __device__ __forceinline__ void keep_chosen(const Tile& tile, Keep keep) {
#pragma unroll 8
  for (int k = threadIdx.x; k < tile.many; k += 256) keep(tile.begin + tile.chosen[k], tile.before + k);
}

}  // namespace tf2trt
