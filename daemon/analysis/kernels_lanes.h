/* Vectors of REAL, and elements of any type that the registers convert loaded into them. Included
 * once for float and once for double. */

#define LANES ((size_t)VECTOR_BYTES / sizeof(REAL))

typedef REAL NAME(lanes) __attribute__((vector_size(VECTOR_BYTES)));
typedef REAL NAME(unaligned_lanes)
    __attribute__((vector_size(VECTOR_BYTES), aligned(1), may_alias));
typedef uint16_t NAME(half_lanes)
    __attribute__((vector_size(VECTOR_BYTES / sizeof(REAL) * 2), aligned(1), may_alias));
typedef float NAME(float_lanes)
    __attribute__((vector_size(VECTOR_BYTES / sizeof(REAL) * 4), aligned(1), may_alias));
typedef uint32_t NAME(word_lanes)
    __attribute__((vector_size(VECTOR_BYTES / sizeof(REAL) * 4), may_alias));

typedef NAME(bit) NAME(bits) __attribute__((vector_size(VECTOR_BYTES)));

/* Whether NAME(load) reads the type; the others go through a tile. */
INLINE bool NAME(is_native)(enum dtype dtype)
{
    return dtype == REAL_DTYPE || dtype == DTYPE_F32 || dtype == DTYPE_BF16 || dtype == DTYPE_F16;
}

/* Bytes of an element, for a constant dtype. */
INLINE size_t NAME(native_size)(enum dtype dtype)
{
    return dtype == REAL_DTYPE ? sizeof(REAL) : dtype == DTYPE_F32 ? 4 : 2;
}

/* gcc 12 widens in two halves what is one instruction, hence the intrinsics. */
INLINE NAME(float_lanes) NAME(load_bf16)(const unsigned char *at)
{
#if defined(__AVX512F__) && REAL_BYTES == 4
    __m512i bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i_u *)at));
    return (NAME(float_lanes))_mm512_slli_epi32(bits, 16);
#elif defined(__AVX2__) && VECTOR_BYTES == 8 * REAL_BYTES
    __m256i bits = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i_u *)at));
    return (NAME(float_lanes))_mm256_slli_epi32(bits, 16);
#else
    NAME(half_lanes) bits = *(const NAME(half_lanes) *)at;
    return (NAME(float_lanes))(__builtin_convertvector(bits, NAME(word_lanes)) << 16);
#endif
}

#define HALF_BYTES (VECTOR_BYTES / sizeof(REAL) * 2)

INLINE NAME(float_lanes) NAME(load_f16)(const unsigned char *at)
{
#if defined(__F16C__)
    union {
        unsigned char bytes[32];
        __m128i v128;
        __m256i v256;
    } bits;
    memcpy(bits.bytes, at, HALF_BYTES);
    NAME(float_lanes) value;
#if defined(__AVX512F__)
    if (HALF_BYTES == 32) {
        __m512 wide = _mm512_cvtph_ps(bits.v256);
        memcpy(&value, &wide, sizeof(value));
        return value;
    }
#endif
    __m256 narrow = _mm256_cvtph_ps(bits.v128);
    memcpy(&value, &narrow, sizeof(value) < sizeof(narrow) ? sizeof(value) : sizeof(narrow));
    return value;
#else
    NAME(half_lanes) half = *(const NAME(half_lanes) *)at;
    NAME(word_lanes) bits = __builtin_convertvector(half, NAME(word_lanes));
    NAME(word_lanes) magnitude = (bits & 0x7fff) << 13;
    NAME(word_lanes) special = (NAME(word_lanes))(magnitude >= 0x0f800000);
    NAME(word_lanes) value = (NAME(word_lanes))((NAME(float_lanes))magnitude * 0x1p112f);
    value = (special & (magnitude | 0x7f800000)) | (~special & value);
    return (NAME(float_lanes))(value | (bits & 0x8000) << 16);
#endif
}

/* LANES elements of a native type. */
INLINE NAME(lanes) NAME(load)(enum dtype dtype, const unsigned char *at)
{
    if (dtype == REAL_DTYPE)
        return *(const NAME(unaligned_lanes) *)at;
    NAME(float_lanes)
    value = dtype == DTYPE_F32    ? *(const NAME(float_lanes) *)at
            : dtype == DTYPE_BF16 ? NAME(load_bf16)(at)
                                  : NAME(load_f16)(at);
    return __builtin_convertvector(value, NAME(lanes));
}

/* Whether NAME(load_pair) gives the elements of even and of odd place instead of the first and the
 * second half: what costs bfloat16 one operation a vector. */
INLINE bool NAME(interleaves)(enum dtype dtype)
{
    return REAL_BYTES == 4 && dtype == DTYPE_BF16;
}

/* 2 LANES elements of a native type. */
INLINE void NAME(load_pair)(enum dtype dtype, const unsigned char *at, NAME(lanes) pair[2])
{
    if (NAME(interleaves)(dtype)) {
        NAME(bits) bits = (NAME(bits)) * (const NAME(unaligned_lanes) *)at;
        pair[0] = (NAME(lanes))(bits << 16);
        pair[1] = (NAME(lanes))(bits & 0xffff0000);
        return;
    }
    pair[0] = NAME(load)(dtype, at);
    pair[1] = NAME(load)(dtype, at + LANES * NAME(native_size)(dtype));
}

INLINE REAL NAME(reduce)(NAME(lanes) sum)
{
    REAL lane[LANES];
    memcpy(lane, &sum, sizeof(sum));
    for (size_t width = LANES / 2; width > 0; width /= 2)
        for (size_t i = 0; i < width; i++)
            lane[i] += lane[i + width];
    return lane[0];
}

INLINE NAME(lanes) NAME(all)(REAL value)
{
    return value - (NAME(lanes)){0};
}

/* The power of two that a narrow type's spacing at x is a fixed fraction of: 2^floor(log2 |x|), and
 * for f16 at least that of its smallest normal number. (bf16's is beyond what squares show.) */
INLINE NAME(lanes) NAME(power)(enum dtype dtype, NAME(lanes) x)
{
    NAME(bits)
    power =
        (NAME(bits))x & (sizeof(REAL) == 4 ? (NAME(bit))0x7f800000 : (NAME(bit))0x7ff0000000000000);
    if (dtype == DTYPE_F16) {
        NAME(lanes) least = NAME(all)((REAL)0x1p-14);
        NAME(bits) small = (NAME(bits))((NAME(lanes))power < least);
        power = (small & (NAME(bits))least) | (~small & power);
    }
    return (NAME(lanes))power;
}

/* A call with the constant that stands for a native dtype. */
#define NATIVE(dtype, CALL)                                                                        \
    switch (dtype) {                                                                               \
    case DTYPE_BF16: CALL(DTYPE_BF16); break;                                                      \
    case DTYPE_F16: CALL(DTYPE_F16); break;                                                        \
    case DTYPE_F32: CALL(DTYPE_F32); break;                                                        \
    default: CALL(REAL_DTYPE); break;                                                              \
    }

#undef HALF_BYTES
