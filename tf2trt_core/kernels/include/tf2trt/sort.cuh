// A stable radix sort of (key, value) pairs: one histogram for all digits, then one pass per digit, in which a tile
// learns from the tiles before it where its elements go ("onesweep"). Keys are unsigned; rows are sorted side by side.
//
// Launched as: memset of `state`, radix_histogram, and radix_pass for each digit. `state` has a record for each pass and
// row: how often each digit occurs, a ticket, and a word for each tile and digit, in numbers of type W. Kernels of one's
// own take the place of the first, to make keys while they are counted, and of the last pass, to do something else with
// what is sorted: see `count_digits` and `sort_digit`.
#pragma once
#include "prefix.cuh"

namespace tf2trt {

constexpr int kSortThreads = 512;
constexpr int kDigitBits = 8;
constexpr int kDigits = 1 << kDigitBits;

template <class K> __device__ __forceinline__ unsigned digit_of(K key, int shift) {
  return static_cast<unsigned>(key >> shift) & (kDigits - 1);
}

// How often each digit occurs in each pass. A grid has `blocks` blocks for each row. `read` gives an element of all rows,
// and `key` makes a key of it.
template <class K, class W, class Read, class Key>
__device__ __forceinline__ void count_digits(W* state, int64 count, int64 record, int64 blocks, int passes, Read read,
                                             Key key) {
  __shared__ unsigned seen[sizeof(K)][kDigits];
  for (int i = threadIdx.x; i < passes * kDigits; i += kSortThreads) seen[i / kDigits][i % kDigits] = 0;
  __syncthreads();
  const int64 number = blockIdx.x / blocks, rows = gridDim.x / blocks, step = blocks * kSortThreads, base = number * count;
  constexpr int kAhead = 4;
  for (int64 i = blockIdx.x % blocks * kSortThreads + threadIdx.x; i < count; i += kAhead * step) {
    decltype(read(base)) ahead[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      if (i + k * step < count) ahead[k] = read(base + i + k * step);
    }
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      if (i + k * step >= count) break;
      const K made = key(base + i + k * step, ahead[k]);
      for (int pass = 0; pass < passes; ++pass) atomicAdd(&seen[pass][digit_of(made, pass * kDigitBits)], 1u);
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < passes * kDigits; i += kSortThreads) {
    const unsigned mine = seen[i / kDigits][i % kDigits];
    if (mine) atomicAdd(state + (i / kDigits * rows + number) * record + i % kDigits, static_cast<W>(mine));
  }
}

template <class K, class W>
__global__ void __launch_bounds__(kSortThreads)
    radix_histogram(const K* keys, W* state, int64 count, int64 record, int64 blocks, int passes) {
  const auto read = [&](int64 i) { return keys[i]; };
  count_digits<K>(state, count, record, blocks, passes, read, [](int64, K key) { return key; });
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

// What a tile has published about a digit: nothing yet (0), its own count, or where those of the tiles after it begin.
// W: 32 bits, or 64 for rows of 2^30 elements and more.
template <class W> struct Word {
  static constexpr W own = W(1) << (8 * sizeof(W) - 2), all = W(2) << (8 * sizeof(W) - 2), number = own - 1;
};

// Where the digit's elements of this tile begin. Several words are on their way at a time, since each takes as long as
// all of them; a word is all that there is to know.
template <class W> __device__ __forceinline__ W look_back(const W* words, int64 tile, int digit) {
  constexpr int kAhead = 8;
  W sum = 0;
  for (int64 before = tile - 1; before >= 0;) {
    W ahead[kAhead];
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      ahead[k] = before >= k ? load_relaxed(words + (before - k) * kDigits + digit) : Word<W>::all;
    }
    bool more = true;  // the next word is the one before
#pragma unroll
    for (int k = 0; k < kAhead; ++k) {
      more = more && ahead[k] != 0;
      if (!more) continue;
      sum += ahead[k] & Word<W>::number;
      before = ahead[k] & Word<W>::all ? -1 : before - 1;
      more = before >= 0;
    }
  }
  return sum;
}

// One digit. A tile has kSortThreads * N elements. `first`: the values are the positions in the row. An element's key and
// value go, one after the other, to put.key(row, place, key), whose answer goes to put.value(row, place, value, answer).
template <class K, class W, int N, class Put>
__device__ __forceinline__ void sort_digit(const K* keys_in, const unsigned* values_in, int64 count, W* state, int64 record,
                                           int64 tiles, int shift, int first, Put put) {
  constexpr int kTile = kSortThreads * N, kWarps = kSortThreads / 32;
  __shared__ unsigned short seen[kWarps][kDigits];  // counts per warp, then where each warp's begin in the tile
  __shared__ W target[kDigits];                     // where the digit's elements go, less their place in the tile
  __shared__ K keys[kTile];                         // in order; then the values
  __shared__ W spare[kWarps];
  __shared__ unsigned ticket;

  const int64 row = blockIdx.x / tiles;
  W* counts = state + row * record;
  W* words = counts + kDigits + 1;
  if (threadIdx.x == 0) ticket = static_cast<unsigned>(atomicAdd(counts + kDigits, W(1)));
  for (int i = threadIdx.x; i < kWarps * kDigits; i += kSortThreads) seen[i / kDigits][i % kDigits] = 0;
  __syncthreads();
  const int64 tile = ticket, base = row * count + tile * kTile;
  const int left = static_cast<int>(min(count - tile * kTile, int64(kTile)));

  // Load: a warp has 32 * N elements in order, 32 at a time.
  const int begin = warp() * (32 * N) + lane();
  K key[N];
#pragma unroll
  for (int i = 0; i < N; ++i) key[i] = begin + i * 32 < left ? keys_in[base + begin + i * 32] : static_cast<K>(~K(0));
  // Rank within the warp: how many elements with this digit came before.
  unsigned places[N / 2];  // 16 bits each
  const auto place = [&](int i) { return places[i / 2] >> 16 * (i % 2) & 0xffffu; };
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const unsigned digit = digit_of(key[i], shift), peers = same_digit(digit);
    const unsigned before = seen[warp()][digit], mine = before + __popc(peers & ((1u << lane()) - 1));
    places[i / 2] = i % 2 ? places[i / 2] | mine << 16 : mine;
    __syncwarp();
    if (lane() == 31 - __clz(static_cast<int>(peers))) {
      seen[warp()][digit] = static_cast<unsigned short>(before + __popc(peers));
    }
    __syncwarp();
  }
  __syncthreads();
  // A thread has a digit, if there is one for it: its count in the tile, and where each warp's begin.
  const int digit = threadIdx.x;
  const bool has_digit = digit < kDigits;
  unsigned in_tile = 0;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) in_tile += has_digit ? seen[w][digit] : 0;
  // elements past the end are all in the last digit's bin, behind the real ones
  const W mine = in_tile - (digit == kDigits - 1 ? kTile - left : 0);
  W total;
  const W offset = tile == 0 ? block_prefix<W>(has_digit ? counts[digit] : W(0), spare, total) : W(0);
  W* word = words + tile * kDigits + digit;
  if (has_digit) store_release(word, tile == 0 ? Word<W>::all | (offset + mine) : Word<W>::own | mine);
  const W local = block_prefix<W>(in_tile, spare, total);
  if (has_digit) {
    unsigned at = static_cast<unsigned>(local);
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      const unsigned of_warp = seen[w][digit];
      seen[w][digit] = static_cast<unsigned short>(at);
      at += of_warp;
    }
  }
  __syncthreads();
  // Through shared memory, so that neighbours write to neighbouring places: first the keys, then the values.
