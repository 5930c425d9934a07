// Rows by their elements: keys that sort as the elements do, a row's elements in order, and its k smallest keys.
#include "tf2trt/sort.cuh"

namespace tf2trt {

template <class T> struct KeyOf { using Type = unsigned; };
template <> struct KeyOf<int64> { using Type = uint64; };
template <class T> using Key = typename KeyOf<T>::Type;

// Both zeros are one number, and elements that are equal stay in order.
template <class T> __device__ __forceinline__ Key<T> key_of(T value, int descending) {
  Key<T> key;
  if constexpr (sizeof(T) == 2) {
    const unsigned raw = static_cast<float>(value) == 0.0f ? 0u : value.bits;
    key = raw & 0x8000u ? raw ^ 0xffffu : raw | 0x8000u;
    return descending ? key ^ 0xffffu : key;
  } else {
    if constexpr (Traits<T>::floating) key = ordered(value == 0.0f ? 0.0f : value);
    else key = ordered(value);
    return descending ? ~key : key;
  }
}

// The element that has a key; of the zeros the positive one.
template <class T> __device__ __forceinline__ T from_key(Key<T> key, int descending) {
  if constexpr (sizeof(T) == 2) {
    if (descending) key ^= 0xffffu;
    T made;
    made.bits = static_cast<unsigned short>(key & 0x8000u ? key ^ 0x8000u : key ^ 0xffffu);
    return made;
  } else {
    return from_ordered<T>(descending ? static_cast<Key<T>>(~key) : key);
  }
}

// Keys, and how often each of their digits occurs.
template <class T, class W>
__global__ void __launch_bounds__(kSortThreads)
    make_keys(const T* values, Key<T>* keys, int descending, W* state, int64 count, int64 record, int64 blocks, int passes) {
  const auto read = [&](int64 i) { return values[i]; };
  count_digits<Key<T>>(state, count, record, blocks, passes, read, [&](int64 i, T value) {
    return keys[i] = key_of(value, descending);
  });
}

// The first `width` elements of each sorted row, and where they were in rows of `length`. Of zeros a key does not tell
// the sign.
template <class T, class I> struct Ranked {
  const T* values;
  T* out;
  I* index;
  int64 length, width;
  Key<T> zero;
  int descending;
  __device__ __forceinline__ bool key(int64 row, int64 place, Key<T> key) const {
    if (Traits<T>::floating && key == zero) return true;
    if (place < width) out[row * width + place] = from_key<T>(key, descending);
    return false;
  }
  __device__ __forceinline__ void value(int64 row, int64 place, unsigned from, bool is_zero) const {
    if (place >= width) return;
    index[row * width + place] = static_cast<I>(from);
    if (is_zero) out[row * width + place] = values[row * length + from];
  }
};

template <class T, class I, class W, int N>
__global__ void __launch_bounds__(kSortThreads, 2)
    rank_pass(const Key<T>* keys_in, const unsigned* values_in, int64 count, W* state, int64 record, int64 tiles, int shift,
              int first, const T* values, T* out, I* index, int64 length, int64 width, int descending) {
  const Ranked<T, I> put{values, out, index, length, width, key_of(T(0), descending), descending};
  sort_digit<Key<T>, W, N>(keys_in, values_in, count, state, record, tiles, shift, first, put);
}

// -- selecting -----------------------------------------------------------------------------------------------------------
// The k-th smallest key of each row, digit by digit from the highest: the rows' blocks count the digits of the keys that
// begin as it does; the last block finds the digit, adds it to `prefix`, and leaves in `left` the k among those keys.
// `state`: for each row the counts and a ticket, zeros at first.
template <class T>
__global__ void __launch_bounds__(256)
    narrow(const T* values, int64 length, int64 blocks, int64 k, int descending, Key<T>* prefix, unsigned* left,
           unsigned* state, int shift, int first) {
  __shared__ unsigned seen[kDigits];
  __shared__ unsigned spare[kDigits / 32];
  __shared__ bool last;
  const int64 row = blockIdx.x / blocks, step = blocks * 256;
  unsigned* counts = state + row * (kDigits + 1);
  const Key<T> before = first ? Key<T>(0) : prefix[row];
  seen[threadIdx.x] = 0;
  __syncthreads();
  constexpr int kAhead = 8;
  const T* from = values + row * length;
  for (int64 i = blockIdx.x % blocks * 256 + threadIdx.x; i < length; i += kAhead * step) {
    T ahead[kAhead];
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (i + u * step < length) ahead[u] = from[i + u * step];
    }
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (i + u * step >= length) break;
      const Key<T> key = key_of(ahead[u], descending);
      // two shifts, since one by all bits is undefined
      if (first || (key ^ before) >> shift >> kDigitBits == 0) atomicAdd(&seen[digit_of(key, shift)], 1u);
    }
  }
  __syncthreads();
  if (seen[threadIdx.x]) atomicAdd(counts + threadIdx.x, seen[threadIdx.x]);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicAdd(counts + kDigits, 1u) + 1 == blocks;
  __syncthreads();
  if (!last) return;
  __threadfence();
  const unsigned wanted = first ? static_cast<unsigned>(k) : left[row];
  const unsigned mine = load_relaxed(counts + threadIdx.x);
  unsigned total;
  const unsigned smaller = block_prefix<unsigned>(mine, spare, total);  // its barriers are after all have read `left`
  if (smaller < wanted && wanted <= smaller + mine) {
    prefix[row] = before | static_cast<Key<T>>(threadIdx.x) << shift;
    left[row] = wanted - smaller;
  }
}

