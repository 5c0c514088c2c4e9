/* What the pass measures, in runs along the rows in the order in which they lie: memory gives its best to
 * streams that run straight on, one of W and one of a reference. Included once for float and once for
 * double. */

#ifndef SHORT_RUN
#define SHORT_RUN 32 /* pairs of vectors that are summed by themselves */
#endif

/* What a run adds up, lane by lane. A pair of vectors is summed before it is added: chains of additions
 * stay short, and the sums few enough for sixteen registers. */
struct NAME(run_sums) {
    NAME(lanes) square, ulp, reference_square, reference_ulp, difference;
};

/* What a run does: measure W itself, the difference to a reference of the same dtype, the reference
 * itself. Constant wherever it is used. */
struct NAME(run_kind) {
    enum dtype dtype;
    bool own, against, other;
};

INLINE NAME(lanes)
    NAME(pair_product)(NAME(lanes) a0, NAME(lanes) a1, NAME(lanes) b0, NAME(lanes) b1)
{
    NAME(lanes) sum = a0 * b0;
    return sum + a1 * b1;
}

/* Adds the squares of a pair, and of its spacing where the type is narrow. */
INLINE void NAME(add_squares)(enum dtype dtype, const unsigned char *at, const NAME(lanes) pair[2],
    NAME(lanes) * square, NAME(lanes) * ulp)
{
#if defined(__AVX512BF16__) && REAL_BYTES == 4
    if (dtype == DTYPE_BF16) {
        __m512i bits = _mm512_loadu_si512(at);
        __m512i power = _mm512_and_si512(bits, _mm512_set1_epi16(0x7f80));
        *square = (NAME(lanes))_mm512_dpbf16_ps((__m512)*square, (__m512bh)bits, (__m512bh)bits);
        *ulp = (NAME(lanes))_mm512_dpbf16_ps((__m512)*ulp, (__m512bh)power, (__m512bh)power);
        return;
    }
#endif
    (void)at;
    *square += NAME(pair_product)(pair[0], pair[1], pair[0], pair[1]);
    if (dtype == DTYPE_BF16 || dtype == DTYPE_F16) {
        NAME(lanes) first = NAME(power)(dtype, pair[0]), second = NAME(power)(dtype, pair[1]);
        *ulp += NAME(pair_product)(first, second, first, second);
    }
}

INLINE void NAME(run_pair)(struct NAME(run_kind) kind, const unsigned char *at,
    const unsigned char *reference, struct NAME(run_sums) * s)
{
    NAME(lanes) a[2], b[2];
    NAME(load_pair)(kind.dtype, at, a);
    if (kind.own)
        NAME(add_squares)(kind.dtype, at, a, &s->square, &s->ulp);
    if (!kind.against)
        return;
    NAME(load_pair)(kind.dtype, reference, b);
    if (kind.other)
        NAME(add_squares)(kind.dtype, reference, b, &s->reference_square, &s->reference_ulp);
    a[0] -= b[0];
    a[1] -= b[1];
    s->difference += NAME(pair_product)(a[0], a[1], a[0], a[1]);
}

INLINE void NAME(add_run)(
    struct NAME(run_kind) kind, struct NAME(run_sums) * sum, const struct NAME(run_sums) * s)
{
    if (kind.own) {
        sum->square += s->square;
        sum->ulp += s->ulp;
    }
    if (kind.against)
        sum->difference += s->difference;
    if (kind.other) {
        sum->reference_square += s->reference_square;
        sum->reference_ulp += s->reference_ulp;
    }
}

/* Runs along the pairs [begin, end) of a row of W (a) and of a reference (b), and the `tail` columns
 * behind them. Short runs are summed by themselves: rounding grows with the longest chain of additions,
 * most of all where all elements are equal. */
INLINE struct NAME(run_sums) NAME(run)(struct NAME(run_kind) kind, const unsigned char *a,
    const unsigned char *b, size_t begin, size_t end, size_t tail)
{
    NAME(lanes) none = NAME(all)(0);
    struct NAME(run_sums) sum = {none, none, none, none, none};
    size_t size = NAME(native_size)(kind.dtype), step = 2 * LANES * size;
    const unsigned char *at = a + begin * step, *other = kind.against ? b + begin * step : NULL;
    for (size_t left = end - begin; left > 0;) {
        struct NAME(run_sums) s = {none, none, none, none, none};
        size_t count = left < SHORT_RUN ? left : SHORT_RUN;
        left -= count;
        for (; count > 0; count--, at += step, other += kind.against ? step : 0)
            NAME(run_pair)(kind, at, other, &s);
        NAME(add_run)(kind, &sum, &s);
    }
    if (tail) {
        unsigned char last_a[2 * VECTOR_BYTES] = {0}, last_b[2 * VECTOR_BYTES] = {0};
        memcpy(last_a, a + end * step, tail * size);
        if (kind.against)
            memcpy(last_b, b + end * step, tail * size);
        NAME(run_pair)(kind, last_a, last_b, &sum);
        /* The zeros behind the tail have a spacing too. */
        REAL least = NAME(power)(kind.dtype, none)[0];
        sum.ulp[0] -= (REAL)(2 * LANES - tail) * least * least;
        sum.reference_ulp[0] -= (REAL)(2 * LANES - tail) * least * least;
    }
    return sum;
}

