// Distinct rows in the order in which they first occur. A table of row numbers, filled with open addressing, holds for
// each distinct row the lowest number it has.
#include "tf2trt/prefix.cuh"

namespace tf2trt {

constexpr __device__ unsigned kNobody = 0xffffffffu;

// A tensor as rows along its middle axis: row i has `outer * inner` elements.
template <class T> struct Rows {
  const T* data;
  int64 count, outer, inner;
  __device__ __forceinline__ T at(int64 row, int64 o, int64 i) const { return data[(o * count + row) * inner + i]; }
};

template <class T> __device__ __forceinline__ unsigned hashed(T value) {
  uint64 raw;
  if constexpr (Traits<T>::floating) {
    const float number = static_cast<float>(value);
    raw = number == 0.0f ? 0u : __float_as_uint(number);  // both zeros are one number
  } else {
    raw = static_cast<uint64>(value);
  }
  raw ^= raw >> 33;
  raw *= 0xff51afd7ed558ccdull;
  raw ^= raw >> 33;
  raw *= 0xc4ceb9fe1a85ec53ull;
  return static_cast<unsigned>(raw >> 32);
}

template <class T> __device__ __forceinline__ unsigned hash_row(const Rows<T>& rows, int64 row) {
  unsigned hash = 0;
  for (int64 o = 0; o < rows.outer; ++o)
    for (int64 i = 0; i < rows.inner; ++i) hash = (hash << 5 | hash >> 27) * 0x9e3779b1u ^ hashed(rows.at(row, o, i));
  return hash;
}

template <class T> __device__ __forceinline__ bool equal_rows(const Rows<T>& rows, int64 a, int64 b) {
  if (a == b) return true;
  for (int64 o = 0; o < rows.outer; ++o) {
    for (int64 i = 0; i < rows.inner; ++i) {
      if constexpr (Traits<T>::floating) {
        if (!(static_cast<float>(rows.at(a, o, i)) == static_cast<float>(rows.at(b, o, i)))) return false;
      } else {
        if (rows.at(a, o, i) != rows.at(b, o, i)) return false;
      }
    }
  }
  return true;
}

// The table begins with kNobody; slots[i] is where row i, or its like, stands.
template <class T>
__global__ void __launch_bounds__(256)
    enter_rows(const T* data, int64 count, int64 outer, int64 inner, unsigned* table, unsigned mask, unsigned* slots) {
  const Rows<T> rows{data, count, outer, inner};
  for (int64 i = global_thread(); i < count; i += global_threads()) {
    const unsigned me = static_cast<unsigned>(i);
    unsigned slot = hash_row(rows, i) & mask;
    for (;; slot = (slot + 1) & mask) {
      unsigned there = *static_cast<volatile unsigned*>(table + slot);
      if (there == kNobody) {
        there = atomicCAS(table + slot, kNobody, me);
        if (there == kNobody) break;
      }
      if (equal_rows(rows, there, i)) {
        if (me < there) atomicMin(table + slot, me);
        break;
      }
    }
    slots[i] = slot;
  }
}

// Chooses the rows that are the first of their kind; slots become the first row of each kind.
__global__ void __launch_bounds__(256)
    mark_firsts(int64 count, unsigned* bits, int* tiles, uint64* groups, const unsigned* table, unsigned* slots) {
  mark_chosen(count, bits, tiles, groups, [&](int64 i) {
    const unsigned first = table[slots[i]];
    slots[i] = first;
    return first == static_cast<unsigned>(i);
  });
}

// Numbers them; `leaders` are they.
__global__ void __launch_bounds__(256)
    number_firsts(int64 count, const unsigned* bits, const int* tiles, const uint64* groups, int64* found,
                  unsigned* numbers, unsigned* leaders) {
  keep_chosen(chosen_of_tile(count, bits, tiles, groups, found), [&](int64 i, int64 place) {
    numbers[i] = static_cast<unsigned>(place);
    leaders[place] = static_cast<unsigned>(i);
  });
}

// Which distinct row each row is, and how many there are of each (counts begin with zeros, or are not asked for).
template <class I>
__global__ void __launch_bounds__(256)
    look_up(const unsigned* firsts, const unsigned* numbers, I* index, I* counts, int64 count) {
  for (int64 i = global_thread(); i < count; i += global_threads()) {
    const unsigned number = numbers[firsts[i]];
    index[i] = static_cast<I>(number);
    if (counts) {
      if constexpr (sizeof(I) == 8) atomicAdd(reinterpret_cast<uint64*>(counts + number), uint64(1));
      else atomicAdd(counts + number, I(1));
    }
  }
}

// The distinct rows themselves, as a tensor with as many along the middle axis as were found.
template <class T>
__global__ void __launch_bounds__(256)
    gather_rows(const T* data, const unsigned* leaders, const int64* found, T* out, int64 count, int64 outer, int64 inner) {
  const int64 kept = *found;
  const Rows<T> rows{data, count, outer, inner};
  for (int64 at = global_thread(); at < outer * kept * inner; at += global_threads()) {
    const int64 line = at / inner, o = line / kept;
    out[at] = rows.at(leaders[line - o * kept], o, at - line * inner);
  }
}

}  // namespace tf2trt
