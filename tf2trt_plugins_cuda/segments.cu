// Rows reduced by segment: the segment and sparse-segment reductions, and scatters that accumulate.
//
// All come down to rows in the order of their keys (segment numbers), each a number below `segments`, or that number for
// rows to leave out. Where the keys are not in order they are sorted first (stably, so sums have TensorFlow's order).
// Then `reduce_runs` goes over chunks of rows; a run of equal keys inside a chunk is done, the others are joined.
#include "tf2trt/sort.cuh"

namespace tf2trt {

// A reduction takes the next row into what it has with `apply`, and the parts of a run together with `join`. In segments a
// maximum or minimum of NaN and anything is NaN (TensorFlow's depends on places in memory); in scatters (`Maximum`,
// `Minimum`) what is there stays unless the update is beyond it, as in TensorFlow.
struct Sum {
  template <class C> static __device__ __forceinline__ C identity() { return C(0); }
  template <class C> static __device__ __forceinline__ C apply(C a, C b) { return add(a, b); }
  template <class C> static __device__ __forceinline__ C join(C a, C b) { return add(a, b); }
};
struct Difference : Sum {
  template <class C> static __device__ __forceinline__ C apply(C a, C b) { return subtract(a, b); }
};
struct Prod {
  template <class C> static __device__ __forceinline__ C identity() { return C(1); }
  template <class C> static __device__ __forceinline__ C apply(C a, C b) { return multiply(a, b); }
  template <class C> static __device__ __forceinline__ C join(C a, C b) { return multiply(a, b); }
};
template <class C> __device__ __forceinline__ C larger(C a, C b) {
  if constexpr (same<C, float>) {
#if defined(TF2TRT_HOST) || __CUDA_ARCH__ < 800
    return a > b || a != a ? a : b;
#else
    float made;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(made) : "f"(a), "f"(b));
    return made;
#endif
  } else {
    return a > b ? a : b;
  }
}
struct Max {
  template <class C> static __device__ __forceinline__ C identity() {
    if constexpr (Traits<C>::floating) return -infinity();
    else return lowest<C>();
  }
  template <class C> static __device__ __forceinline__ C apply(C a, C b) { return larger(a, b); }
  template <class C> static __device__ __forceinline__ C join(C a, C b) { return apply(a, b); }
};
template <class C> __device__ __forceinline__ C smaller(C a, C b) {
  if constexpr (same<C, float>) return -larger(-a, -b);
  else return a < b ? a : b;
}
struct Min {
  template <class C> static __device__ __forceinline__ C identity() {
    if constexpr (Traits<C>::floating) return infinity();
    else return highest<C>();
  }
  template <class C> static __device__ __forceinline__ C apply(C a, C b) { return smaller(a, b); }
  template <class C> static __device__ __forceinline__ C join(C a, C b) { return apply(a, b); }
};
struct Maximum : Max {
  template <class C> static __device__ __forceinline__ C apply(C a, C b) { return a < b ? b : a; }
  template <class C> static __device__ __forceinline__ C join(C a, C b) { return apply(a, b); }
};
struct Minimum : Min {
  template <class C> static __device__ __forceinline__ C apply(C a, C b) { return b < a ? b : a; }
  template <class C> static __device__ __forceinline__ C join(C a, C b) { return apply(a, b); }
};

// -- keys ----------------------------------------------------------------------------------------------------------------
// Numbers as keys, and the counts of their digits, if a sort wants them. Of numbers that are negative or too large the key
// is `limit`, or, where `rows` are wanted, the last key, and the row is none.
struct Keys {
  unsigned* keys;
  unsigned* rows;
  int64 limit;
  __device__ __forceinline__ unsigned set(int64 i, int64 number, bool inside) const {
    if (rows) rows[i] = inside ? static_cast<unsigned>(i) : ~0u;
    return keys[i] = static_cast<unsigned>(inside ? number : rows ? limit - 1 : limit);
  }
};

template <class I, class W>
__global__ void __launch_bounds__(kSortThreads)
    clip_keys(const I* numbers, unsigned* keys, unsigned* rows, int64 limit, W* state, int64 count, int64 record,
              int64 blocks, int passes) {
  const Keys to{keys, rows, limit};
  const auto read = [&](int64 i) { return numbers[i]; };
  count_digits<unsigned>(state, count, record, blocks, passes, read, [&](int64 i, I number) {
    return to.set(i, static_cast<int64>(number), number >= 0 && static_cast<int64>(number) < limit);
  });
}

