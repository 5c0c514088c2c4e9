/* Elements that lie together, converted to float or double one by one: what the vector loads do not
 * read by themselves (8-bit types, tails), and the values the others are checked against. */

#define CONVERT_RUN 256 /* elements converted at once on the way to double */

INLINE float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

INLINE uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* A half moved into the fields of a float has its exponent too small by 112; the product puts that
 * right, for subnormals too. */
INLINE float float_of_half(uint32_t half)
{
    uint32_t sign = (half & 0x8000u) << 16;
    uint32_t magnitude = (half & 0x7fffu) << 13;
    float value = float_of_bits(magnitude) * 0x1p112f;
    float special = float_of_bits(magnitude | 0x7f800000u);
    return float_of_bits(bits_of_float(magnitude >= 0x0f800000u ? special : value) | sign);
}

/* e4m3fn has no infinity; all ones is its NaN. */
INLINE float float_of_e4m3fn(uint32_t byte)
{
    uint32_t sign = (byte & 0x80u) << 24;
    uint32_t magnitude = byte & 0x7fu;
    float value = float_of_bits(magnitude << 20) * 0x1p120f;
    return float_of_bits(bits_of_float(magnitude == 0x7fu ? NAN : value) | sign);
}

static void bf16_to_float(const unsigned char *restrict src, size_t n, float *restrict dst)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t bits;
        memcpy(&bits, src + 2 * i, sizeof(bits));
        dst[i] = float_of_bits((uint32_t)bits << 16);
    }
}

static void f16_to_float(const unsigned char *restrict src, size_t n, float *restrict dst)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t bits;
        memcpy(&bits, src + 2 * i, sizeof(bits));
        dst[i] = float_of_half(bits);
    }
}

static void e4m3fn_to_float(const unsigned char *restrict src, size_t n, float *restrict dst)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = float_of_e4m3fn(src[i]);
}

/* e5m2 is the upper byte of a half. */
static void e5m2_to_float(const unsigned char *restrict src, size_t n, float *restrict dst)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = float_of_half((uint32_t)src[i] << 8);
}

static void f64_to_float(const unsigned char *restrict src, size_t n, float *restrict dst)
{
    for (size_t i = 0; i < n; i++) {
        double value;
        memcpy(&value, src + 8 * i, sizeof(value));
        dst[i] = (float)value;
    }
}

static void convert_f32(enum dtype dtype, const unsigned char *src, size_t n, float *dst)
{
    switch (dtype) {
    case DTYPE_F64: f64_to_float(src, n, dst); break;
    case DTYPE_F32: memcpy(dst, src, n * sizeof(*dst)); break;
    case DTYPE_BF16: bf16_to_float(src, n, dst); break;
    case DTYPE_F16: f16_to_float(src, n, dst); break;
    case DTYPE_F8_E4M3FN: e4m3fn_to_float(src, n, dst); break;
    case DTYPE_F8_E5M2: e5m2_to_float(src, n, dst); break;
    case DTYPE_COUNT: abort(); /* not a dtype */
    }
}

static void convert_f64(enum dtype dtype, const unsigned char *src, size_t n, double *dst)
{
    if (dtype == DTYPE_F64) {
        memcpy(dst, src, n * sizeof(*dst));
        return;
    }
    float run[CONVERT_RUN];
    for (size_t begin = 0; begin < n; begin += CONVERT_RUN) {
        size_t count = n - begin < CONVERT_RUN ? n - begin : CONVERT_RUN;
        convert_f32(dtype, src + begin * dtype_size(dtype), count, run);
        for (size_t i = 0; i < count; i++)
            dst[begin + i] = (double)run[i];
    }
}

/* Elements that lie apart, brought together. */
static void gather(
    const unsigned char *src, ptrdiff_t stride_bytes, size_t size, size_t n, unsigned char *dst)
{
    for (size_t i = 0; i < n; i++)
        memcpy(dst + i * size, src + (ptrdiff_t)i * stride_bytes, size);
}

INLINE size_t round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}
