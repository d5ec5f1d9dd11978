// The operations of this crate on a GPU. Matrices are row-major and contiguous; sums are made in a fixed order, so that
// the same input gives the same bits. Products of matrices are cuBLAS's.
//
// `float` is the type of everything that lives between operations; factors of products may be bf16 (`T`).

#include <cuda_bf16.h>
#include <stdint.h>

typedef __nv_bfloat16 bf16;

__device__ __forceinline__ float as_float(float x) { return x; }
__device__ __forceinline__ float as_float(bf16 x) { return __bfloat162float(x); }
__device__ __forceinline__ void put(float *to, float x) { *to = x; }
__device__ __forceinline__ void put(bf16 *to, float x) { *to = __float2bfloat16(x); }

// Sum and maximum over the 32 threads of a warp; every thread gets the result.
__device__ __forceinline__ float warp_sum(float x) {
    for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
    return x;
}
__device__ __forceinline__ float warp_max(float x) {
    for (int offset = 16; offset > 0; offset /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, offset));
    return x;
}

// Sum and maximum over a block of up to 1024 threads, a multiple of 32; every thread gets the result.
__device__ float block_reduce(float x, bool is_max) {
    __shared__ float partial[32];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, n_warps = blockDim.x / 32;
    x = is_max ? warp_max(x) : warp_sum(x);
    __syncthreads();
    if (lane == 0) partial[warp] = x;
    __syncthreads();
    x = lane < n_warps ? partial[lane] : (is_max ? -INFINITY : 0.0f);
    return is_max ? warp_max(x) : warp_sum(x);
}

__device__ __forceinline__ uint64_t global_thread() { return (uint64_t)blockIdx.x * blockDim.x + threadIdx.x; }

// ---------------------------------------------------------------------------------------------- random numbers

// SplitMix64's finalizer, as in `ops/random.rs`: masks are the same on every device.
__device__ __forceinline__ uint64_t mix(uint64_t x) {
    uint64_t z = x + 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

// The random bits of the four elements of a group.
__device__ __forceinline__ uint64_t group_bits(uint64_t key, uint64_t group) {
    return mix(key ^ (group * 0xd1342543de82ef95ull));
}

__device__ __forceinline__ float factor(uint64_t bits, int place, uint32_t threshold, float scale) {
    return ((bits >> (16 * place)) & 0xffff) < threshold ? 0.0f : scale;
}

// ---------------------------------------------------------------------------------------------- element by element

// out = in + bias, the bias on every row; in place.
extern "C" __global__ void add_bias(float *x, const float *bias, uint32_t cols, uint64_t n) {
    uint64_t i = 4 * global_thread();
    if (i >= n) return;
    if (cols % 4 == 0) {
        float4 v = *(float4 *)(x + i);
        const float *b = bias + i % cols;
        v.x += b[0]; v.y += b[1]; v.z += b[2]; v.w += b[3];
        *(float4 *)(x + i) = v;
    } else {
        for (uint64_t j = i; j < i + 4 && j < n; j++) x[j] += bias[j % cols];
    }
}

__device__ __forceinline__ float gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }
__device__ __forceinline__ float gelu_slope(float x) {
    return 0.5f * (1.0f + erff(x * 0.70710678118654752f)) + x * 0.3989422804014327f * __expf(-0.5f * x * x);
}

extern "C" __global__ void gelu_forward(const float *x, float *out, uint64_t n) {
    uint64_t i = 4 * global_thread();
    for (uint64_t j = i; j < i + 4 && j < n; j++) out[j] = gelu(x[j]);
}

extern "C" __global__ void gelu_backward(const float *x, const float *grad, float *out, uint64_t n) {
    uint64_t i = 4 * global_thread();
    for (uint64_t j = i; j < i + 4 && j < n; j++) out[j] = grad[j] * gelu_slope(x[j]);
}

// out = dropout(x) (+ residual, where there is one); a thread treats one group of four.
extern "C" __global__ void dropout(const float *x, uint32_t has_residual, const float *residual, float *out,
                                   uint64_t n, uint64_t key, uint32_t threshold, float scale) {
    uint64_t group = global_thread(), i = 4 * group;
    if (i >= n) return;
    uint64_t bits = threshold > 0 ? group_bits(key, group) : 0;
    for (int place = 0; place < 4 && i + place < n; place++) {
        float y = threshold > 0 ? x[i + place] * factor(bits, place, threshold, scale) : x[i + place];
        out[i + place] = has_residual ? y + residual[i + place] : y;
    }
}