// Index vectors of `depth` numbers as keys, as above: the place in a tensor of these extents.
template <class I, class W>
__global__ void __launch_bounds__(kSortThreads)
    flatten_keys(const I* indices, unsigned* keys, unsigned* rows, int depth, Dims extents, int64 limit, W* state,
                 int64 count, int64 record, int64 blocks, int passes) {
  const Keys to{keys, rows, limit};
  const auto read = [&](int64 i) { return indices[i * depth]; };
  count_digits<unsigned>(state, count, record, blocks, passes, read, [&](int64 i, I first) {
    int64 place = 0;
    bool inside = true;
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      if (k < depth) {
        const int64 number = static_cast<int64>(k == 0 ? first : indices[i * depth + k]);
        inside = inside && number >= 0 && number < extents.d[k];
        place = place * extents.d[k] + number * inside;
      }
    }
    return to.set(i, place, inside);
  });
}

// The number of segments: the last key and one.
template <class I> __global__ void count_segments(const I* numbers, int64 count, int64* segments) {
  *segments = count ? static_cast<int64>(numbers[count - 1]) + 1 : 0;
}

// -- runs ----------------------------------------------------------------------------------------------------------------
// V neighbouring elements, in one access where the tensor is aligned
template <class T, int V> __device__ __forceinline__ Pack<T, V> load_pack(const T* from, bool aligned) {
  if (aligned) return *reinterpret_cast<const Pack<T, V>*>(from);
  Pack<T, V> made;
#pragma unroll
  for (int k = 0; k < V; ++k) made.v[k] = from[k];
  return made;
}
template <class T, int V> __device__ __forceinline__ void store_pack(T* to, const Pack<T, V>& pack, bool aligned) {
  if (aligned) {
    *reinterpret_cast<Pack<T, V>*>(to) = pack;
    return;
  }
#pragma unroll
  for (int k = 0; k < V; ++k) to[k] = pack.v[k];
}

// How many columns a lane has where rows are a multiple of it: 16 bytes, or 4 elements of less.
template <class T> constexpr int kColumns = sizeof(T) >= 4 ? 16 / sizeof(T) : 4;

template <class T, int V> struct Accumulator {
  Compute<T> v[V];
};

// How many rows a run had is what a mean divides by; `scale`: 0 nothing, 1 the count, 2 its root.
template <class T, int V>
__device__ __forceinline__ void store_run(T* out, const Accumulator<T, V>& sum, int64 rows, int scale, bool aligned) {
  Pack<T, V> made;
#pragma unroll
  for (int k = 0; k < V; ++k) {
    Compute<T> value = sum.v[k];
    if constexpr (Traits<T>::floating) {
      if (scale) value /= scale == 1 ? static_cast<float>(rows) : sqrtf(static_cast<float>(rows));
    } else {
      if (scale) value /= static_cast<T>(rows);
    }
    made.v[k] = static_cast<T>(value);
  }
  store_pack<T, V>(out, made, aligned);
}

// Chunk `c` of the keys, and the runs that cross its ends. A run that covers some chunk whole is long: each chunk keeps
// its part, to be joined. Any other belongs to the chunk in which it begins, which reads on into the next one.
struct Chunk {
  int64 begin, end, next;  // `next`: the end of the chunk after
  unsigned first, last;
  bool from_before, into_next, whole;

  __device__ __forceinline__ Chunk(const unsigned* keys, int64 count, int64 chunk, int64 c) {
    begin = c * chunk;
    end = begin + chunk < count ? begin + chunk : count;
    next = end + chunk < count ? end + chunk : count;
    first = keys[begin];
    last = keys[end - 1];
    from_before = begin > 0 && keys[begin - 1] == first;
    into_next = end < count && keys[end] == last;
    whole = first == last;
  }
  // whether the run that comes from before is long, and the one that goes on
  __device__ __forceinline__ bool long_front(const unsigned* keys, int64 chunk) const {
    return from_before && (whole || keys[begin - chunk] == first);
  }
  __device__ __forceinline__ bool long_back(const unsigned* keys) const {
    return into_next && (whole || keys[next - 1] == last);
  }
};

