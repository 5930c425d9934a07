// Threads that have V neighbouring channels each of one place of an image.
#pragma once
#include "tf2trt/base.cuh"

namespace tf2trt {

// Neighbouring channels that move together.
template <class T> constexpr int kChannels = sizeof(T) == 8 ? 2 : 4;

// a / b for numbers that are not negative; most fit into 32 bits, where it is much faster
__device__ __forceinline__ int64 quotient(int64 a, int64 b) {
  return (a | b) >> 32 ? a / b : static_cast<int64>(static_cast<unsigned>(a) / static_cast<unsigned>(b));
}

// In accesses of up to 16 bytes where the tensor is aligned.
template <class T, int V> __device__ __forceinline__ Pack<T, V> load_channels(const T* from, bool aligned) {
  if (aligned) return *reinterpret_cast<const Pack<T, V>*>(from);
  Pack<T, V> made;
#pragma unroll
  for (int k = 0; k < V; ++k) made.v[k] = from[k];
  return made;
}
template <class T, int V> __device__ __forceinline__ void store_channels(T* to, const Pack<T, V>& pack, bool aligned) {
  constexpr int N = V < kPack<T> ? V : kPack<T>;
  if (aligned) {
#pragma unroll
    for (int k = 0; k < V; k += N) {
      Pack<T, N> part;
#pragma unroll
      for (int j = 0; j < N; ++j) part.v[j] = pack.v[k + j];
      *reinterpret_cast<Pack<T, N>*>(to + k) = part;
    }
    return;
  }
#pragma unroll
  for (int k = 0; k < V; ++k) to[k] = pack.v[k];
}

// Where the `i`-th pack of an output of `height` x `width` places lies.
struct Place {
  int64 image, row, column, pixel, channel;
  __device__ __forceinline__ Place(int64 i, int64 height, int64 width, int64 packs, int pack) {
    pixel = quotient(i, packs);
    channel = (i - pixel * packs) * pack;
    const int64 line = quotient(pixel, width);
    column = pixel - line * width;
    image = quotient(line, height);
    row = line - image * height;
  }
};

// A window that slides over an image: how it lies at the place with this number.
struct Window {
  int64 begin, first, last;  // the first tap, and the numbers of those within the image, [first, last)
  __device__ __forceinline__ Window(int64 at, int64 extent, int taps, int stride, int rate, int before) {
    begin = at * stride - before;
    first = begin < 0 ? quotient(-begin + rate - 1, rate) : 0;
    const int64 left = extent - begin;  // places from the first tap to the end
    const int64 fit = left > 0 ? quotient(left + rate - 1, rate) : 0;
    last = fit < taps ? fit : taps;
  }
};

}  // namespace tf2trt
