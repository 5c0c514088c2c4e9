/* Tensors put together from pieces, their accounts, and the mailbox back to the loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/core/mailbox.h"
#include "daemon/core/tensor.h"

static int released;

static void release(void *owner)
{
    released++;
    free(owner);
}

static void add(struct tensor *tensor, const void *bytes, size_t size, size_t shift)
{
    char *owner = malloc(size + shift);

    memcpy(owner + shift, bytes, size);
    assert_int_equal(tensor_add_piece(tensor, owner + shift, size, owner, release), 0);
}

static void test_pieces_are_gathered_and_given_back(void **state)
{
    _Atomic uint64_t account = 5;
    struct tensor *tensor = tensor_new(12, &account);
    const void *data;

    (void)state;
    released = 0;
    assert_int_equal(account, 17);
    add(tensor, "abcd", 4, 0);
    add(tensor, "efghijkl", 8, 0);
    data = tensor_data(tensor);
    assert_memory_equal(data, "abcdefghijkl", 12);
    assert_ptr_equal(tensor_data(tensor), data);
    assert_int_equal(released, 2);
    tensor_free(tensor);
    assert_int_equal(released, 2);
    assert_int_equal(account, 5);
}

static void test_one_aligned_piece_serves_as_it_is(void **state)
{
    _Atomic uint64_t account = 0;
    struct tensor *tensor = tensor_new(8, &account);

    (void)state;
    released = 0;
    add(tensor, "12345678", 8, 0);
    assert_memory_equal(tensor_data(tensor), "12345678", 8);
    assert_int_equal(released, 0);
    tensor_free(tensor);
    assert_int_equal(released, 1);
}

static void test_one_unaligned_piece_is_copied(void **state)
{
    _Atomic uint64_t account = 0;
    struct tensor *tensor = tensor_new(8, &account);

    (void)state;
    released = 0;
    add(tensor, "12345678", 8, 3);
    assert_int_equal((uintptr_t)tensor_data(tensor) % 8, 0);
    assert_memory_equal(tensor_data(tensor), "12345678", 8);
    assert_int_equal(released, 1);
    tensor_free(tensor);
}

static void test_the_charge_moves_with_the_tensor(void **state)
{
    _Atomic uint64_t waiting = 0, kept = 0;
    struct tensor *tensor = tensor_new(100, &waiting);

    (void)state;
    tensor_move(tensor, &kept);
    assert_int_equal(waiting, 0);
    assert_int_equal(kept, 100);
    tensor_free(tensor);
    assert_int_equal(kept, 0);
    tensor_free(NULL);
}

#define POSTERS 4
#define POSTS   1000

static struct mailbox *mailbox;
static int next_of[POSTERS], arrived;

/* Posts of one thread come out in its order. */
static void on_post(void *arg)
{
    intptr_t poster = (intptr_t)arg / POSTS, number = (intptr_t)arg % POSTS;

    assert_int_equal(next_of[poster], number);
    next_of[poster]++;
    if (++arrived == POSTERS * POSTS)
        mailbox_close(mailbox);
}

static void post_all(void *arg)
{
    for (intptr_t i = 0; i < POSTS; i++)
        assert_int_equal(mailbox_post(mailbox, on_post, (void *)((intptr_t)arg * POSTS + i)), 0);
}

static void test_posts_arrive_once_and_in_order(void **state)
{
    uv_thread_t threads[POSTERS];
    uv_loop_t loop;

    (void)state;
    arrived = 0;
    memset(next_of, 0, sizeof next_of);
    uv_loop_init(&loop);
    mailbox = mailbox_new(&loop);
    for (intptr_t i = 0; i < POSTERS; i++)
        uv_thread_create(&threads[i], post_all, (void *)i);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (int i = 0; i < POSTERS; i++)
        uv_thread_join(&threads[i]);
    assert_int_equal(arrived, POSTERS * POSTS);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_gathered_and_given_back),
        cmocka_unit_test(test_one_aligned_piece_serves_as_it_is),
        cmocka_unit_test(test_one_unaligned_piece_is_copied),
        cmocka_unit_test(test_the_charge_moves_with_the_tensor),
        cmocka_unit_test(test_posts_arrive_once_and_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
