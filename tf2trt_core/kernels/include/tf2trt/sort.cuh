// A stable radix sort of (key, value) pairs: one histogram for all digits, then one pass per digit, in which a tile
// learns from the tiles before it where its elements go ("onesweep"). Keys are unsigned; rows are sorted side by side.
//
// Launched as: memset of `state`, radix_histogram, and radix_pass for each digit. `state` has a record for each pass and
// row: how often each digit occurs, a ticket, and a word for each tile and digit.
#pragma once
#include "prefix.cuh"

namespace tf2trt {

constexpr int kSortThreads = 256;
constexpr int kDigitBits = 8;
constexpr int kDigits = 1 << kDigitBits;

template <class K> __device__ __forceinline__ unsigned digit_of(K key, int shift) {
  return static_cast<unsigned>(key >> shift) & (kDigits - 1);
}

// How often each digit occurs in each pass. A grid has `blocks` blocks for each row.
template <class K>
__global__ void __launch_bounds__(kSortThreads)
    radix_histogram(const K* keys, unsigned long long* state, int64 count, int64 record, int64 blocks, int passes) {
  __shared__ unsigned seen[sizeof(K)][kDigits];
  for (int i = threadIdx.x; i < passes * kDigits; i += kSortThreads) seen[i / kDigits][i % kDigits] = 0;
  __syncthreads();
  const int64 number = blockIdx.x / blocks, rows = gridDim.x / blocks, step = blocks * kSortThreads;
  const K* row = keys + number * count;
  constexpr int kAhead = 8;
  for (int64 i = blockIdx.x % blocks * kSortThreads + threadIdx.x; i < count; i += kAhead * step) {
    K ahead[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      if (i + k * step < count) ahead[k] = row[i + k * step];
    }
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      if (i + k * step >= count) break;
      for (int pass = 0; pass < passes; ++pass) atomicAdd(&seen[pass][digit_of(ahead[k], pass * kDigitBits)], 1u);
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < passes * kDigits; i += kSortThreads) {
    const unsigned mine = seen[i / kDigits][i % kDigits];
    if (mine) atomicAdd(state + (i / kDigits * rows + number) * record + i % kDigits, static_cast<uint64>(mine));
  }
}

// The lanes that have the same digit, found bit by bit: faster than match.any where most digits differ.
__device__ __forceinline__ unsigned same_digit(unsigned digit) {
  unsigned peers = kFull;
#pragma unroll
  for (int bit = 0; bit < kDigitBits; ++bit) {
    const bool set = digit >> bit & 1u;
    const unsigned votes = __ballot_sync(kFull, set);
    peers &= set ? votes : ~votes;
  }
  return peers;
}

// What a tile has published about a digit: nothing yet (0), its own count, or the count of all tiles up to it.
constexpr __device__ uint64 kOwn = uint64(1) << 62, kAll = uint64(2) << 62, kCount = kOwn - 1;

// One digit. A tile has kSortThreads * N elements. `first`: the values are the positions in the row.
template <class K, int N>
__global__ void __launch_bounds__(kSortThreads, 3)
    radix_pass(const K* keys_in, const unsigned* values_in, K* keys_out, unsigned* values_out, int64 count,
               unsigned long long* state, int64 record, int64 tiles, int shift, int first) {
  constexpr int kTile = kSortThreads * N, kWarps = kSortThreads / 32;
  __shared__ unsigned seen[kWarps][kDigits];  // first counts per warp, then where each warp's begin in the tile
  __shared__ int64 target[kDigits];           // where the digit's elements go, less their place in the tile
  __shared__ K keys[kTile];
  __shared__ unsigned values[kTile];
  __shared__ unsigned spare[kWarps];
  __shared__ uint64 wide_spare[kWarps];
  __shared__ unsigned ticket;

  const int64 row = blockIdx.x / tiles;
  uint64* counts = state + row * record;
  uint64* words = counts + kDigits + 1;
  if (threadIdx.x == 0) ticket = static_cast<unsigned>(atomicAdd(counts + kDigits, 1ull));
  for (int i = threadIdx.x; i < kWarps * kDigits; i += kSortThreads) seen[i / kDigits][i % kDigits] = 0;
  __syncthreads();
  const int64 tile = ticket, base = row * count;
  uint64* published = words + tile * kDigits;

  // Load: a warp has 32 * N elements in order, 32 at a time.
  const int64 begin = tile * kTile + warp() * (32 * N) + lane();
  K key[N];
  unsigned value[N], place[N];
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const int64 at = begin + i * 32;
    key[i] = at < count ? keys_in[base + at] : static_cast<K>(~K(0));
    value[i] = first ? static_cast<unsigned>(at) : at < count ? values_in[base + at] : 0u;
  }
  // Rank within the warp: how many elements with this digit came before.
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const unsigned digit = digit_of(key[i], shift), peers = same_digit(digit);
    const unsigned before = seen[warp()][digit];
    place[i] = before + __popc(peers & ((1u << lane()) - 1));
    __syncwarp();
    if (lane() == 31 - __clz(static_cast<int>(peers))) seen[warp()][digit] = before + __popc(peers);
    __syncwarp();
  }
  __syncthreads();
  // Each thread has a digit: its count in the tile, where each warp's begin, and what the tiles before have.
  const int digit = threadIdx.x;
  unsigned in_tile = 0;
  for (int w = 0; w < kWarps; ++w) {
    const unsigned mine = seen[w][digit];
    seen[w][digit] = in_tile;
    in_tile += mine;
  }
  // elements past the end are all in the last digit's bin, behind the real ones
  const int64 left = count - tile * kTile;
  const unsigned past = digit == kDigits - 1 && left < kTile ? static_cast<unsigned>(kTile - left) : 0u;
  store_release(published + digit, (tile == 0 ? kAll : kOwn) | (in_tile - past));
  unsigned total;
  const unsigned local = block_prefix<unsigned>(in_tile, spare, total);
  uint64 all;
  const uint64 offset = block_prefix<uint64>(counts[digit], wide_spare, all);
  uint64 earlier = 0;
  // several words at a time, since each takes as long as all of them; a word is all that there is to know
  constexpr int kAhead = 16;
  for (int64 before = tile - 1; before >= 0;) {
    uint64 ahead[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      ahead[k] = before >= k ? load_relaxed(words + (before - k) * kDigits + digit) : kAll;
    }
    bool more = true;  // the next word is the one before
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      more = more && ahead[k] != 0;
      if (!more) continue;
      earlier += ahead[k] & kCount;
      before = ahead[k] & kAll ? -1 : before - 1;
      more = before >= 0;
    }
  }
  if (tile) store_release(published + digit, kAll | (earlier + in_tile - past));
  target[digit] = base + static_cast<int64>(offset + earlier) - local;
  for (int w = 0; w < kWarps; ++w) seen[w][digit] += local;
  __syncthreads();
  // Through shared memory, so that neighbours write to neighbouring places.
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const unsigned at = seen[warp()][digit_of(key[i], shift)] + place[i];
    keys[at] = key[i];
    values[at] = value[i];
  }
  __syncthreads();
  for (int at = threadIdx.x; at < kTile && at < left; at += kSortThreads) {
    const K mine = keys[at];
    const int64 to = target[digit_of(mine, shift)] + at;
    keys_out[to] = mine;
    values_out[to] = values[at];
  }
}

// -- keys that sort as the numbers do ------------------------------------------------------------------------------------
__device__ __forceinline__ unsigned ordered(float value) {
  const unsigned raw = __float_as_uint(value);
  return raw & 0x80000000u ? ~raw : raw | 0x80000000u;
}
__device__ __forceinline__ unsigned ordered(int value) { return static_cast<unsigned>(value) ^ 0x80000000u; }
__device__ __forceinline__ uint64 ordered(int64 value) { return static_cast<uint64>(value) ^ (uint64(1) << 63); }
// and back
template <class T> __device__ __forceinline__ T from_ordered(unsigned key) {
  if constexpr (same<T, float>) return __uint_as_float(key & 0x80000000u ? key ^ 0x80000000u : ~key);
  else return static_cast<T>(key ^ 0x80000000u);
}
template <class T> __device__ __forceinline__ T from_ordered(uint64 key) {
  return static_cast<T>(key ^ (uint64(1) << 63));
}

}  // namespace tf2trt