// ---------------------------------------------------------------------------------------------- sums over rows

// Partial sums of columns: block (x, y) sums rows y, y + gridDim.y, … of 32 columns. Blocks of 32 x 8 threads.
extern "C" __global__ void column_sums(const float *x, float *partial, uint32_t rows, uint32_t cols) {
    __shared__ float sums[8][33];
    uint32_t col = blockIdx.x * 32 + threadIdx.x;
    float sum = 0.0f;
    if (col < cols)
        for (uint64_t row = blockIdx.y * 8 + threadIdx.y; row < rows; row += gridDim.y * 8) sum += x[row * cols + col];
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && col < cols) {
        for (int i = 1; i < 8; i++) sum += sums[i][threadIdx.x];
        partial[(uint64_t)blockIdx.y * cols + col] = sum;
    }
}

// The sum of `n` partial results.
extern "C" __global__ void sum_partials(const float *partial, float *out, uint32_t n, uint32_t cols) {
    uint32_t col = global_thread();
    if (col >= cols) return;
    float sum = 0.0f;
    for (uint32_t i = 0; i < n; i++) sum += partial[(uint64_t)i * cols + col];
    out[col] = sum;
}

// ---------------------------------------------------------------------------------------------- layer norm

// A warp a row. Variance in a second pass: one pass loses digits to outlier channels.
extern "C" __global__ void layer_norm_forward(const float *x, const float *weight, const float *bias, float *out,
                                              float *means, float *scales, uint32_t rows, uint32_t cols, float eps) {
    uint64_t row = (uint64_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= rows) return;
    const float *in = x + row * cols;
    float sum = 0.0f;
    for (uint32_t c = lane; c < cols; c += 32) sum += in[c];
    float mean = warp_sum(sum) / cols, squares = 0.0f;
    for (uint32_t c = lane; c < cols; c += 32) squares += (in[c] - mean) * (in[c] - mean);
    float scale = rsqrtf(warp_sum(squares) / cols + eps);
    for (uint32_t c = lane; c < cols; c += 32) out[row * cols + c] = (in[c] - mean) * scale * weight[c] + bias[c];
    if (lane == 0) { means[row] = mean; scales[row] = scale; }
}

// dx = scale * (g - mean(g) - normal * mean(g * normal)) with g = grad * weight; a warp a row.
extern "C" __global__ void layer_norm_backward(const float *grad, const float *x, const float *weight, const float *means,
                                               const float *scales, float *out, uint32_t rows, uint32_t cols) {
    uint64_t row = (uint64_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= rows) return;
    const float *in = x + row * cols, *dy = grad + row * cols;
    float mean = means[row], scale = scales[row], sum = 0.0f, projection = 0.0f;
    for (uint32_t c = lane; c < cols; c += 32) {
        float g = dy[c] * weight[c];
        sum += g;
        projection += g * (in[c] - mean) * scale;
    }
    sum = warp_sum(sum) / cols;
    projection = warp_sum(projection) / cols;
    for (uint32_t c = lane; c < cols; c += 32) {
        float normal = (in[c] - mean) * scale;
        out[row * cols + c] = scale * (dy[c] * weight[c] - sum - normal * projection);
    }
}

// Partial sums of grad * normal and of grad over rows, as `column_sums` splits them.
extern "C" __global__ void layer_norm_sums(const float *grad, const float *x, const float *means, const float *scales,
                                           float *weight_partial, float *bias_partial, uint32_t rows, uint32_t cols) {
    __shared__ float weights[8][33], biases[8][33];
    uint32_t col = blockIdx.x * 32 + threadIdx.x;
    float weight = 0.0f, bias = 0.0f;
    if (col < cols)
        for (uint64_t row = blockIdx.y * 8 + threadIdx.y; row < rows; row += gridDim.y * 8) {
            float dy = grad[row * cols + col];
            weight += dy * (x[row * cols + col] - means[row]) * scales[row];
            bias += dy;
        }
    weights[threadIdx.y][threadIdx.x] = weight;
    biases[threadIdx.y][threadIdx.x] = bias;
    __syncthreads();
    if (threadIdx.y == 0 && col < cols) {
        for (int i = 1; i < 8; i++) { weight += weights[i][threadIdx.x]; bias += biases[i][threadIdx.x]; }
        weight_partial[(uint64_t)blockIdx.y * cols + col] = weight;
        bias_partial[(uint64_t)blockIdx.y * cols + col] = bias;
    }
}

