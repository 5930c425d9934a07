// Counts: how many values fall into each bin, or the sum of their weights. A block counts in shared memory as long as
// the bins fit, several copies of them so that warps with the same values do not wait for each other.
#include "tf2trt/base.cuh"

namespace tf2trt {

// The bin of a value, or a negative number for none.
struct ByValue {
  template <class V> __device__ __forceinline__ int64 operator()(V value, int64 bins) const {
    const int64 bin = static_cast<int64>(value);
    return bin < bins ? bin : -1;
  }
};

// Bins of equal width; what lies outside the range goes into the first and the last one. The width is the difference of
// two rounded quotients, as in TensorFlow, so that an edge may fall into the bin before it.
template <class V> struct ByRange {
  double low, step;
  float begin, inverse, bound, margin;
  __device__ __forceinline__ ByRange(const V* range, int64 bins) {
    const double count = static_cast<double>(bins);
    low = static_cast<double>(static_cast<Compute<V>>(range[0]));
    step = static_cast<double>(static_cast<Compute<V>>(range[1])) / count - low / count;
    begin = static_cast<float>(low);
    inverse = static_cast<float>(1.0 / step);
    bound = inverse >= 0x1p-126f ? static_cast<float>(bins) : 0.0f;  // a smaller one would have fewer digits
    margin = static_cast<float>(bins) * 0x1p-21f;
  }
  __device__ __forceinline__ int64 operator()(V given, int64 bins) const {
    const Compute<V> value = static_cast<Compute<V>>(given);
    if constexpr (same<Compute<V>, float>) {
      // Conversions to float64 take longest. In float32 the quotient is off by three roundings at most: where no edge is
      // within eight of them it lies in the same bin.
      const float near = (value - begin) * inverse, whole = truncf(near), part = near - whole;
      if (near < bound && part > margin && part < 1.0f - margin) return static_cast<int>(whole);
    }
    if (value != value) return -1;
    const double at = static_cast<double>(value), bin = (at < low ? 0.0 : at - low) / step;
    const double last = static_cast<double>(bins - 1);
    return static_cast<int64>(bin < last ? bin : last);
  }
};

template <class V, bool range> struct Binning {
  __device__ __forceinline__ static ByValue make(const V*, int64) { return {}; }
};
template <class V> struct Binning<V, true> {
  __device__ __forceinline__ static ByRange<V> make(const V* limits, int64 bins) { return {limits, bins}; }
};

__device__ __forceinline__ void add_to(unsigned* bin, unsigned value) { atomicAdd(bin, value); }
__device__ __forceinline__ void add_to(float* bin, float value) { atomicAdd(bin, value); }
__device__ __forceinline__ void add_to(int* bin, int value) { atomicAdd(bin, value); }
__device__ __forceinline__ void add_to(int64* bin, int64 value) {
  atomicAdd(reinterpret_cast<uint64*>(bin), static_cast<uint64>(value));
}

// Calls f(place in the row, value) for every value of a row, 16 bytes at a time.
template <class V, class F> __device__ __forceinline__ void each_value(const V* row, int64 count, F f) {
  constexpr int N = kPack<V>;
  const int64 packs = aligned16(row) ? count / N : 0, step = global_threads();
  constexpr int kAhead = 4;
  for (int64 i = global_thread(); i < packs; i += kAhead * step) {
    Pack<V, N> ahead[kAhead];
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      if (i + a * step < packs) ahead[a] = reinterpret_cast<const Pack<V, N>*>(row)[i + a * step];
    }
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      if (i + a * step >= packs) break;
#pragma unroll
      for (int k = 0; k < N; ++k) f((i + a * step) * N + k, ahead[a].v[k]);
    }
  }
  for (int64 i = packs * N + global_thread(); i < count; i += step) f(i, row[i]);
}

// out[row][bin], which begins with zeros. `S` is what a block counts in: unsigned, or T for weights.
template <class V, class T, class S, bool range>
__global__ void __launch_bounds__(512)
    count_shared(const V* values, const V* limits, const T* weights, T* out, int64 count, int64 bins, int copies) {
  S* counts = dynamic_shared<S>();
  for (int64 i = threadIdx.x; i < bins * copies; i += blockDim.x) counts[i] = S(0);
  __syncthreads();
  const int64 row = blockIdx.y;
  const auto bin_of = Binning<V, range>::make(limits, bins);
  S* mine = counts + warp() % copies * bins;
  each_value(values + row * count, count, [&](int64 place, V value) {
    const int64 found = bin_of(value, bins);
    if (found < 0) return;
    const int bin = static_cast<int>(found);  // shared memory is small
    if constexpr (same<S, unsigned>) add_to(mine + bin, 1u);
    else add_to(mine + bin, weights[row * count + place]);
  });
  __syncthreads();
  for (int64 bin = threadIdx.x; bin < bins; bin += blockDim.x) {
    S total = S(0);
    for (int copy = 0; copy < copies; ++copy) total = add(total, counts[copy * bins + bin]);
    if (total != S(0)) add_to(out + row * bins + bin, static_cast<T>(total));
  }
}

// Without shared memory, for many bins.
template <class V, class T, bool range>
__global__ void __launch_bounds__(512)
    count_global(const V* values, const V* limits, const T* weights, T* out, int64 count, int64 bins) {
  const int64 row = blockIdx.y;
  const auto bin_of = Binning<V, range>::make(limits, bins);
  each_value(values + row * count, count, [&](int64 place, V value) {
    const int64 bin = bin_of(value, bins);
    if (bin >= 0) add_to(out + row * bins + bin, weights ? weights[row * count + place] : T(1));
  });
}

// 1 for each bin that has a value.
template <class V, class T>
__global__ void __launch_bounds__(512) mark_bins(const V* values, T* out, int64 count, int64 bins) {
  const int64 row = blockIdx.y;
  each_value(values + row * count, count, [&](int64, V value) {
    const int64 bin = ByValue()(value, bins);
    if (bin >= 0) out[row * bins + bin] = T(1);
  });
}

}  // namespace tf2trt