/* Takes what a run measured to double; i: the reference. */
static void NAME(collect_sums)(
    struct gram_sums *sums, const struct NAME(run_sums) * s, struct NAME(run_kind) kind, size_t i)
{
    double spacing = ldexp(1, -2 * dtype_mantissa_bits(kind.dtype));
    if (kind.own) {
        sums->square += (double)NAME(reduce)(s->square);
        sums->ulp_square += spacing * (double)NAME(reduce)(s->ulp);
    }
    if (kind.against)
        sums->reference[i].difference += (double)NAME(reduce)(s->difference);
    if (kind.other) {
        sums->reference[i].square += (double)NAME(reduce)(s->reference_square);
        sums->reference[i].ulp_square += spacing * (double)NAME(reduce)(s->reference_ulp);
    }
}

#define RUN(dtype, own, against, other)                                                            \
    s = NAME(run)((struct NAME(run_kind)){dtype, own, against, other}, a, b, begin, end, tail)
#define RUN_OWN(dtype)           RUN(dtype, true, false, false)
#define RUN_OWN_AGAINST(dtype)   RUN(dtype, true, true, false)
#define RUN_ALL(dtype)           RUN(dtype, true, true, true)
#define RUN_AGAINST(dtype)       RUN(dtype, false, true, false)
#define RUN_AGAINST_OTHER(dtype) RUN(dtype, false, true, true)

/* A run of a kind that is known only now. */
static struct NAME(run_sums) NAME(run_of_kind)(struct NAME(run_kind) kind, const unsigned char *a,
    const unsigned char *b, size_t begin, size_t end, size_t tail)
{
    struct NAME(run_sums) s;
    if (!kind.against)
        NATIVE(kind.dtype, RUN_OWN)
    else if (kind.own && kind.other)
        NATIVE(kind.dtype, RUN_ALL)
    else if (kind.own)
        NATIVE(kind.dtype, RUN_OWN_AGAINST)
    else if (kind.other)
        NATIVE(kind.dtype, RUN_AGAINST_OTHER)
    else
        NATIVE(kind.dtype, RUN_AGAINST)
    return s;
}

/* Measures the pairs [begin, end) and the tail of a row. Each element of W is loaded once where the
 * first reference is of its dtype. */
static void NAME(measure)(const struct gram_pass *pass, const struct NAME(tile) * tile, size_t row,
    size_t begin, size_t end, size_t tail)
{
    const struct NAME(source) *first = &tile->reference[0];
    struct NAME(run_kind) kind = {.dtype = tile->w.dtype, .own = true};
    struct NAME(run_sums) s;
    const unsigned char *a = NAME(row)(&tile->w, row), *b = NULL;
    if (first->data && first->dtype == kind.dtype) {
        kind.against = true;
        kind.other = !pass->reference_known[0];
        b = NAME(row)(first, row);
    }
    s = NAME(run_of_kind)(kind, a, b, begin, end, tail);
    NAME(collect_sums)(pass->sums, &s, kind, 0);
    for (size_t i = b ? 1 : 0; i < GRAM_REFERENCES; i++) {
        const struct NAME(source) *reference = &tile->reference[i];
        if (!reference->data)
            continue;
        a = NAME(row)(reference->dtype == tile->w.dtype ? &tile->w : &tile->wide, row);
        b = NAME(row)(reference, row);
        kind = (struct NAME(run_kind)){
            .dtype = reference->dtype, .against = true, .other = !pass->reference_known[i]};
        s = NAME(run_of_kind)(kind, a, b, begin, end, tail);
        NAME(collect_sums)(pass->sums, &s, kind, i);
    }
}

#undef RUN
#undef RUN_OWN
#undef RUN_OWN_AGAINST
#undef RUN_ALL
#undef RUN_AGAINST
#undef RUN_AGAINST_OTHER