// ---------------------------------------------------------------------------------------------- attention

// Packed [tokens, heads * head_width] -> padded [sequences, heads, length, head_width], zeros beyond the end of a sequence.
// A block a place; `ends` are the cumulative lengths.
template <typename T>
__device__ void pad_heads(const float *packed, const uint32_t *ends, T *padded, uint32_t length, uint32_t heads,
                          uint32_t head_width) {
    uint32_t sequence = blockIdx.x / length, place = blockIdx.x % length;
    uint32_t width = heads * head_width, begin = ends[sequence], n = ends[sequence + 1] - begin;
    for (uint32_t c = threadIdx.x; c < width; c += blockDim.x) {
        uint32_t head = c / head_width, d = c % head_width;
        float x = place < n ? packed[(uint64_t)(begin + place) * width + c] : 0.0f;
        put(padded + (((uint64_t)sequence * heads + head) * length + place) * head_width + d, x);
    }
}
extern "C" __global__ void pad_heads_f32(const float *packed, const uint32_t *ends, float *padded, uint32_t length,
                                         uint32_t heads, uint32_t head_width) {
    pad_heads(packed, ends, padded, length, heads, head_width);
}
extern "C" __global__ void pad_heads_bf16(const float *packed, const uint32_t *ends, bf16 *padded, uint32_t length,
                                          uint32_t heads, uint32_t head_width) {
    pad_heads(packed, ends, padded, length, heads, head_width);
}

// The way back.
extern "C" __global__ void unpad_heads(const float *padded, const uint32_t *ends, float *packed, uint32_t length,
                                       uint32_t heads, uint32_t head_width) {
    uint32_t sequence = blockIdx.x / length, place = blockIdx.x % length;
    uint32_t width = heads * head_width, begin = ends[sequence], n = ends[sequence + 1] - begin;
    if (place >= n) return;
    for (uint32_t c = threadIdx.x; c < width; c += blockDim.x) {
        uint32_t head = c / head_width, d = c % head_width;
        packed[(uint64_t)(begin + place) * width + c] =
            padded[(((uint64_t)sequence * heads + head) * length + place) * head_width + d];
    }
}

// One row of the scores of one head: where it stands, and which keys it sees.
struct Row {
    uint64_t index;
    uint32_t place, n, first, after;
    uint64_t mask;
};