// Workers of `lanes` threads (a power of two up to 32) take a chunk each; a lane has V neighbouring columns. What a
// long run amounts to in a chunk is kept in `front` if it comes from before, else in `back`, with the rows it has.
template <class T, class Op, int V>
__global__ void __launch_bounds__(256, 3)
    reduce_runs(const T* data, const unsigned* keys, const unsigned* rows, T* out, int64 count, int64 width,
                int64 segments, int64 data_rows, int64 chunk, int lanes, Compute<T>* front, Compute<T>* back,
                int64* front_rows, int64* back_rows, int scale, int combine) {
  constexpr int kAhead = 4;
  const int64 chunks = ceil_div(count, chunk);
  const int64 column = (static_cast<int64>(blockIdx.y) * lanes + threadIdx.x % lanes) * V;
  if (column >= width) return;
  const bool leader = column == 0, aligned = aligned16(out), aligned_data = aligned16(data);
  const int64 step = static_cast<int64>(gridDim.x) * (blockDim.x / lanes);
  for (int64 c = static_cast<int64>(blockIdx.x) * (blockDim.x / lanes) + threadIdx.x / lanes; c < chunks; c += step) {
    const Chunk mine(keys, count, chunk, c);
    const bool long_back = mine.long_back(keys);
    bool open = mine.long_front(keys, chunk);
    bool skip = mine.from_before && !open;  // the chunk before has that run
    // places from here on count from the chunk's begin
    const int size = static_cast<int>(mine.end - mine.begin);
    const int end = mine.into_next && !long_back ? static_cast<int>(mine.next - mine.begin) : size;
    const unsigned* my_keys = keys + mine.begin;
    const unsigned* my_rows = rows ? rows + mine.begin : nullptr;
    unsigned key = mine.first;
    int length = 0;
    Accumulator<T, V> sum;

    const auto start = [&] {
      const bool onto = combine && !open && key < segments;
      Pack<T, V> old;
      if (onto) old = load_pack<T, V>(out + key * width + column, aligned);
#pragma unroll
      for (int k = 0; k < V; ++k) sum.v[k] = onto ? static_cast<Compute<T>>(old.v[k]) : Op::template identity<Compute<T>>();
    };
    const auto finish = [&](bool unfinished) {
      if (key >= segments || skip) return;
      if (!open && !unfinished) {
        store_run<T, V>(out + key * width + column, sum, length, scale, aligned);
        return;
      }
      Compute<T>* to = (open ? front : back) + c * width + column;
#pragma unroll
      for (int k = 0; k < V; ++k) to[k] = sum.v[k];
      if (leader) (open ? front_rows : back_rows)[c] = length;
    };

    start();
    unsigned next_key[kAhead], next_row[kAhead];
    const auto fetch = [&](int at) {
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        next_key[i] = at + i < end ? my_keys[at + i] : ~0u;
        if (rows) next_row[i] = at + i < end ? my_rows[at + i] : ~0u;
      }
    };
    fetch(0);
    bool done = false;
    for (int at = 0; at < end && !done; at += kAhead) {
      unsigned ahead[kAhead];
      Pack<T, V> values[kAhead];
      bool present[kAhead], used[kAhead];
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        ahead[i] = next_key[i];
        used[i] = at + i < size || (at + i < end && ahead[i] == mine.last);
        const int64 row = rows ? static_cast<int64>(next_row[i]) : mine.begin + at + i;
        present[i] = used[i] && ahead[i] < segments && row < data_rows && !(skip && ahead[i] == mine.first);
        if (present[i]) values[i] = load_pack<T, V>(data + row * width + column, aligned_data);
      }
      fetch(at + kAhead);
      if (ahead[kAhead - 1] == key && at + kAhead <= size) {  // all of one run
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
          if (!present[i]) continue;
#pragma unroll
          for (int k = 0; k < V; ++k) sum.v[k] = Op::apply(sum.v[k], static_cast<Compute<T>>(values[i].v[k]));
        }
        length += kAhead;
        continue;
      }
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        if (!used[i]) {
          done = true;
          break;
        }
        if (ahead[i] != key) {
          finish(false);
          key = ahead[i];
          open = skip = false;
          length = 0;
          start();
        }
        ++length;
        if (present[i]) {
#pragma unroll
          for (int k = 0; k < V; ++k) sum.v[k] = Op::apply(sum.v[k], static_cast<Compute<T>>(values[i].v[k]));
        }
      }
    }
    finish(long_back);
  }
}

