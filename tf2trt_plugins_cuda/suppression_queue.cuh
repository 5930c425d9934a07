// Suppression one by one, as TensorFlow's kernel does it: scores that decay, and similarities that are no numbers.
#pragma once
#include "suppression_state.cuh"

namespace tf2trt {

constexpr int kQueueThreads = 256;

// A queue's entry: a candidate's place, and a key that is larger for better ones; 0: no candidate.
struct Entry {
  uint64 key;
  int64 place;
};

__device__ __forceinline__ uint64 queue_key(float score, unsigned box) {
  return static_cast<uint64>(ordered(score == 0 ? 0.0f : score)) << 32 | static_cast<unsigned>(~box);
}

__device__ __forceinline__ Entry best_of_warp(Entry mine) {
#pragma unroll
  for (int step = 16; step; step /= 2) {
    const Entry other{__shfl_xor_sync(kFull, mine.key, step), __shfl_xor_sync(kFull, mine.place, step)};
    if (other.key > mine.key) mine = other;
  }
  return mine;
}

// How much of its score a candidate keeps.
template <class T> __device__ __forceinline__ float weight(float similarity, const Settings& with) {
  const float power = rounded<T>(rounded<T>(with.scale * similarity) * similarity);
  if (!with.soft && !(similarity <= with.similarity)) return 0;
  return power == 0 ? 1.0f : rounded<T>(static_cast<float>(exp(static_cast<double>(power))));
}

// One block: TensorFlow's queue. The best candidate is compared with those kept since it was last looked at, the newest
// first; it is kept if that leaves its score as it was, else it goes back with a lower one. Thread i has the candidates
// i, i + kQueueThreads, ... Where nothing is odd only the number kept, and the padding, remain to be written.
template <class T, class S>
__global__ void __launch_bounds__(kQueueThreads)
    one_by_one(const float* data, const float* areas, const unsigned* order, int64 count, const T* scores,
               const Settings* settings, const State* state, unsigned long long* queue, float* current, unsigned* begins,
               unsigned* kept, int* index, T* best, int* valid, long long* found, int64 limit, int pad) {
  constexpr int kWarps = kQueueThreads / 32;
  __shared__ Entry tops[kWarps];
  __shared__ float weights[kQueueThreads];
  __shared__ unsigned changing[kWarps], felling[kWarps];
  int64 number = state->kept;
  if (state->odd) {
    const Settings with = *settings;
    const S similarity(data, areas, order, count);
    const int64 candidates = state->candidates;
    number = 0;
    Entry mine{0, 0};
    for (int64 i = threadIdx.x; i < candidates; i += kQueueThreads) {
      const float score = rounded<T>(static_cast<float>(scores[order[i]]));
      const uint64 key = queue_key(score, order[i]);
      queue[i] = key;
      current[i] = score;
      begins[i] = 0;
      if (key > mine.key) mine = {key, i};
    }
    while (number < limit) {
      const Entry of_warp = best_of_warp(mine);
      if (lane() == 0) tops[warp()] = of_warp;
      __syncthreads();
      Entry top = tops[0];
      for (int w = 1; w < kWarps; ++w)
        if (tops[w].key > top.key) top = tops[w];
      if (top.key == 0) break;
      const float original = current[top.place];
      float score = original;
      const int64 begin = begins[top.place];
      const typename S::Item item = similarity.load(top.place);
      bool fallen = false, done = false;
      for (int64 end = number; end > begin && !done; end -= kQueueThreads) {
        const int64 at = end - 1 - threadIdx.x;
        bool changes = false, fells = false;
        if (at >= begin) {
          const float value = rounded<T>(similarity(item, similarity.load(kept[at])));
          const float part = weight<T>(value, with);
          weights[threadIdx.x] = part;
          fells = !with.soft && value > with.similarity;
          changes = fells || !(part == 1.0f);
        }
        const unsigned change_bits = __ballot_sync(kFull, changes), fell_bits = __ballot_sync(kFull, fells);
        if (lane() == 0) {
          changing[warp()] = change_bits;
          felling[warp()] = fell_bits;
        }
        __syncthreads();
        for (int w = 0; w < kWarps && !done; ++w) {
          for (unsigned bits = changing[w]; bits && !done; bits &= bits - 1) {
            const int bit = __ffs(static_cast<int>(bits)) - 1;
            score = rounded<T>(score * weights[w * 32 + bit]);
            fallen = felling[w] >> bit & 1;
            done = fallen || score <= with.score;
          }
        }
        __syncthreads();
      }
      const bool chosen = !fallen && score == original;
      const uint64 key = !fallen && !chosen && score > with.score ? queue_key(score, order[top.place]) : 0;
      if (threadIdx.x == 0) {
        queue[top.place] = key;
        current[top.place] = score;
        begins[top.place] = static_cast<unsigned>(number);
        if (chosen) {
          kept[number] = static_cast<unsigned>(top.place);
          index[number] = static_cast<int>(order[top.place]);
          best[number] = number ? static_cast<T>(score) : scores[order[top.place]];
        }
      }
      number += chosen;
      __syncthreads();
      // the thread that had it looks for its next one, with the help of its warp
      const int owner = static_cast<int>(top.place % kQueueThreads);
      if (warp() == owner / 32) {
        Entry next{0, 0};
        for (int64 i = owner + static_cast<int64>(lane()) * kQueueThreads; i < candidates; i += 32 * kQueueThreads)
          if (queue[i] > next.key) next = {queue[i], i};
        next = best_of_warp(next);
        if (threadIdx.x == owner) mine = next;
      }
    }
  }
  if (threadIdx.x == 0) {
    *valid = static_cast<int>(number);
    if (found) *found = number;
  }
  for (int64 i = number + threadIdx.x; pad && i < limit; i += kQueueThreads) {
    index[i] = 0;
    best[i] = static_cast<T>(0.0f);
  }
}

}  // namespace tf2trt