__device__ __forceinline__ Row attention_row(const uint32_t *ends, uint32_t length, uint32_t heads, uint32_t window) {
    Row row;
    row.index = (uint64_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    row.place = row.index % length;
    uint32_t sequence = row.index / ((uint64_t)length * heads), head = (row.index / length) % heads;
    uint32_t begin = ends[sequence];
    row.n = ends[sequence + 1] - begin;
    row.first = row.place > window ? row.place - window : 0;
    row.after = row.place < row.n ? min(row.n, row.place + min(window, length) + 1) : row.first;
    row.mask = mix(((uint64_t)begin << 16) | head);
    return row;
}

// The dropout factor of a key: that of the element in the head's own [n, n] matrix.
__device__ __forceinline__ float attention_factor(const Row &row, uint32_t key, uint64_t seed, uint32_t threshold,
                                                  float scale) {
    uint64_t element = (uint64_t)row.place * row.n + key;
    return factor(group_bits(seed, row.mask + element / 4), element % 4, threshold, scale);
}

// Weights = softmax(scale * scores) over the keys that a query sees; `dropped` are the weights after dropout, where there is
// any. A warp a row.
template <typename T>
__device__ void softmax_forward(const float *scores, const uint32_t *ends, T *weights, T *dropped, uint64_t rows,
                                uint32_t length, uint32_t heads, uint32_t window, float scale, uint64_t seed,
                                uint32_t threshold, float keep_scale) {
    Row row = attention_row(ends, length, heads, window);
    if (row.index >= rows) return;
    int lane = threadIdx.x % 32;
    const float *in = scores + row.index * length;
    float max = -INFINITY, sum = 0.0f;
    for (uint32_t k = row.first + lane; k < row.after; k += 32) max = fmaxf(max, in[k]);
    max = warp_max(max);
    for (uint32_t k = row.first + lane; k < row.after; k += 32) sum += __expf((in[k] - max) * scale);
    sum = 1.0f / warp_sum(sum);
    for (uint32_t k = lane; k < length; k += 32) {
        bool seen = k >= row.first && k < row.after;
        float weight = seen ? __expf((in[k] - max) * scale) * sum : 0.0f;
        put(weights + row.index * length + k, weight);
        if (threshold > 0) {
            float kept = seen ? weight * attention_factor(row, k, seed, threshold, keep_scale) : 0.0f;
            put(dropped + row.index * length + k, kept);
        }
    }
}
extern "C" __global__ void softmax_forward_f32(const float *scores, const uint32_t *ends, float *weights, float *dropped,
                                               uint64_t rows, uint32_t length, uint32_t heads, uint32_t window,
                                               float scale, uint64_t seed, uint32_t threshold, float keep_scale) {
    softmax_forward(scores, ends, weights, dropped, rows, length, heads, window, scale, seed, threshold, keep_scale);
}
extern "C" __global__ void softmax_forward_bf16(const float *scores, const uint32_t *ends, bf16 *weights, bf16 *dropped,
                                                uint64_t rows, uint32_t length, uint32_t heads, uint32_t window,
                                                float scale, uint64_t seed, uint32_t threshold, float keep_scale) {
    softmax_forward(scores, ends, weights, dropped, rows, length, heads, window, scale, seed, threshold, keep_scale);
}

// Gradients of the scores from those of the (dropped) weights: scale * p * (g - sum(g * p)), g through the dropout mask.
template <typename T>
__device__ void softmax_backward(const float *grad, const T *weights, const uint32_t *ends, T *out, uint64_t rows,
                                 uint32_t length, uint32_t heads, uint32_t window, float scale, uint64_t seed,
                                 uint32_t threshold, float keep_scale) {
    Row row = attention_row(ends, length, heads, window);
    if (row.index >= rows) return;
    int lane = threadIdx.x % 32;
    const float *dy = grad + row.index * length;
    const T *p = weights + row.index * length;
    float sum = 0.0f;
    for (uint32_t k = row.first + lane; k < row.after; k += 32) {
        float keep = threshold > 0 ? attention_factor(row, k, seed, threshold, keep_scale) : 1.0f;
        sum += dy[k] * keep * as_float(p[k]);
    }
    sum = warp_sum(sum);
    for (uint32_t k = lane; k < length; k += 32) {
        bool seen = k >= row.first && k < row.after;
        float g = 0.0f;
        if (seen) {
            float keep = threshold > 0 ? attention_factor(row, k, seed, threshold, keep_scale) : 1.0f;
            g = scale * as_float(p[k]) * (dy[k] * keep - sum);
        }
        put(out + row.index * length + k, g);
    }
}
extern "C" __global__ void softmax_backward_f32(const float *grad, const float *weights, const uint32_t *ends, float *out,
                                                uint64_t rows, uint32_t length, uint32_t heads, uint32_t window,
                                                float scale, uint64_t seed, uint32_t threshold, float keep_scale) {
    softmax_backward(grad, weights, ends, out, rows, length, heads, window, scale, seed, threshold, keep_scale);
}
extern "C" __global__ void softmax_backward_bf16(const float *grad, const bf16 *weights, const uint32_t *ends, bf16 *out,
                                                 uint64_t rows, uint32_t length, uint32_t heads, uint32_t window,
                                                 float scale, uint64_t seed, uint32_t threshold, float keep_scale) {
    softmax_backward(grad, weights, ends, out, rows, length, heads, window, scale, seed, threshold, keep_scale);
}

// ---------------------------------------------------------------------------------------------- losses

// A block a row: the loss of the row and log(sum(exp(row))). A negative label: the row does not count.
extern "C" __global__ void cross_entropy_forward(const float *logits, const int32_t *labels, const float *row_weights,
                                                 float *losses, float *normalizers, uint32_t classes) {
    uint64_t row = blockIdx.x;
    const float *in = logits + row * classes;
    float max = -INFINITY, sum = 0.0f;
    for (uint32_t c = threadIdx.x; c < classes; c += blockDim.x) max = fmaxf(max, in[c]);
    max = block_reduce(max, true);
    for (uint32_t c = threadIdx.x; c < classes; c += blockDim.x) sum += __expf(in[c] - max);
    sum = block_reduce(sum, false);
    if (threadIdx.x == 0) {
        float normalizer = logf(sum) + max;
        int32_t label = labels[row];
        normalizers[row] = normalizer;
        losses[row] = label >= 0 ? row_weights[row] * (normalizer - in[label]) : 0.0f;
    }
}

// grad (one number) times the gradient of each row's loss.
extern "C" __global__ void cross_entropy_backward(const float *logits, const int32_t *labels, const float *row_weights,
                                                  const float *normalizers, const float *grad, float *out,
                                                  uint32_t classes) {
    uint64_t row = blockIdx.x;
    const float *in = logits + row * classes;
    int32_t label = labels[row];
    float weight = label >= 0 ? row_weights[row] * *grad : 0.0f, normalizer = normalizers[row];
    for (uint32_t c = threadIdx.x; c < classes; c += blockDim.x) {
        float p = weight != 0.0f ? __expf(in[c] - normalizer) : 0.0f;
        out[row * classes + c] = weight * (p - ((int32_t)c == label ? 1.0f : 0.0f));
    }
}

// ---------------------------------------------------------------------------------------------- tables and ranges

// Gradient of a table of which `order[offsets[u]..offsets[u + 1]]` looked up row `rows[u]`, in that order; the table is zero.
// A block a row that was looked up.
extern "C" __global__ void scatter_rows(const float *grad, const uint32_t *rows, const uint32_t *offsets,
                                        const uint32_t *order, float *table, uint32_t cols) {
    uint32_t first = offsets[blockIdx.x], after = offsets[blockIdx.x + 1];
    float *to = table + (uint64_t)rows[blockIdx.x] * cols;
    for (uint32_t c = threadIdx.x; c < cols; c += blockDim.x) {
        float sum = 0.0f;
        for (uint32_t i = first; i < after; i++) sum += grad[(uint64_t)order[i] * cols + c];
        to[c] = sum;
    }
}

// Means of ranges of rows: a block a range.
extern "C" __global__ void range_means_forward(const float *x, const uint32_t *begins, const uint32_t *ends, float *out,
                                               uint32_t cols) {
    uint32_t begin = begins[blockIdx.x], end = ends[blockIdx.x];
    for (uint32_t c = threadIdx.x; c < cols; c += blockDim.x) {
        float sum = 0.0f;
        for (uint64_t row = begin; row < end; row++) sum += x[row * cols + c];
        out[(uint64_t)blockIdx.x * cols + c] = sum / (end - begin);
    }
}

// The way back: a block a row, which takes its share of every range that it is in.
extern "C" __global__ void range_means_backward(const float *grad, const uint32_t *begins, const uint32_t *ends,
                                                float *out, uint32_t ranges, uint32_t cols) {
    uint32_t row = blockIdx.x;
    for (uint32_t c = threadIdx.x; c < cols; c += blockDim.x) {
        float sum = 0.0f;
        for (uint32_t r = 0; r < ranges; r++)
            if (begins[r] <= row && row < ends[r]) sum += grad[(uint64_t)r * cols + c] / (ends[r] - begins[r]);
        out[(uint64_t)row * cols + c] = sum;
    }
}

// ---------------------------------------------------------------------------------------------- optimizer

// The three passes of AdamW, in place.
extern "C" __global__ void first_moment(float *m, const float *g, uint64_t n, float beta, float share) {
    uint64_t i = global_thread();
    if (i < n) m[i] = beta * m[i] + share * g[i];
}
extern "C" __global__ void second_moment(float *v, const float *g, uint64_t n, float beta, float share, float scale) {
    uint64_t i = global_thread();
    if (i < n) { float x = scale * g[i]; v[i] = beta * v[i] + share * (x * x); }
}
extern "C" __global__ void descend(float *p, const float *m, const float *v, uint64_t n, float keep, float rate,
                                   float root_correction, float epsilon) {
    uint64_t i = global_thread();
    if (i < n) p[i] = keep * p[i] - rate * m[i] / (sqrtf(v[i]) * root_correction + epsilon);
}

// The sum of the squares of what the threads of each block see.
extern "C" __global__ void squares(const float *x, float *partial, uint64_t n) {
    float sum = 0.0f;
    for (uint64_t i = global_thread(); i < n; i += (uint64_t)gridDim.x * blockDim.x) sum += x[i] * x[i];
    sum = block_reduce(sum, false);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// a += scale * b
extern "C" __global__ void add_scaled(float *a, const float *b, uint64_t n, float scale) {
    uint64_t i = global_thread();
    if (i < n) a[i] += scale * b[i];
}
