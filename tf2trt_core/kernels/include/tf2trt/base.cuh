// Types, arithmetic and memory access that kernels share. Needs no header of CUDA's, so NVRTC alone compiles it.
#pragma once

namespace tf2trt {

using int64 = long long;
using uint64 = unsigned long long;

// A tensor's extents or strides, passed by value; unused places hold 1 (extents) or 0 (strides).
struct Dims {
  int64 d[8];
};

// -- 16-bit floats: stored as they are, computed as float --------------------------------------------------------------
struct alignas(2) half {
  unsigned short bits;
  half() = default;
  __device__ __forceinline__ half(float value);
  __device__ __forceinline__ operator float() const;
};

struct alignas(2) bfloat16 {
  unsigned short bits;
  bfloat16() = default;
  __device__ __forceinline__ bfloat16(float value) {
    const unsigned raw = __float_as_uint(value);
    if ((raw & 0x7fffffffu) > 0x7f800000u) {
      bits = static_cast<unsigned short>(raw >> 16 | 0x40u);  // a NaN stays one
    } else {
      bits = static_cast<unsigned short>((raw + 0x7fffu + (raw >> 16 & 1u)) >> 16);  // to nearest even
    }
  }
  __device__ __forceinline__ operator float() const { return __uint_as_float(static_cast<unsigned>(bits) << 16); }
};

#ifdef TF2TRT_HOST
inline half::half(float value) {
  const _Float16 rounded = static_cast<_Float16>(value);
  std::memcpy(&bits, &rounded, 2);
}
inline half::operator float() const {
  _Float16 value;
  std::memcpy(&value, &bits, 2);
  return static_cast<float>(value);
}
#else
__device__ __forceinline__ half::half(float value) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value)); }
__device__ __forceinline__ half::operator float() const {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
#endif

// -- what a dtype is computed in ---------------------------------------------------------------------------------------
template <class T> struct Traits {  // integers and bool
  using Compute = T;
  static constexpr bool floating = false;
};
template <> struct Traits<float> {
  using Compute = float;
  static constexpr bool floating = true;
};
template <> struct Traits<half> {
  using Compute = float;
  static constexpr bool floating = true;
};
template <> struct Traits<bfloat16> {
  using Compute = float;
  static constexpr bool floating = true;
};
template <class T> using Compute = typename Traits<T>::Compute;

template <class A, class B> struct Same { static constexpr bool value = false; };
template <class A> struct Same<A, A> { static constexpr bool value = true; };
template <class A, class B> constexpr bool same = Same<A, B>::value;

constexpr __device__ unsigned kFull = 0xffffffffu;

__device__ __forceinline__ float infinity() { return __uint_as_float(0x7f800000u); }
__device__ __forceinline__ float nan() { return __uint_as_float(0x7fc00000u); }

// The smallest and the largest value of a dtype, as TensorFlow fills with them (floats: finite).
template <class T> __device__ __forceinline__ T lowest() {
  if constexpr (same<T, float>) return -3.402823466e38f;
  else if constexpr (same<T, half>) return half(-65504.0f);
  else if constexpr (same<T, bfloat16>) return bfloat16(__uint_as_float(0xff7f0000u));
  else if constexpr (same<T, bool>) return false;
  else if constexpr (sizeof(T) == 8) return T(1) << 63;
  else if constexpr (sizeof(T) == 4) return T(1u << 31);
  else return T(1u << (8 * sizeof(T) - 1));
}
template <class T> __device__ __forceinline__ T highest() {
  if constexpr (same<T, float>) return 3.402823466e38f;
  else if constexpr (same<T, half>) return half(65504.0f);
  else if constexpr (same<T, bfloat16>) return bfloat16(__uint_as_float(0x7f7f0000u));
  else if constexpr (same<T, bool>) return true;
  else return static_cast<T>(~lowest<T>());
}

// -- integer arithmetic wraps around, as in TensorFlow; signed overflow is undefined in C++ ------------------------------
template <class T> __device__ __forceinline__ T add(T a, T b) {
  if constexpr (same<T, int>) return static_cast<int>(static_cast<unsigned>(a) + static_cast<unsigned>(b));
  else if constexpr (same<T, int64>) return static_cast<int64>(static_cast<uint64>(a) + static_cast<uint64>(b));
  else return static_cast<T>(a + b);
}
template <class T> __device__ __forceinline__ T subtract(T a, T b) {
  if constexpr (same<T, int>) return static_cast<int>(static_cast<unsigned>(a) - static_cast<unsigned>(b));
  else if constexpr (same<T, int64>) return static_cast<int64>(static_cast<uint64>(a) - static_cast<uint64>(b));
  else return static_cast<T>(a - b);
}
template <class T> __device__ __forceinline__ T multiply(T a, T b) {
  if constexpr (same<T, int>) return static_cast<int>(static_cast<unsigned>(a) * static_cast<unsigned>(b));
  else if constexpr (same<T, int64>) return static_cast<int64>(static_cast<uint64>(a) * static_cast<uint64>(b));
  else return static_cast<T>(a * b);
}

__host__ __device__ constexpr int64 ceil_div(int64 a, int64 b) { return (a + b - 1) / b; }

// -- memory --------------------------------------------------------------------------------------------------------------
// N elements that move in one access of up to 16 bytes.
template <class T, int N> struct alignas(sizeof(T) * N) Pack {
  T v[N];
};

template <class T> constexpr int kPack = 16 / sizeof(T);

__device__ __forceinline__ bool aligned16(const void* address) { return (reinterpret_cast<uint64>(address) & 15) == 0; }

// Copying 4, 8 or 16 bytes from global to shared memory while the thread goes on: copies up to a `commit_copies` are a
// group, and `wait_for_copies<N>` waits for all groups but the last N. Before sm_80 a copy is done at once.
template <class T> __device__ __forceinline__ void copy_async(T* shared, const T* global) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16, "a copy has 4, 8 or 16 bytes");
#if defined(TF2TRT_HOST) || __CUDA_ARCH__ < 800
  *shared = *global;
