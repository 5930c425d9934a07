// What the kernels of non-maximum suppression leave for each other, and the similarities that they are written for.
#pragma once
#include "suppression.cuh"

namespace tf2trt {

// What kernels leave for those that follow; begins with zeros.
struct State {
  int candidates;  // scores above the threshold
  int kept;
  int odd;         // to be done one by one
};

// Thresholds, rounded to the dtype of the scores.
struct Settings {
  float similarity, score, scale;
  int soft;
};

// What a result is in the dtype of the scores.
template <class T> __device__ __forceinline__ float rounded(float value) {
  if constexpr (same<T, float>) return normal(value);
  else return static_cast<float>(static_cast<T>(value));
}

// -- similarities --------------------------------------------------------------------------------------------------------
// Of boxes: `data` has the sorted boxes' lower and upper corners, `areas` their areas.
struct Boxes {
  using Item = Box;
  const float* data;
  const float* areas;
  __device__ __forceinline__ Boxes(const float* data, const float* areas, const unsigned*, int64)
      : data(data), areas(areas) {}
  __device__ __forceinline__ Item load(int64 i) const { return {reinterpret_cast<const float4*>(data)[i], areas[i]}; }
  __device__ __forceinline__ float operator()(const Item& candidate, const Item& kept) const {
    return overlap(candidate, kept);
  }
};

// Given, for each pair of boxes in the order of the input.
struct Given {
  using Item = unsigned;
  const float* data;
  const unsigned* order;
  int64 count;
  __device__ __forceinline__ Given(const float* data, const float*, const unsigned* order, int64 count)
      : data(data), order(order), count(count) {}
  __device__ __forceinline__ Item load(int64 i) const { return order[i]; }
  __device__ __forceinline__ float operator()(Item candidate, Item kept) const { return data[candidate * count + kept]; }
};

}  // namespace tf2trt