#pragma unroll
  for (int i = 0; i < N; ++i) {
    places[i / 2] += static_cast<unsigned>(seen[warp()][digit_of(key[i], shift)]) << 16 * (i % 2);
    keys[place(i)] = key[i];
  }
  unsigned value[N];
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const int at = begin + i * 32;
    value[i] = first ? static_cast<unsigned>(tile * kTile) + at : at < left ? values_in[base + at] : 0u;
  }
  if (has_digit) {
    const W begins = tile == 0 ? offset : look_back(words, tile, digit);
    if (tile) store_release(word, Word<W>::all | (begins + mine));
    target[digit] = begins - local;
  }
  __syncthreads();
  unsigned digits[N / 4], answers = 0;  // 8 bits and 1 bit each
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const int at = i * kSortThreads + threadIdx.x;
    const K one = keys[at];
    const unsigned its = digit_of(one, shift);
    digits[i / 4] = i % 4 ? digits[i / 4] | its << 8 * (i % 4) : its;
    if (at < left) answers |= static_cast<unsigned>(put.key(row, static_cast<W>(target[its] + at), one)) << i;
  }
  __syncthreads();
  unsigned* values = reinterpret_cast<unsigned*>(keys);
#pragma unroll
  for (int i = 0; i < N; ++i) values[place(i)] = value[i];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const int at = i * kSortThreads + threadIdx.x;
    const W to = target[digits[i / 4] >> 8 * (i % 4) & (kDigits - 1)] + at;
    if (at < left) put.value(row, to, values[at], answers >> i & 1u);
  }
}

// Keys and values, as the next pass reads them.
template <class K> struct Pairs {
  K* keys;
  unsigned* values;
  int64 count;
  __device__ __forceinline__ bool key(int64 row, int64 place, K key) const {
    keys[row * count + place] = key;
    return false;
  }
  __device__ __forceinline__ void value(int64 row, int64 place, unsigned value, bool) const {
    values[row * count + place] = value;
  }
};

template <class K, class W, int N>
__global__ void __launch_bounds__(kSortThreads, 2)
    radix_pass(const K* keys_in, const unsigned* values_in, K* keys_out, unsigned* values_out, int64 count, W* state,
               int64 record, int64 tiles, int shift, int first) {
  sort_digit<K, W, N>(keys_in, values_in, count, state, record, tiles, shift, first, Pairs<K>{keys_out, values_out, count});
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
