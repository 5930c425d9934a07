// Greedy suppression: candidates in the order of their scores (equal ones by number), each kept unless one kept before
// is too similar. Sorted candidates are taken in chunks: a bit for each pair that is too similar, then one block that
// walks over the bits. What that cannot express (scores that decay, similarities that are no numbers) is done one by
// one: see suppression_queue.cuh.
#include "suppression_queue.cuh"

namespace tf2trt {

constexpr int kMostTiles = 128;  // of a chunk
constexpr int kWalkThreads = 512;

// -- preparation ---------------------------------------------------------------------------------------------------------
// Keys that sort scores downwards, those at or below the threshold last. `sigma` may be null.
template <class T, class H, class L>
__global__ void __launch_bounds__(256)
    score_keys(const T* scores, const H* similarity, const L* least, const T* sigma, unsigned* keys, State* state,
               Settings* settings, int64 count) {
  const float limit = rounded<T>(static_cast<float>(*least));
  int mine = 0;
  for (int64 i = global_thread(); i < count; i += global_threads()) {
    const float score = rounded<T>(static_cast<float>(scores[i]));
    const bool candidate = score > limit;
    keys[i] = candidate ? ~ordered(score == 0 ? 0.0f : score) : 0xffffffffu;
    mine += candidate;
  }
#pragma unroll
  for (int step = 16; step; step /= 2) mine += __shfl_xor_sync(kFull, mine, step);
  if (lane() == 0 && mine) atomicAdd(&state->candidates, mine);
  if (global_thread() == 0) {
    const float spread = sigma ? rounded<T>(static_cast<float>(*sigma)) : 0.0f;
    const bool soft = spread > 0;
    *settings = {rounded<T>(static_cast<float>(*similarity)), limit, soft ? rounded<T>(-0.5f / spread) : 0.0f, soft};
    if (soft) atomicOr(&state->odd, 1);
  }
}

// The boxes in the order of their scores, corners the right way round.
template <class T>
__global__ void __launch_bounds__(256)
    sort_boxes(const T* boxes, const unsigned* order, const State* state, float* sorted, float* areas) {
  const int64 count = state->candidates;
  for (int64 i = global_thread(); i < count; i += global_threads()) {
    const T* box = boxes + 4 * static_cast<int64>(order[i]);
    const Box made = make_box(rounded<T>(box[0]), rounded<T>(box[1]), rounded<T>(box[2]), rounded<T>(box[3]));
    reinterpret_cast<float4*>(sorted)[i] = made.at;
    areas[i] = made.area;
  }
}

// -- all pairs of a chunk ------------------------------------------------------------------------------------------------
// Whether a candidate falls; `odd`: TensorFlow's kernel would change its score.
template <class T> __device__ __forceinline__ bool falls(float similarity, float threshold, bool& odd) {
  const float rounded_similarity = rounded<T>(similarity);
  if (rounded_similarity > threshold) return true;
  if (!(rounded_similarity <= threshold) || !(fabsf(rounded_similarity) < infinity())) odd = true;
  return false;
}

// masks[row][word], rows and words within the chunk: which later candidates the row fells; in the row's own word, which
// earlier ones fell the row. A block per pair of tiles.
template <class T, class S>
__global__ void __launch_bounds__(kTile)
    mark_pairs(const float* data, const float* areas, const unsigned* order, int64 count, const Settings* settings,
               State* state, unsigned long long* masks, int64 begin, int64 limit) {
  __shared__ typename S::Item items[kTile];
  const int64 candidates = state->candidates;
  const int64 row = begin + blockIdx.y * kTile + threadIdx.x, first = begin + blockIdx.x * kTile;
  const int64 left = candidates - first;
  if (blockIdx.x < blockIdx.y || left <= 0 || state->kept >= limit) return;
  const S similarity(data, areas, order, count);
  if (threadIdx.x < left) items[threadIdx.x] = similarity.load(first + threadIdx.x);
  __syncthreads();
  if (row >= candidates) return;
  const typename S::Item mine = similarity.load(row);
  const float threshold = settings->similarity;
  const bool own = blockIdx.x == blockIdx.y;
  const int many = own ? threadIdx.x : left < kTile ? static_cast<int>(left) : kTile;
  bool odd = false;
  uint64 bits = 0;
  for (int k = 0; k < many; ++k) {
    const float value = own ? similarity(mine, items[k]) : similarity(items[k], mine);
    if (falls<T>(value, threshold, odd)) bits |= uint64(1) << k;
  }
  masks[(row - begin) * gridDim.x + blockIdx.x] = bits;
  if (odd) atomicOr(&state->odd, 1);
}

// For a chunk after the first: which of it fall to those kept before. The rows of the grid share those out.
template <class T, class S>
__global__ void __launch_bounds__(kTile)
    mark_earlier(const float* data, const float* areas, const unsigned* order, int64 count, const Settings* settings,
                 State* state, const unsigned* kept, unsigned long long* removed, int64 begin, int64 limit) {
  __shared__ typename S::Item items[kTile];
  const int64 candidates = state->candidates, before = state->kept;
  const int64 first = begin + blockIdx.x * kTile, at = first + threadIdx.x;
  if (first >= candidates || before >= limit) return;
  const S similarity(data, areas, order, count);
  const typename S::Item mine = similarity.load(at < candidates ? at : first);
  const float threshold = settings->similarity;
  bool odd = false, fallen = false;
  for (int64 from = blockIdx.y * kTile; from < before; from += gridDim.y * kTile) {
    const int many = before - from < kTile ? static_cast<int>(before - from) : kTile;
    __syncthreads();
    if (threadIdx.x < many) items[threadIdx.x] = similarity.load(kept[from + threadIdx.x]);
    __syncthreads();
    for (int k = 0; k < many; ++k) fallen |= falls<T>(similarity(mine, items[k]), threshold, odd);
  }
  const unsigned bits = __ballot_sync(kFull, fallen);
  if (lane() == 0 && bits) atomicOr(removed + blockIdx.x, static_cast<uint64>(bits) << (32 * warp()));
  if (odd && at < candidates) atomicOr(&state->odd, 1);
}

// -- the walk ------------------------------------------------------------------------------------------------------------
// One block: tile after tile, which candidates of a chunk are kept. `kept` lists their places.
template <class T>
__global__ void __launch_bounds__(kWalkThreads)
    walk(const unsigned long long* masks, const unsigned long long* fallen, const unsigned* order, const T* scores,
         State* state, unsigned* kept, int* index, T* best, int64 begin, int stride, int64 limit) {
  __shared__ uint64 removed[kMostTiles];
  __shared__ unsigned chosen[kTile];
  __shared__ int many;
  const int64 candidates = state->candidates;
  int64 count = state->kept;
  if (state->odd || begin >= candidates || count >= limit) return;
  const int64 wanted = ceil_div(candidates - begin, kTile);
  const int tiles = wanted < stride ? static_cast<int>(wanted) : stride;
  for (int w = threadIdx.x; w < tiles; w += kWalkThreads) removed[w] = fallen[w];
  __syncthreads();
  for (int tile = 0; tile < tiles; ++tile) {
    const int64 first = begin + static_cast<int64>(tile) * kTile;
    if (warp() == 0) {
      // a lane has two candidates; `by`: which earlier ones of the tile fell them
      const int64 left = candidates - first;
      const int a = lane(), b = a + 32;
      const int64 row = static_cast<int64>(tile) * kTile;
      const uint64 by_a = a < left ? masks[(row + a) * stride + tile] : 0;
      const uint64 by_b = b < left ? masks[(row + b) * stride + tile] : 0;
      const uint64 gone = removed[tile] | (left < kTile ? ~uint64(0) << left : 0);
      const uint64 stay = survivors(by_a, by_b, gone);
      // no more than there is room for
      const int rank_a = __popcll(stay & ((uint64(1) << a) - 1)), rank_b = __popcll(stay & ((uint64(1) << b) - 1));
      const int64 room = limit - count;
      const bool keep_a = (stay >> a & 1) && rank_a < room, keep_b = (stay >> b & 1) && rank_b < room;
      const auto keep = [&](int place, int rank) {
        const unsigned box = order[first + place];
        chosen[rank] = place;
        kept[count + rank] = static_cast<unsigned>(first + place);
        index[count + rank] = static_cast<int>(box);
        // TensorFlow multiplies all scores but the first by one, which takes denormals for zeros
        best[count + rank] = count + rank ? static_cast<T>(rounded<T>(static_cast<float>(scores[box]))) : scores[box];
      };
      if (keep_a) keep(a, rank_a);
      if (keep_b) keep(b, rank_b);
      const uint64 all = ballot64(keep_a, keep_b);
      if (a == 0) many = __popcll(all);
    }
    __syncthreads();
    const int number = many;
    count += number;
    const int words = tiles - tile - 1;
    if (count >= limit || words == 0) break;
    // what the chosen ones fell in later tiles: groups of threads share them out
    const int groups = kWalkThreads / words, group = threadIdx.x / words, word = tile + 1 + threadIdx.x % words;
    if (group < groups) {
      uint64 bits = 0;
#pragma unroll 4
      for (int k = group; k < number; k += groups)
        bits |= masks[(static_cast<int64>(tile) * kTile + chosen[k]) * stride + word];
      if (bits) atomicOr(&removed[word], bits);
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) state->kept = static_cast<int>(count);
}

}  // namespace tf2trt
