/* The C codec against proto/vectors (argument 1), which the Python codec's test reads too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fnmatch.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/names.h"
#include "proto/wire.h"
#include "proto/wire_decode.h"
#include "proto/wire_encode.h"
#include "proto/wire_scan.h"

#define FILE_MAX ((size_t)1 << 17)

static const char *folder;

/* The file NAME of the vectors; the caller frees. */
static char *read_vector(const char *name, size_t *size)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    char *bytes = malloc(FILE_MAX);
    assert_non_null(bytes);
    *size = fread(bytes, 1, FILE_MAX, file);
    fclose(file);
    return bytes;
}

/* Calls `check` with the name of each file like `pattern` and not like `but`; fails below `least`
 * files. */
static void for_each_vector(
    const char *pattern, const char *but, int least, void (*check)(const char *))
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int count = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (fnmatch(pattern, entry->d_name, 0) != 0 ||
            fnmatch(but, entry->d_name, FNM_EXTMATCH) == 0)
            continue;
        check(entry->d_name);
        count++;
    }
    closedir(dir);
    assert_in_range(count, least, 10000);
}

/* The name with another ending instead of ".msgpack". */
static const char *sibling(const char *name, const char *ending)
{
    static char other[512];
    snprintf(
        other, sizeof(other), "%.*s%s", (int)(strlen(name) - strlen(".msgpack")), name, ending);
    return other;
}

static void decode_good(
    const char *name, const char *header, size_t size, struct wire_message *message)
{
    struct wire_fault fault;
    if (wire_decode(header, size, message, &fault) < 0)
        fail_msg("%s: %s %s is %s; expected %s", name, wire_code_name(fault.code), fault.field,
            fault.value, fault.expected);
}

/* Decodes the file `name` and encodes it to the bytes of the file `canonical`. */
static void check_round_trip(const char *name, const char *canonical)
{
    size_t size, expected_size, encoded_size;
    char *header = read_vector(name, &size);
    char *expected = read_vector(canonical, &expected_size);
    struct wire_message message;
    void *encoded;

    decode_good(name, header, size, &message);
    assert_int_equal(wire_encode(&message, &encoded, &encoded_size), 0);
    if (encoded_size != expected_size || memcmp(encoded, expected, expected_size) != 0)
        fail_msg("%s: encoded otherwise than in %s", name, canonical);
    free(encoded);
    wire_message_free(&message);
    free(expected);
    free(header);
}

static void check_canonical(const char *name)
{
    check_round_trip(name, name);
}

static void test_canonical(void **state)
{
    for_each_vector("*.msgpack", "@(bad|other)-*", 30, check_canonical);
}

static void check_other(const char *name)
{
    check_round_trip(name, sibling(name, ".canonical"));
}

static void test_other_forms(void **state)
{
    for_each_vector("other-*.msgpack", "", 5, check_other);
}

static void check_bad(const char *name)
{
    size_t size, json_size;
    char *header = read_vector(name, &size);
    char *json = read_vector(sibling(name, ".json"), &json_size);
    json_t *expected = json_loadb(json, json_size, 0, NULL);
    struct wire_message message;
    struct wire_fault fault;

    assert_non_null(expected);
    if (wire_decode(header, size, &message, &fault) == 0)
        fail_msg("%s: decoded", name);
    const char *code = json_string_value(json_object_get(expected, "code"));
    const char *field = json_string_value(json_object_get(expected, "field"));
    if (strcmp(wire_code_name(fault.code), code) != 0 || strcmp(fault.field, field) != 0)
        fail_msg("%s: %s of '%s', expected %s of '%s'", name, wire_code_name(fault.code),
            fault.field, code, field);
    assert_true(strlen(fault.expected) > 0);
    assert_true(names_valid_utf8(wire_str(fault.value)));
    assert_true(names_valid_utf8(wire_str(fault.about)));
    json_decref(expected);
    free(json);
    free(header);
}

static void test_bad(void **state)
{
    for_each_vector("bad-*.msgpack", "", 80, check_bad);
}

static void check_prefixes(const char *name)
{
    size_t size;
    char *header = read_vector(name, &size);
    for (size_t cut = 0; cut < size; cut++) {
        char *exact = malloc(cut + 1); /* so that a sanitizer sees a read past the end */
        assert_non_null(exact);
        char *start = exact + 1;
        memcpy(start, header, cut);
        assert_int_equal(wire_scan(start, cut), -1);
        free(exact);
    }
    assert_int_equal(wire_scan(header, size), 0);
    free(header);
}