// A block looks at 32 chunks for long runs that begin there, and joins their parts, each worker a stretch of them
// in order.
template <class T, class Op, int V>
__global__ void __launch_bounds__(256)
    join_runs(const unsigned* keys, T* out, int64 count, int64 width, int64 segments, int64 chunk, int lanes,
              const Compute<T>* front, const Compute<T>* back, const int64* front_rows, const int64* back_rows,
              int scale) {
  __shared__ Compute<T> shared[256 * V];
  __shared__ int64 shared_rows[256];
  __shared__ unsigned found;
  constexpr int kJoined = 32;
  const int64 base = static_cast<int64>(blockIdx.x) * kJoined;
  if (warp() == 0) {
    bool begins = false;
    if ((base + lane()) * chunk < count) {
      const Chunk one(keys, count, chunk, base + lane());
      begins = one.last < segments && one.long_back(keys) && !(one.whole && one.from_before);
    }
    const unsigned votes = __ballot_sync(kFull, begins);
    if (lane() == 0) found = votes;
  }
  __syncthreads();
  const int workers = blockDim.x / lanes, worker = threadIdx.x / lanes, lane_of = threadIdx.x % lanes;
  const int64 column = (static_cast<int64>(blockIdx.y) * lanes + lane_of) * V;
  for (unsigned left = found; left; left &= left - 1) {
    const int64 c = base + __ffs(static_cast<int>(left)) - 1, end = (c + 1) * chunk;
    const unsigned key = keys[end - 1];
    // The chunk in which the run ends.
    int64 low = end, high = count;
    while (low < high) {
      const int64 middle = low + (high - low) / 2;
      if (keys[middle] > key) high = middle;
      else low = middle + 1;
    }
    const int64 last = (low - 1) / chunk, parts = last - c;
    const int64 share = ceil_div(parts, workers);
    const int64 from = c + 1 + worker * share, to = from + share < last + 1 ? from + share : last + 1;
    Accumulator<T, V> sum;
    int64 length = 0;
#pragma unroll
    for (int k = 0; k < V; ++k) sum.v[k] = Op::template identity<Compute<T>>();
    if (column < width) {
#pragma unroll 4
      for (int64 part = from; part < to; ++part) {
#pragma unroll
        for (int k = 0; k < V; ++k) sum.v[k] = Op::join(sum.v[k], front[part * width + column + k]);
        length += front_rows[part];
      }
    }
#pragma unroll
    for (int k = 0; k < V; ++k) shared[threadIdx.x * V + k] = sum.v[k];
    shared_rows[threadIdx.x] = length;
    __syncthreads();
    if (worker == 0 && column < width) {
      length = back_rows[c];
#pragma unroll
      for (int k = 0; k < V; ++k) sum.v[k] = back[c * width + column + k];
      for (int w = 0; w < workers; ++w) {
#pragma unroll
        for (int k = 0; k < V; ++k) sum.v[k] = Op::join(sum.v[k], shared[(w * lanes + lane_of) * V + k]);
        length += shared_rows[w * lanes + lane_of];
      }
      store_run<T, V>(out + key * width + column, sum, length, scale, aligned16(out));
    }
    __syncthreads();
  }
}

// -- narrow rows ---------------------------------------------------------------------------------------------------------
// Sums by atomic additions, in any order: for rows too narrow to pay for a sort.
__device__ __forceinline__ void atomic_add(float* to, float value) { atomicAdd(to, value); }
__device__ __forceinline__ void atomic_add(int* to, int value) { atomicAdd(to, value); }
__device__ __forceinline__ void atomic_add(int64* to, int64 value) {
  atomicAdd(reinterpret_cast<uint64*>(to), static_cast<uint64>(value));
}

template <class T>
__global__ void __launch_bounds__(256)
    add_rows(const T* data, const unsigned* keys, T* out, int64 count, int width, int64 segments) {
  for (int64 i = global_thread(); i < count; i += global_threads()) {
    const unsigned key = keys[i];
    if constexpr (sizeof(T) >= 4) {  // the others are never launched
      for (int k = 0; k < width && key < segments; ++k) atomic_add(out + static_cast<int64>(key) * width + k, data[i * width + k]);
    }
  }
}

}  // namespace tf2trt