// The elements with those keys.
template <class T>
__global__ void __launch_bounds__(256) pick(const Key<T>* keys, T* out, int64 count, int descending) {
  for (int64 i = global_thread(); i < count; i += global_threads()) out[i] = from_key<T>(keys[i], descending);
}

// Elements of a tile of a row. A warp has 512 of them in order, 32 at a time.
constexpr int kPickEach = 16, kPickTile = 256 * kPickEach;

// For each 32 elements, which have a key less than the k-th one's, and which the same; lane u has those of the u-th 32.
struct Votes {
  unsigned less, same;
};
template <class T>
__device__ __forceinline__ Votes vote(const T* row, int64 begin, int64 length, Key<T> pivot, int descending) {
  Votes mine{0, 0};
#pragma unroll
  for (int u = 0; u < kPickEach; ++u) {
    const int64 i = begin + u * 32 + lane();
    const Key<T> key = i < length ? key_of(row[i], descending) : static_cast<Key<T>>(~Key<T>(0));
    const unsigned less = __ballot_sync(kFull, i < length && key < pivot);
    const unsigned same = __ballot_sync(kFull, i < length && key == pivot);
    if (lane() == u) mine = {less, same};
  }
  return mine;
}
// Both counts in one number: rows have less than 2^32 elements.
__device__ __forceinline__ int64 both(const Votes& votes) {
  return __popc(votes.less) | static_cast<int64>(static_cast<uint64>(__popc(votes.same)) << 32);
}

template <class T>
__global__ void __launch_bounds__(256)
    tally(const T* values, int64 length, int64 tiles, int descending, const Key<T>* pivots, int64* counts) {
  __shared__ int64 spare[8];
  const int64 row = blockIdx.x / tiles, begin = blockIdx.x % tiles * kPickTile + warp() * (32 * kPickEach);
  int64 total;
  block_prefix<int64>(both(vote(values + row * length, begin, length, pivots[row], descending)), spare, total);
  if (threadIdx.x == 0) counts[blockIdx.x] = total;
}

// The k smallest keys and their places: those less than the k-th, then the first of those that equal it, both in order.
template <class T>
__global__ void __launch_bounds__(256)
    collect(const T* values, int64 length, int64 tiles, int64 k, int descending, const Key<T>* pivots,
            const unsigned* left, const int64* counts, Key<T>* keys, unsigned* places) {
  __shared__ int64 spare[8];
  const int64 row = blockIdx.x / tiles, begin = blockIdx.x % tiles * kPickTile + warp() * (32 * kPickEach);
  const Key<T> pivot = pivots[row];
  const T* from = values + row * length;
  const Votes mine = vote(from, begin, length, pivot, descending);
  int64 total;
  const uint64 before = static_cast<uint64>(block_prefix<int64>(both(mine), spare, total) + counts[blockIdx.x]);
  const int64 equal = left[row], first = row * k;
  const unsigned earlier = (1u << lane()) - 1;
  for (int u = 0; u < kPickEach; ++u) {
    const unsigned less = __shfl_sync(kFull, mine.less, u), same = __shfl_sync(kFull, mine.same, u);
    const uint64 base = __shfl_sync(kFull, before, u);
    if (!((less | same) >> lane() & 1u)) continue;
    const int64 i = begin + u * 32 + lane();
    int64 at = static_cast<int64>(base & 0xffffffffu) + __popc(less & earlier);
    if (same >> lane() & 1u) {
      const int64 turn = static_cast<int64>(base >> 32) + __popc(same & earlier);
      if (turn >= equal) continue;
      at = k - equal + turn;
    }
    keys[first + at] = key_of(from[i], descending);
    places[first + at] = static_cast<unsigned>(i);
  }
}

}  // namespace tf2trt