static void test_prefixes(void **state)
{
    for_each_vector("*.msgpack", "@(bad-*|scalars-most*|alert-full*)", 30, check_prefixes);
}

static void load(const char *name, struct wire_message *message)
{
    size_t size;
    char *header = read_vector(name, &size);
    decode_good(name, header, size, message);
    free(header); /* the message must not point into it */
}

#define assert_str(str, text) assert_true(wire_str_equal(str, text))

static void test_hello(void **state)
{
    struct wire_message message;
    load("hello-full.msgpack", &message);
    const struct wire_hello *hello = &message.u.hello;
    assert_int_equal(message.type, WIRE_HELLO);
    assert_int_equal(hello->version, 1);
    assert_int_equal(hello->run.len, 128);
    assert_memory_equal(hello->run.ptr, "Run.9_:-un.9", 12);
    assert_int_equal(hello->session.len, 64);
    assert_int_equal(hello->rank, 65535);
    assert_int_equal(hello->world, 65536);
    assert_str(hello->name, "Übung 7/größer");
    assert_str(hello->client, "foreshock-python/0.1");
    assert_int_equal(hello->tags_count, 3);
    assert_str(hello->tags[0].key, "équipe");
    assert_str(hello->tags[0].value, "研究");
    assert_str(hello->tags[2].key, "empty");
    assert_str(hello->tags[2].value, "");
    assert_true(hello->lossless);
    wire_message_free(&message);

    load("hello-minimal.msgpack", &message);
    assert_str(hello->run, "r");
    assert_null(hello->name.ptr);
    assert_null(hello->client.ptr);
    assert_int_equal(hello->tags_count, 0);
    assert_false(hello->lossless);
    wire_message_free(&message);
}

static void test_layer(void **state)
{
    struct wire_message message;
    const struct wire_layer *layer = &message.u.layer;
    load("layer-full.msgpack", &message);
    assert_int_equal(message.type, WIRE_LAYER);
    assert_int_equal(layer->layer, 65535);
    assert_str(layer->name, "модель/transformer.h.0.attn.c_attn.weight");
    assert_int_equal(layer->shape[0], 2147483647);
    assert_str(layer->dtype, "bfloat16");
    assert_str(layer->role, "attn.q");
    assert_int_equal(layer->block.len, 256);
    assert_true(layer->transposed);
    assert_true(layer->has_rows);
    assert_int_equal(layer->rows[0], 0);
    assert_int_equal(layer->rows[1], 2147483647);
    assert_false(layer->has_shard);
    wire_message_free(&message);

    load("layer-shard.msgpack", &message);
    assert_true(layer->has_shard);
    assert_int_equal(layer->shard.axis, WIRE_COLS);
    assert_int_equal(layer->shard.begin, 2147483646);
    assert_int_equal(layer->shard.end, 2147483647);
    assert_str(layer->role, "linear");
    assert_null(layer->block.ptr);
    assert_false(layer->has_rows);
    wire_message_free(&message);

    load("layer-shard-rows.msgpack", &message);
    assert_true(layer->has_shard && layer->has_rows);
    assert_int_equal(layer->shard.axis, WIRE_ROWS);
    assert_int_equal(layer->shard.begin, 0);
    assert_int_equal(layer->shard.end, 256);
    wire_message_free(&message);
}

static void test_scalars(void **state)
{
    static const char *const names[] = {
        "loss", "grad/norm", "lowest", "zero", "tiny", "huge", "third"};
    static const uint64_t bits[] = {
        UINT64_C(0x7FF8000000000000),
        UINT64_C(0x7FF0000000000000),
        UINT64_C(0xFFF0000000000000),
        UINT64_C(0x8000000000000000),
        UINT64_C(0x0000000000000001),
        UINT64_C(0x7FEFFFFFFFFFFFFF),
        UINT64_C(0x3FD5555555555555),
    };
    struct wire_message message;
    load("scalars-full.msgpack", &message);
    const struct wire_scalars *scalars = &message.u.scalars;
    assert_true(scalars->step == WIRE_STEP_MAX);
    assert_int_equal(scalars->values_count, 8);
    for (size_t i = 0; i < 7; i++) {
        uint64_t got;
        memcpy(&got, &scalars->values[i].value, sizeof(got));
        assert_str(scalars->values[i].name, names[i]);
        assert_true(got == bits[i]);
    }
    wire_message_free(&message);
}

