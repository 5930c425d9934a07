// The places of elements that are not zero.
#include "tf2trt/prefix.cuh"

namespace tf2trt {

template <class T>
__global__ void __launch_bounds__(256) mark_nonzero(int64 count, unsigned* bits, int64* tiles, const T* input) {
  mark_chosen(count, bits, tiles, [&](int64 i) {
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

__global__ void __launch_bounds__(256)
    write_places(int64 count, const unsigned* bits, const int64* tiles, int64* index, int rank, Dims extents) {
  const bool narrow = count <= 0xffffffffll;  // divisions of 32 bits are much faster
  keep_chosen(count, bits, tiles, [&](int64 i, int64 place) {
    int64* to = index + place * rank;
    if (rank == 1) *to = i;
    else if (narrow) write_place(to, static_cast<unsigned>(i), rank, extents);
    else write_place(to, i, rank, extents);
  });
}

}  // namespace tf2trt