#else
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  if constexpr (sizeof(T) == 16) asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(global) : "memory");
  else asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(to), "l"(global), "n"(sizeof(T)) : "memory");
#endif
}
__device__ __forceinline__ void commit_copies() {
#if !defined(TF2TRT_HOST) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int N> __device__ __forceinline__ void wait_for_copies() {
#if !defined(TF2TRT_HOST) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

// A number that another block may be writing, as it is at some time; orders nothing, so that several are on their way.
template <class T> __device__ __forceinline__ T load_relaxed(const T* address) {
#ifdef TF2TRT_HOST
  tf2trt_host::spin();
#endif
  return *static_cast<const volatile T*>(address);
}
// A number that another block has written before it set a flag, and the flag.
template <class T> __device__ __forceinline__ T load_acquire(const T* address) {
#ifdef TF2TRT_HOST
  tf2trt_host::spin();
  return *address;
#else
  if constexpr (sizeof(T) == 4) {
    unsigned raw;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(raw) : "l"(address) : "memory");
    return reinterpret_cast<T&>(raw);
  } else {
    uint64 raw;
    asm volatile("ld.acquire.gpu.global.u64 %0, [%1];" : "=l"(raw) : "l"(address) : "memory");
    return reinterpret_cast<T&>(raw);
  }
#endif
}
template <class T> __device__ __forceinline__ void store_release(T* address, T value) {
#ifdef TF2TRT_HOST
  *address = value;
#else
  if constexpr (sizeof(T) == 4) {
    asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(address), "r"(reinterpret_cast<unsigned&>(value)) : "memory");
  } else {
    asm volatile("st.release.gpu.global.u64 [%0], %1;" ::"l"(address), "l"(reinterpret_cast<uint64&>(value)) : "memory");
  }
#endif
}

// Shared memory whose size the launch gives.
template <class T> __device__ __forceinline__ T* dynamic_shared() {
#ifdef TF2TRT_HOST
  return static_cast<T*>(tf2trt_host::dynamic_shared());
#else
  extern __shared__ __align__(16) unsigned char tf2trt_dynamic_shared[];
  return reinterpret_cast<T*>(tf2trt_dynamic_shared);
#endif
}

// -- indices -------------------------------------------------------------------------------------------------------------
__device__ __forceinline__ int64 global_thread() { return static_cast<int64>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ __forceinline__ int64 global_threads() { return static_cast<int64>(gridDim.x) * blockDim.x; }
__device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x & 31u); }
__device__ __forceinline__ int warp() { return static_cast<int>(threadIdx.x >> 5); }

// Set every element. Launched as an initial fill where a byte pattern does not do.
template <class T> __global__ void fill(T* output, int64 count, T value) {
  for (int64 i = global_thread(); i < count; i += global_threads()) output[i] = value;
}

}  // namespace tf2trt
