// The places of elements that are not zero.
#include "tf2trt/prefix.cuh"

namespace tf2trt {

// A bit for each byte of four that is not zero.
__device__ __forceinline__ unsigned nonzero_bytes(unsigned four) {
  const unsigned high = ((four & 0x7f7f7f7fu) + 0x7f7f7f7fu) | four;  // the highest bit of each such byte
  return (high >> 7 & 0x01010101u) * 0x01020408u >> 24 & 15u;
}

template <class T>
__global__ void __launch_bounds__(256)
    mark_nonzero(int64 count, unsigned* bits, int* tiles, uint64* groups, const T* input) {
  if constexpr (sizeof(T) == 1) {
    if (aligned16(input)) {  // a thread has 32 neighbouring bytes
      const int64 first = (blockIdx.x * 256ll + threadIdx.x) * 32;
      unsigned mine = 0;
      if (first + 32 <= count) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const Pack<unsigned, 4> four = reinterpret_cast<const Pack<unsigned, 4>*>(input + first)[half];
#pragma unroll
          for (int k = 0; k < 4; ++k) mine |= nonzero_bytes(four.v[k]) << (half * 16 + k * 4);
        }
      } else {
        for (int64 i = first; i < count; ++i) mine |= static_cast<unsigned>(input[i] != T(0)) << (i - first);
      }
      return mark_word(count, bits, tiles, groups, mine);
    }
  }
  mark_chosen(count, bits, tiles, groups, [&](int64 i) {
    if constexpr (Traits<T>::floating) return !(static_cast<float>(input[i]) == 0.0f);
    else return input[i] != T(0);
  });
}

// Coordinates, from the last axis to the second; what is left is the first one's.
template <class N> __device__ __forceinline__ void write_place(int64* to, N rest, int rank, const Dims& extents) {
#pragma unroll
  for (int axis = 7; axis > 0; --axis) {
    if (axis < rank) {
      const N extent = static_cast<N>(extents.d[axis]), next = rest / extent;
      to[axis] = static_cast<int64>(rest - next * extent);
      rest = next;
    }
  }
  if (rank > 0) to[0] = static_cast<int64>(rest);
}

// Places of a tensor of rank 1, two at a time where they are aligned.
__device__ __forceinline__ void write_numbers(const Tile& tile, int64* index) {
  const auto number = [&](int k) { return tile.begin + tile.chosen[k]; };
  const int odd = aligned16(index + tile.before) ? 0 : 1;  // the first one stands alone
  if (threadIdx.x == 0 && odd && tile.many) index[tile.before] = number(0);
#pragma unroll 4
  for (int k = odd + 2 * threadIdx.x; k < tile.many; k += 512) {
    if (k + 1 < tile.many) *reinterpret_cast<Pack<int64, 2>*>(index + tile.before + k) = {{number(k), number(k + 1)}};
    else index[tile.before + k] = number(k);
  }
}

__global__ void __launch_bounds__(256)
    write_places(int64 count, const unsigned* bits, const int* tiles, const uint64* groups, int64* found, int64* index,
                 int rank, Dims extents) {
  const Tile tile = chosen_of_tile(count, bits, tiles, groups, found);
  if (rank == 1) return write_numbers(tile, index);
  const bool narrow = count <= 0xffffffffll;  // divisions of 32 bits are much faster
  keep_chosen(tile, [&](int64 i, int64 place) {
    int64* to = index + place * rank;
    if (narrow) write_place(to, static_cast<unsigned>(i), rank, extents);
    else write_place(to, i, rank, extents);
  });
}

}  // namespace tf2trt
