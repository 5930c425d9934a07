// Running products and running log-sum-exps along an axis.
#include "special_math.cuh"
#include "tf2trt/scan.cuh"

namespace tf2trt {

template <class T> struct Prod {
  using C = Compute<T>;
  __device__ __forceinline__ C identity() const { return C(1); }
  __device__ __forceinline__ C apply(C a, C b) const { return multiply(a, b); }
};

template <class T> struct LogSumExp {
  __device__ __forceinline__ float identity() const { return -infinity(); }
  __device__ __forceinline__ float apply(float a, float b) const {
    if (a != a || b != b) return nan();
    const float low = a < b ? a : b, high = a < b ? b : a;
    if (high == -infinity()) return high;
    // log(1 + z) / z on [0, 1]
    const float z = expf(low - high);
    return z * poly(z - 0.5f, 0.8109302156f, -0.2885266751f, 0.1326095718f, -0.06771113229f, 0.03662403754f, -0.02023077767f,
                    0.01164967161f, -0.008568653192f, 0.005105825798f) + high;
  }
};

// Rows whose elements are neighbours. A tile is `kScanThreads` threads of U packs of N elements; within a warp, pack u of
// lane l is number 32 u + l, so that accesses are 16 bytes and next to each other.
template <class T, class Op, int N, int U> struct RowTile {
  using C = Compute<T>;
  static constexpr int kSize = kScanThreads * N * U;
  C x[U][N], before[U];

  // Which element of the scan a pack begins with, and where in memory `count` elements from one on lie.
  static __device__ __forceinline__ int64 first(int64 tile, int u) {
    return tile * kSize + warp() * (32 * N * U) + (u * 32 + lane()) * N;
  }
  static __device__ __forceinline__ int64 place(int64 i, int count, int64 length, int reverse) {
    return reverse ? length - i - count : i;
  }

  __device__ __forceinline__ void load(Op op, const T* row, int64 length, int64 tile, int reverse, bool vector) {
#pragma unroll
    for (int u = 0; u < U; ++u) {
      const int64 i = first(tile, u);
      if (vector && i + N <= length) {
        const Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(row + place(i, N, length, reverse));
#pragma unroll
        for (int k = 0; k < N; ++k) x[u][k] = static_cast<C>(pack.v[reverse ? N - 1 - k : k]);
      } else {
#pragma unroll
        for (int k = 0; k < N; ++k) {
          x[u][k] = i + k < length ? static_cast<C>(row[place(i + k, 1, length, reverse)]) : op.identity();
        }
      }
    }
  }

  // The same from packs already read; what lies behind the row counts for nothing.
  __device__ __forceinline__ void unpack(Op op, const Pack<T, N> (*packs)[kScanThreads], int64 length, int64 tile, int reverse) {
#pragma unroll
    for (int u = 0; u < U; ++u) {
      const Pack<T, N> pack = packs[u][threadIdx.x];
      const bool inside = first(tile, u) + N <= length;
#pragma unroll
      for (int k = 0; k < N; ++k) x[u][k] = inside ? static_cast<C>(pack.v[reverse ? N - 1 - k : k]) : op.identity();
    }
  }

  // What the warp's elements come to; `before`: what comes before each pack in the warp.
  __device__ __forceinline__ C reduce(Op op) {
    C carried = op.identity();
#pragma unroll
    for (int u = 0; u < U; ++u) {
      C sum = x[u][0];
#pragma unroll
      for (int k = 1; k < N; ++k) sum = op.apply(sum, x[u][k]);
      const C inclusive = warp_inclusive(op, sum);
      const C earlier = __shfl_up_sync(kFull, inclusive, 1);
      before[u] = lane() == 0 ? carried : op.apply(carried, earlier);
      carried = op.apply(carried, __shfl_sync(kFull, inclusive, 31));
    }
    return carried;
  }

  // The results, where `base` comes before the warp.
  __device__ __forceinline__ void store(Op op, T* row, int64 length, int64 tile, int reverse, bool vector, int exclusive,
                                        C base) const {
#pragma unroll
    for (int u = 0; u < U; ++u) {
      const int64 i = first(tile, u);
      C running = op.apply(base, before[u]);
      C y[N];
#pragma unroll
      for (int k = 0; k < N; ++k) {
        const C next = op.apply(running, x[u][k]);
        y[k] = exclusive ? running : next;
        running = next;
      }
      if (vector && i + N <= length) {
        Pack<T, N> pack;
#pragma unroll
        for (int k = 0; k < N; ++k) pack.v[reverse ? N - 1 - k : k] = static_cast<T>(y[k]);
        *reinterpret_cast<Pack<T, N>*>(row + place(i, N, length, reverse)) = pack;
      } else {
#pragma unroll
        for (int k = 0; k < N; ++k) {
          if (i + k < length) row[place(i + k, 1, length, reverse)] = static_cast<T>(y[k]);
        }
      }
    }
  }
};

// A block per tile: for few rows.
template <class T, template <class> class Op, int N, int U>
__global__ void __launch_bounds__(kScanThreads)
    scan_rows(const T* input, T* output, int64 length, int64 tiles, int exclusive, int reverse, unsigned* ticket,
              unsigned* flags, Compute<T>* own, Compute<T>* all) {
  using C = Compute<T>;
  __shared__ C spare[kScanWarps];
  __shared__ unsigned number;
  const Op<T> op;
  if (threadIdx.x == 0) number = tiles > 1 ? atomicAdd(ticket, 1u) : blockIdx.x;
  __syncthreads();
  const int64 row = number / tiles, at = number - row * tiles;
  const Chain<C> chain{flags + row * tiles, own + row * tiles, all + row * tiles};
  const T* in = input + row * length;
  T* out = output + row * length;
  const bool vector = N > 1 && length % N == 0 && aligned16(in) && aligned16(out);
  RowTile<T, Op<T>, N, U> tile;
  tile.load(op, in, length, at, reverse, vector);
  const C carried = tile.reduce(op);
  // block_scan takes one value per thread: the warp's, given by its last lane.
  const C base = block_scan(op, chain, at, tiles, lane() == 31 ? carried : op.identity(), spare);
  tile.store(op, out, length, at, reverse, vector, exclusive, __shfl_sync(kFull, base, 0));
}

// Packs of 16 bytes that a thread has of a tile: 64 bytes, of which two tiles fit into shared memory, or 16 elements.
template <class T> constexpr int kWalked = sizeof(T) < 4 ? 2 : 4;

// A block per row, which goes along it; two tiles are being copied into shared memory while one is computed.
template <class T, template <class> class Op, int N, int U>
__global__ void __launch_bounds__(kScanThreads, 5)
    walk_rows(const T* input, T* output, int64 length, int exclusive, int reverse) {
  using C = Compute<T>;
  using Tile = RowTile<T, Op<T>, N, U>;
  __shared__ Pack<T, N> ring[2][U][kScanThreads];  // a thread reads what it has copied itself
  __shared__ C spare[2][kScanWarps];
  const Op<T> op;
  const T* in = input + blockIdx.x * length;
  T* out = output + blockIdx.x * length;
  const bool vector = N > 1 && length % N == 0 && aligned16(in) && aligned16(out);
  const int64 tiles = ceil_div(length, Tile::kSize);
  C base = op.identity();
  const auto bring = [&](int64 at, int stage) {
#pragma unroll
    for (int u = 0; u < U; ++u) {
      const int64 i = Tile::first(at, u);
      if (vector && i + N <= length) {
        copy_async(&ring[stage][u][threadIdx.x], reinterpret_cast<const Pack<T, N>*>(in + Tile::place(i, N, length, reverse)));
      }
    }
    commit_copies();
  };
  bring(0, 0);
  bring(1, 1);
  for (int64 at = 0; at < tiles; ++at) {
    wait_for_copies<1>();
    Tile tile;
    if (vector) tile.unpack(op, ring[at & 1], length, at, reverse);
    else tile.load(op, in, length, at, reverse, false);
    bring(at + 2, at & 1);
    const C carried = tile.reduce(op);
    C* sums = spare[at & 1];
    if (lane() == 0) sums[warp()] = carried;
    __syncthreads();
    const C through = warp_inclusive(op, lane() < kScanWarps ? sums[lane()] : op.identity());
    const C earlier = __shfl_sync(kFull, through, warp() ? warp() - 1 : 0);
    tile.store(op, out, length, at, reverse, vector, exclusive, warp() ? op.apply(base, earlier) : base);
    base = op.apply(base, __shfl_sync(kFull, through, kScanWarps - 1));
  }
}

// Columns, whose elements are `inner` apart. A block goes along 64 of them, as above along a row: a warp's access has two
// columns for each lane, since short pieces of rows cost bandwidth. A warp copies its R rows of a tile itself.
template <class T> constexpr int kWalkedRows = 32 / sizeof(T);  // two tiles fit into shared memory

template <class T, template <class> class Op, int R>
__global__ void __launch_bounds__(kScanThreads, 3)
    walk_columns(const T* input, T* output, int64 length, int64 inner, int64 blocks, int exclusive, int reverse) {
  using C = Compute<T>;
  constexpr int V = 2, kRows = kScanWarps * R, kPack = 16 / sizeof(T), kPacks = 32 * V / kPack;  // packs of a row
  __shared__ Pack<T, kPack> ring[2][kScanWarps][R][kPacks];
  __shared__ Pack<C, V> sums[2][kScanWarps][32];
  const Op<T> op;
  const int64 outer = blockIdx.x / blocks, first = (blockIdx.x - outer * blocks) * (32 * V), column = first + lane() * V;
  const T* in = input + outer * length * inner;
  T* out = output + outer * length * inner;
  const bool vector = inner % kPack == 0 && aligned16(input) && aligned16(output);
  const int64 tiles = ceil_div(length, kRows);
  const auto place = [&](int64 i) { return (reverse ? length - 1 - i : i) * inner; };
  const auto bring = [&](int64 at, int stage) {
#pragma unroll
    for (int p = lane(); p < R * kPacks; p += 32) {
      const int row = p / kPacks, pack = p % kPacks;
      const int64 i = at * kRows + warp() * R + row, k = first + pack * kPack;
      if (vector && i < length && k < inner) {
        copy_async(&ring[stage][warp()][row][pack], reinterpret_cast<const Pack<T, kPack>*>(in + place(i) + k));
      }
    }
    commit_copies();
  };
  bring(0, 0);
  bring(1, 1);
  C before[V];
#pragma unroll
  for (int k = 0; k < V; ++k) before[k] = op.identity();
  for (int64 at = 0; at < tiles; ++at) {
    const int stage = static_cast<int>(at & 1);
    const int64 begin = at * kRows + warp() * R;
    const int rows = column >= inner || begin >= length ? 0 : length - begin < R ? static_cast<int>(length - begin) : R;
    C x[R][V];
    wait_for_copies<1>();
    __syncwarp();
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const T* copied = ring[stage][warp()][r][lane() * V / kPack].v + lane() * V % kPack;
      Pack<T, V> read;
      if (vector) read = *reinterpret_cast<const Pack<T, V>*>(copied);
#pragma unroll
      for (int k = 0; k < V; ++k) {
        if (r >= rows || column + k >= inner) x[r][k] = op.identity();
        else x[r][k] = static_cast<C>(vector ? read.v[k] : in[place(begin + r) + column + k]);
      }
    }
    __syncwarp();
    bring(at + 2, stage);
    Pack<C, V> sum;
#pragma unroll
    for (int k = 0; k < V; ++k) {
      sum.v[k] = x[0][k];
#pragma unroll
      for (int r = 1; r < R; ++r) sum.v[k] = op.apply(sum.v[k], x[r][k]);
    }
    sums[stage][warp()][lane()] = sum;
    __syncthreads();
    C base[V];
#pragma unroll
    for (int w = 0; w < kScanWarps; ++w) {
      const Pack<C, V> next = sums[stage][w][lane()];
#pragma unroll
      for (int k = 0; k < V; ++k) {
        if (w == warp()) base[k] = before[k];
        before[k] = op.apply(before[k], next.v[k]);
      }
    }
#pragma unroll
    for (int r = 0; r < R; ++r) {
      Pack<T, V> made;
#pragma unroll
      for (int k = 0; k < V; ++k) {
        const C next = op.apply(base[k], x[r][k]);
        made.v[k] = static_cast<T>(exclusive ? base[k] : next);
        base[k] = next;
      }
      if (r >= rows) continue;
      T* to = out + place(begin + r) + column;
      if (vector) {
        *reinterpret_cast<Pack<T, V>*>(to) = made;
        continue;
      }
#pragma unroll
      for (int k = 0; k < V; ++k) {
        if (column + k < inner) to[k] = made.v[k];
      }
    }
  }
}