static void test_tensor(void **state)
{
    struct wire_message message;
    const struct wire_tensor *tensor = &message.u.tensor;
    load("tensor-full.msgpack", &message);
    assert_int_equal(message.type, WIRE_TENSOR);
    assert_int_equal(tensor->ticket[0], 240);
    assert_int_equal(tensor->ticket[15], 255);
    assert_true(tensor->tensor == UINT64_MAX);
    assert_int_equal(tensor->kind, WIRE_WEIGHTS);
    assert_int_equal(tensor->layer, 65535);
    assert_true(tensor->step == WIRE_STEP_MAX);
    assert_str(tensor->dtype, "float16");
    assert_int_equal(tensor->shape[1], 2147483647);
    assert_true(tensor->total == UINT64_C(9223372028264841218));
    assert_true(tensor->offset == UINT64_C(9223372028264841217));
    assert_true(tensor->initial);
    wire_message_free(&message);

    load("tensor-activations.msgpack", &message);
    assert_int_equal(tensor->kind, WIRE_ACTIVATIONS);
    assert_int_equal(tensor->shape[0], 512);
    assert_int_equal(tensor->shape[1], 128);
    assert_int_equal(tensor->offset, 262144);
    assert_false(tensor->initial);
    wire_message_free(&message);
}

static void test_from_the_daemon(void **state)
{
    struct wire_message message;
    load("welcome-full.msgpack", &message);
    const struct wire_welcome *welcome = &message.u.welcome;
    assert_int_equal(welcome->attempt, 300);
    assert_str(welcome->tensors, "ipc:///run/foreshock/tensors.sock");
    assert_int_equal(welcome->lease_ms, 30000);
    assert_int_equal(welcome->heartbeat_ms, 5000);
    assert_int_equal(welcome->piece_bytes, WIRE_PIECE_MAX);
    assert_true(welcome->tensor_bytes == UINT64_MAX);
    wire_message_free(&message);

    load("error-full.msgpack", &message);
    assert_str(message.u.error.code, "layer_conflict");
    assert_str(message.u.error.field, "shape");
    assert_str(message.u.error.about, "layer");
    assert_true(message.u.error.fatal);
    wire_message_free(&message);

    load("alert-full.msgpack", &message);
    assert_str(message.u.alert.severity, "critical");
    assert_str(message.u.alert.state, "resolved");
    assert_int_equal(message.u.alert.layers_count, 64);
    assert_false(message.u.alert.recorded);
    assert_str(message.u.alert.layers[63], "h.63/слой");
    wire_message_free(&message);

    load("flushed-full.msgpack", &message);
    assert_true(message.u.flushed.token == UINT64_MAX);
    assert_true(message.u.flushed.dropped == WIRE_COUNT_MAX);
    wire_message_free(&message);
}

static void test_one_number(void **state)
{
    struct wire_message message;
    load("heartbeat-full.msgpack", &message);
    assert_int_equal(message.type, WIRE_HEARTBEAT);
    assert_true(message.u.dropped == WIRE_COUNT_MAX);
    wire_message_free(&message);

    load("rewind-full.msgpack", &message);
    assert_true(message.u.step == WIRE_STEP_MAX);
    wire_message_free(&message);

    load("grant-full.msgpack", &message);
    assert_true(message.u.grant == UINT64_MAX);
    wire_message_free(&message);

    load("flush-minimal.msgpack", &message);
    assert_false(message.u.flush.has_ticket);
    assert_int_equal(message.u.flush.token, 127);
    wire_message_free(&message);

    load("flush-full.msgpack", &message);
    assert_true(message.u.flush.has_ticket);
    assert_int_equal(message.u.flush.ticket[1], 241);
    wire_message_free(&message);

    load("want-full.msgpack", &message);
    assert_true(message.u.want.bytes == UINT64_C(1) << 32);
    wire_message_free(&message);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_other_forms),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_layer),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_tensor),
        cmocka_unit_test(test_from_the_daemon),
        cmocka_unit_test(test_one_number),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER-OF-VECTORS\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
