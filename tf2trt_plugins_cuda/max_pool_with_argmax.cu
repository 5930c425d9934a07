// The largest element of each window, and where it lies.
#include "channels.cuh"

namespace tf2trt {

constexpr int kTaps = 3;  // taken at once

template <class T, class I, int V>
__global__ void __launch_bounds__(256)
    max_pool_with_argmax(const T* input, T* output, I* argmax, int64 count, int64 height, int64 width, int64 depth,
                         int64 out_height, int64 out_width, int rows, int columns, int row_stride, int column_stride,
                         int above, int before, int batch_in_index) {
  const bool aligned_input = aligned16(input), aligned_output = aligned16(output), aligned_argmax = aligned16(argmax);
  const int64 packs = depth / V;
  for (int64 i = global_thread(); i < count; i += global_threads()) {
    const Place to(i, out_height, out_width, packs, V);
    const Window down(to.row, height, rows, row_stride, 1, above);
    const Window along(to.column, width, columns, column_stride, 1, before);
    const int64 image = to.image * height * width * depth;
    const int64 corner = ((down.begin + down.first) * width + along.begin + along.first) * depth + to.channel;
    const int high = static_cast<int>(down.last - down.first), wide = static_cast<int>(along.last - along.first);
    Pack<T, V> best;
    int tap[V];  // places from the window's first within the image
#pragma unroll
    for (int k = 0; k < V; ++k) {
      best.v[k] = lowest<T>();
      tap[k] = -1;
    }
    const T* line = input + image + corner;
    for (int y = 0, place = 0; y < high; ++y, place += static_cast<int>(width), line += width * depth) {
      for (int x = 0; x < wide; x += kTaps) {
        Pack<T, V> value[kTaps];
#pragma unroll
        for (int t = 0; t < kTaps; ++t) {  // the last one of a line may be taken again, which changes nothing
          const int at = x + t < wide ? x + t : wide - 1;
          value[t] = load_channels<T, V>(line + at * depth, aligned_input);
        }
#pragma unroll
        for (int t = 0; t < kTaps; ++t) {
#pragma unroll
          for (int k = 0; k < V; ++k) {
            // the first of equal ones; NaN only where it comes first
            if (tap[k] < 0 || static_cast<Compute<T>>(best.v[k]) < static_cast<Compute<T>>(value[t].v[k])) {
              best.v[k] = value[t].v[k];
              tap[k] = place + x + t;
            }
          }
        }
      }
    }
    const int64 out = to.pixel * depth + to.channel;
    store_channels<T, V>(output + out, best, aligned_output);
    Pack<I, V> where;
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const int64 at = corner + tap[k] * depth + k + (batch_in_index ? image : 0);
      where.v[k] = static_cast<I>(tap[k] < 0 ? -1 : at);
    }
    store_channels<I, V>(argmax + out, where, aligned_argmax);
  }
}

}  // namespace tf2trt