// A block per tile of 32 columns by kScanWarps warps of R rows each: for few columns.
template <class T, template <class> class Op, int R>
__global__ void __launch_bounds__(kScanThreads, R * sizeof(Compute<T>) > 64 ? 4 : 6)
    scan_columns(const T* input, T* output, int64 length, int64 inner, int64 blocks, int64 tiles, int exclusive,
                 int reverse, unsigned* ticket, unsigned* flags, Compute<T>* own, Compute<T>* all) {
  using C = Compute<T>;
  constexpr int kRows = kScanWarps * R, kGroup = 32;
  __shared__ C sums[kScanWarps][32];
  __shared__ unsigned number;
  Op<T> op;
  if (threadIdx.x == 0) number = atomicAdd(ticket, 1u);
  __syncthreads();
  // tiles of one depth come before all of the next: what a tile waits for has begun long before
  const int64 columns = gridDim.x / tiles, at = number / columns, stripe = number - at * columns;
  const int64 outer = stripe / blocks, column = (stripe - outer * blocks) * 32 + lane();
  const bool inside = column < inner;
  const int64 begin = at * kRows + warp() * R, step = reverse ? -inner : inner;
  const int64 place = (outer * length + (reverse ? length - 1 - begin : begin)) * inner + column;
  const int rows = !inside || begin >= length ? 0 : length - begin < R ? static_cast<int>(length - begin) : R;
  C x[R];
  const T* in = input + place;
#pragma unroll
  for (int r = 0; r < R; ++r, in += step) x[r] = r < rows ? static_cast<C>(*in) : op.identity();
  C sum = x[0];
#pragma unroll
  for (int r = 1; r < R; ++r) sum = op.apply(sum, x[r]);
  sums[warp()][lane()] = sum;
  __syncthreads();
  C base = op.identity(), total = op.identity();
#pragma unroll
  for (int w = 0; w < kScanWarps; ++w) {
    if (w == warp()) base = total;
    total = op.apply(total, sums[w][lane()]);
  }
  if (tiles > 1) {
    // Published: 32 values for each tile, written by warp 0. Every warp reads an eighth of the group's tiles before.
    const int64 first = stripe * tiles, group = at / kGroup * kGroup;
    const bool last = at + 1 == group + kGroup;
    if (warp() == 0 && !last && at + 1 < tiles) {
      own[(first + at) * 32 + lane()] = total;
      __threadfence();
      __syncwarp();
      if (lane() == 0) store_release(flags + first + at, 1u);
    }
    constexpr int kEach = kGroup / kScanWarps;
    const int64 before = group + warp() * kEach;
    wait_for_all<kEach>(flags + first, before, at);
    C parts[kEach], mine = op.identity();
#pragma unroll
    for (int k = 0; k < kEach; ++k) {
      if (before + k < at) parts[k] = own[(first + before + k) * 32 + lane()];
    }
#pragma unroll
    for (int k = 0; k < kEach; ++k) {
      if (before + k < at) mine = op.apply(mine, parts[k]);
    }
    __syncthreads();
    sums[warp()][lane()] = mine;
    __syncthreads();
    C prefix = op.identity();
    if (group > 0) {
      wait_for(flags + first + group - 1, 2u);
      prefix = all[(first + group - 1) * 32 + lane()];
    }
#pragma unroll
    for (int w = 0; w < kScanWarps; ++w) prefix = op.apply(prefix, sums[w][lane()]);
    if (warp() == 0 && last && at + 1 < tiles) {
      all[(first + at) * 32 + lane()] = op.apply(prefix, total);
      __threadfence();
      __syncwarp();
      if (lane() == 0) store_release(flags + first + at, 2u);
    }
    base = op.apply(prefix, base);
  }
  T* out = output + place;
#pragma unroll
  for (int r = 0; r < R; ++r, out += step) {
    const C next = op.apply(base, x[r]);
    if (r < rows) *out = static_cast<T>(exclusive ? base : next);
    base = next;
  }
}

}  // namespace tf2trt
