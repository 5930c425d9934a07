// The gamma family, computed in float32 whatever the dtype.
#include "special_math.cuh"

namespace tf2trt {

struct Lgamma {
  __device__ __forceinline__ float operator()(float x) const {
    if (x > 0.0f || x != x) return lgamma_positive(x);
    if (x == floorf(x)) return infinity();  // poles, -0 and -inf
    if (x > -1e-5f) return -logf(-x);
    // |gamma(x) gamma(-x)| = pi / |x sin(pi x)|
    const float sine = fabsf(sinpif(x - rintf(x)));
    return 1.14472989f - logf(-x * sine) - lgamma_positive(-x);
  }
};

struct Digamma {
  __device__ __forceinline__ float operator()(float x) const { return digamma(x); }
};

// x^a e^-x / gamma(a + 1)
__device__ __forceinline__ float gamma_density(float a, float x) {
  if (a < 3.0f) return expf(a * logf(x) - x - lgamma_above_1(a));
  const float ratio = (x - a) / a;
  const float exponent = ratio < -0.4f ? logf(x / a) - ratio : log1p_minus(ratio);
  return expf(a * exponent - stirling(a)) * rsqrtf(a * 6.28318531f);
}

// The lower (or the upper, its complement) regularised incomplete gamma function; a > 0, x > 0, both finite.
template <bool upper> __device__ __forceinline__ float incomplete_gamma(float a, float x) {
  const float ratio = (x - a) / a;
  if (a > 20.0f && fabsf(ratio) < 0.4f) {
    // Temme's expansion, uniform in x near a
    const float half = -log1p_minus(ratio);  // eta^2 / 2
    const float eta = copysignf(sqrtf(2.0f * half), ratio), root = sqrtf(0.5f * a);
    const float inverse = 1.0f / a;
    const float series =
        poly(inverse,
             poly(eta, -0.3333333333f, 0.08333333333f, -0.01481481481f, 0.001157407407f, 0.0003527336861f,
                  -0.000178755144f, 3.919263179e-5f, -2.185448511e-6f),
             poly(eta, -0.001851851852f, -0.003472222222f, 0.002645502646f, -0.0009902263374f, 0.0002057613169f),
             poly(eta, 0.004133597884f, -0.00268132716f, 0.0007716049383f));
    const float rest = series * expf(-a * half) * rsqrtf(6.28318531f * a);
    return upper ? 0.5f * erfcf(eta * root) + rest : 0.5f * erfcf(-eta * root) - rest;
  }
  if (upper && x <= 1.0f && a <= 1.0f) {
    // 1 - x^a / gamma(a + 1) * (1 - a sum of (-1)^(n + 1) x^n / ((a + n) n!)), which keeps its digits where it is small
    const float exponent = a * logf(x) - lgamma_1p(a);
    float sum = 0.0f, term = -1.0f;
    for (int n = 1; n < 16 && fabsf(term) > 1e-9f; ++n) {
      term *= __fdividef(-x, static_cast<float>(n));
      sum += __fdividef(term, a + static_cast<float>(n));
    }
    return a * sum * expf(exponent) - expm1f(exponent);
  }
  const float density = gamma_density(a, x);
  if (x <= 1.0f || x <= a) {
    float sum = 1.0f, term = 1.0f, n = a;
    for (int i = 0; i < 2000 && term > sum * 3e-8f; ++i) {
      n += 1.0f;
      term *= __fdividef(x, n);
      sum += term;
    }
    const float lower = density * sum;
    return upper ? 1.0f - lower : lower;
  }
  // the continued fraction of the upper one, by Lentz's method
  float b = x + 1.0f - a, c = 1e30f, d = __fdividef(1.0f, b), fraction = d;
  for (int i = 1; i < 2000; ++i) {
    const float n = -static_cast<float>(i) * (static_cast<float>(i) - a);
    b += 2.0f;
    d = __fdividef(1.0f, n * d + b);
    c = b + __fdividef(n, c);
    const float step = c * d;
    fraction *= step;
    if (fabsf(step - 1.0f) < 6e-8f) break;
  }
  fraction *= a * density;
  return upper ? fraction : 1.0f - fraction;
}

struct Igamma {
  TF2TRT_CALL float operator()(float a, float x) const {
    if (x == 0.0f) return 0.0f;
    if (!(x > 0.0f && a > 0.0f)) return nan();
    if (a == infinity()) return 0.0f;
    if (x == infinity()) return 1.0f;
    return incomplete_gamma<false>(a, x);
  }
};

struct Igammac {
  TF2TRT_CALL float operator()(float a, float x) const {
    if (!(x >= 0.0f && a > 0.0f)) return nan();
    if (x == 0.0f) return 1.0f;
    if (x == infinity()) return 0.0f;
    if (a == infinity()) return 1.0f;
    return incomplete_gamma<true>(a, x);
  }
};

// The continued fraction of the incomplete beta function, for x < (a + 1) / (a + b + 2), by Lentz's method.
__device__ __forceinline__ float beta_fraction(float a, float b, float x) {
  const float sum = a + b;
  float c = 1.0f, d = 1.0f / (1.0f - sum * x / (a + 1.0f)), fraction = d;
  for (int i = 1; i < 1000; ++i) {
    const float m = static_cast<float>(i), twice = a + 2.0f * m;
    const float even = __fdividef(m, twice - 1.0f) * __fdividef(b - m, twice) * x;
    d = __fdividef(1.0f, 1.0f + even * d);
    c = 1.0f + __fdividef(even, c);
    fraction *= d * c;
    const float odd = -__fdividef(a + m, twice) * __fdividef(sum + m, twice + 1.0f) * x;
    d = __fdividef(1.0f, 1.0f + odd * d);
    c = 1.0f + __fdividef(odd, c);
    const float step = d * c;
    fraction *= step;
    if (fabsf(step - 1.0f) < 6e-8f) break;
  }
  return fraction;
}

// x^a (1 - x)^b / B(a, b)
__device__ __forceinline__ float beta_density(float a, float b, float x) {
  const float sum = a + b;
  if (a < 3.0f || b < 3.0f) {
    const float large = fmaxf(a, b), small = fminf(a, b);
    // lgamma(large) - lgamma(large + small), which are close where large is large
    const float difference = large < 3.0f ? lgamma_positive(large) - lgamma_positive(sum)
                                          : (large - 0.5f) * -log1pf(small / large) - small * (logf(sum) - 1.0f) +
                                                stirling(large) - stirling(sum);
    return small * expf(a * logf(x) + b * log1pf(-x) - (lgamma_above_1(small) + difference));
  }
  const float mean = a / sum, away = x - mean;
  const float exponent = a * log1p_minus(away / mean) + b * log1p_minus(-away * sum / b);
  return sqrtf(a * (b / sum) * 0.159154943f) * expf(exponent + stirling(sum) - stirling(a) - stirling(b));
}

// The sum of the power series of the incomplete beta function, for b x <= 1 and x <= 0.95: its terms fall as powers of x.
__device__ __forceinline__ float beta_series(float a, float b, float x) {
  float power = 1.0f, sum = 1.0f / a;
  for (int i = 1; i < 1000; ++i) {
    const float n = static_cast<float>(i);
    power *= (n - b) / n * x;
    const float term = power / (a + n);
    sum += term;
    if (!(fabsf(term) > 3e-8f * sum)) break;
  }
  return sum;
}

struct Betainc {
  TF2TRT_CALL float operator()(float a, float b, float x) const {
    if (a <= 0.0f || b <= 0.0f) return nan();
    if (x == 0.0f || x == 1.0f) return x;
    if (!(x > 0.0f && x < 1.0f)) return nan();
    const float density = beta_density(a, b, x);
    if (x < (a + 1.0f) / (a + b + 2.0f)) return density * beta_fraction(a, b, x) / a;
    // directly, where the difference from one would have few digits
    if (b * x <= 1.0f && x <= 0.95f) return density * expf(-b * log1pf(-x)) * beta_series(a, b, x);
    return 1.0f - density * beta_fraction(b, a, 1.0f - x) / b;
  }
};

struct Zeta {
  TF2TRT_CALL float operator()(float x, float q) const { return zeta(x, q); }
};

struct Polygamma {
  TF2TRT_CALL float operator()(float n, float x) const {
    if (!(n >= 0.0f) || n != floorf(n)) return nan();
    if (n == 0.0f) return digamma(x);
    // (-1)^(n + 1) n! zeta(n + 1, x)
    float factorial = n > 34.0f ? infinity() : 1.0f;
    for (float k = 2.0f; k <= n && n <= 34.0f; k += 1.0f) factorial *= k;
    const float size = factorial * zeta(n + 1.0f, x);
    return fmodf(n, 2.0f) == 0.0f ? -size : size;
  }
};

}  // namespace tf2trt
