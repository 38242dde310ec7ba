/* Tokens of vehicle terminals, over a book that a test writes by hand. */
#include "session/credentials.h"
#include "session/id_list.h"
#include "session/recent.h"

#include "unit.h"

#include <openssl/sha.h>
#include <stdio.h>

/* ---- a ledger's book in memory ---- */

#define RECORDS 16

struct book {
    struct book_conf conf;
    struct {
        uint8_t bytes[CREDENTIAL_RECORD_MAX];
        size_t size;
        uint64_t tag;   /* of the write that is to be told; 0: none */
        bool is_stored; /* on the disk; else only on its way there */
        bool is_given;
        bool is_new;
    } records[RECORDS]; /* by their number */
    int refuses;        /* what the next write says; OK: nothing */
    unsigned writes;
};

static struct book book;
static struct credentials *k;
static _Atomic uint32_t count;
static char told[256]; /* "waiter:result ..." */
static char token[TOKEN_SIZE];

int book_new(struct ledger *l, const struct book_conf *conf, struct book **out)
{
    (void)l;
    book.conf = *conf;
    *out = &book;
    return OK;
}

uint32_t book_new_number(struct book *b)
{
    for (uint32_t i = 1; i < RECORDS; i++)
        if (!b->records[i].is_given) {
            b->records[i].is_given = true;
            return i;
        }
    return 0;
}

int book_write(struct book *b, uint32_t number, uint8_t form, struct slice record,
               bool is_new, uint64_t tag)
{
    int rc = b->refuses;

    assert_int_equal(form, LEDGER_CREDENTIAL);
    assert_true(b->records[number].is_given);
    assert_int_equal(is_new, !b->records[number].is_stored);
    b->refuses = OK;
    b->records[number].is_given = rc == OK || !is_new;
    if (rc < 0)
        return rc;
    b->writes++;
    memcpy(b->records[number].bytes, record.data, record.size);
    b->records[number].size = record.size;
    b->records[number].is_new = is_new;
    if (tag)
        b->records[number].tag = tag;
    return OK;
}

void book_drop(struct book *b, uint32_t number)
{
    assert_int_equal(b->records[number].tag, 0);
    memset(&b->records[number], 0, sizeof(b->records[number]));
}

void book_flush(struct book *b)
{
    (void)b;
}

bool book_is_settled(const struct book *b)
{
    (void)b;
    return true;
}

/* The disk's word for all that is on its way. */
static void settle(int rc)
{
    for (uint32_t i = 1; i < RECORDS; i++) {
        uint64_t tag = book.records[i].tag;

        if (!tag)
            continue;
        book.records[i].tag = 0;
        if (rc == OK)
            book.records[i].is_stored = true;
        else if (book.records[i].is_new)
            memset(&book.records[i], 0, sizeof(book.records[i]));
        book.conf.written(book.conf.user, tag, rc);
    }
}

static void note(const char *what, uint64_t waiter, int rc)
{
    size_t used = strlen(told);

    snprintf(told + used, sizeof(told) - used, "%s%s%d:%s", used ? " " : "", what,
             (int)waiter, rc == OK ? "ok" : err_word(rc));
}

static void on_issued(void *user, uint64_t waiter, int rc)
{
    (void)user;
    note("", waiter, rc);
}

static void on_proved(void *user, uint64_t waiter, struct credential *p, int rc)
{
    (void)user;
    assert_int_equal(p != NULL, rc == OK);
    note("proved ", waiter, rc);
}

static void on_revoked(void *user, uint64_t waiter, int rc)
{
    (void)user;
    note("revoked ", waiter, rc);
}

#define EXPECT_TOLD(text)                                                              \
    do {                                                                               \
        assert_string_equal(told, text);                                               \
        told[0] = '\0';                                                                \
    } while (0)

static void begin(uint32_t max)
{
    struct credentials_conf conf = {.key = {1, 2},
                                    .max = max,
                                    .count = &count,
                                    .issued = on_issued,
                                    .proved = on_proved,
                                    .revoked = on_revoked};

    assert_int_equal(credentials_new(&conf, &k), OK);
}

static int start(void **state)
{
    (void)state;
    memset(&book, 0, sizeof(book));
    told[0] = '\0';
    begin(10);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    credentials_free(&k);
    atomic_store(&count, 0);
    return 0;
}

/* As a start does: what is on the disk is shown again. */
static void restart(void)
{
    credentials_free(&k);
    atomic_store(&count, 0);
    begin(10);
    for (uint32_t i = 1; i < RECORDS; i++)
        if (book.records[i].is_stored)
            assert_int_equal(credentials_adopt(k, i,
                                               slice_of(book.records[i].bytes,
                                                        book.records[i].size)),
                             OK);
}

static struct id id_of(const char *text)
{
    struct id id;

    assert_int_equal(id_make(PROTOCOL_JT808, slice_of(text, strlen(text)), &id), OK);
    return id;
}

static int issue(const char *text, bool is_proved, uint64_t waiter)
{
    struct id id = id_of(text);

    return credentials_issue(k, &id, is_proved, waiter, token);
}

/* 1: at once; OK: the disk's word is waited for. */
static int show(const char *text, const char *shown, uint64_t waiter)
{
    struct id id = id_of(text);
    struct credential *p;
    int rc = credentials_prove(k, &id, slice_of(shown, TOKEN_SIZE), waiter, &p);

    assert_true(!p || rc == OK);
    return p ? 1 : rc;
}

/* The disk is quick, and says yes. */
static bool shows(const char *text, const char *shown)
{
    int rc = show(text, shown, 5);

    if (rc != OK)
        return rc > 0;
    told[0] = '\0';
    settle(OK);
    assert_string_equal(told, "proved 5:ok");
    told[0] = '\0';
    return true;
}

static int revoke(const char *text, uint64_t waiter)
{
    struct id id = id_of(text);

    return credentials_revoke(k, &id, waiter);
}

/* Registers, and keeps the token. */
static void give(const char *text, char kept[TOKEN_SIZE])
{
    assert_int_equal(issue(text, false, 1), OK);
    settle(OK);
    EXPECT_TOLD("1:ok");
    memcpy(kept, token, TOKEN_SIZE);
}

/* ---- tests ---- */

static void a_token_is_told_when_the_disk_has_it_and_proves_its_id(void **state)
{
    (void)state;
    assert_int_equal(issue("139", false, 7), OK);
    EXPECT_TOLD("");
    assert_false(shows("139", token)); /* nobody can know it yet */
    settle(OK);
    EXPECT_TOLD("7:ok");
    assert_true(shows("139", token));
    assert_true(shows("139", token));
}

static void a_token_is_good_for_one_id_alone(void **state)
{
    char a[TOKEN_SIZE], b[TOKEN_SIZE];

    (void)state;
    give("1", a);
    give("2", b);
    assert_memory_not_equal(a, b, TOKEN_SIZE);
    assert_false(shows("1", b));
    assert_false(shows("2", a));
    assert_false(shows("3", a));
    assert_true(shows("1", a));
    assert_true(shows("2", b));
    assert_int_equal(credentials_stats(k)->wrong, 3);
}

static void a_wrong_token_of_any_length_proves_nothing(void **state)
{
    struct id id = id_of("1");
    struct credential *p;
    char a[TOKEN_SIZE + 1] = "";

    (void)state;
    give("1", a);
    for (size_t size = 0; size < TOKEN_SIZE; size++)
        assert_int_equal(credentials_prove(k, &id, slice_of(a, size), 1, &p),
                         ERR_NOTFOUND);
    assert_int_equal(credentials_prove(k, &id, slice_of(a, TOKEN_SIZE + 1), 1, &p),
                     ERR_NOTFOUND);
    a[5] ^= 1;
    assert_int_equal(show("1", a, 1), ERR_NOTFOUND);
}

static void the_hash_alone_is_stored(void **state)
{
    uint8_t hash[32];
    char a[TOKEN_SIZE];

    (void)state;
    give("1", a);
    assert_null(memmem(book.records[1].bytes, book.records[1].size, a, TOKEN_SIZE));
    SHA256((const uint8_t *)a, TOKEN_SIZE, hash);
    assert_non_null(memmem(book.records[1].bytes, book.records[1].size, hash, 32));
}

static void who_never_showed_its_token_may_register_again(void **state)
{
    char a[TOKEN_SIZE], b[TOKEN_SIZE];

    (void)state;
    give("1", a);
    give("1", b);
    assert_false(shows("1", a));
    assert_true(shows("1", b));
    assert_int_equal(atomic_load(&count), 1);
}

static void who_showed_it_registers_no_more_unless_it_has_proved_itself(void **state)
{
    char a[TOKEN_SIZE];

    (void)state;
    give("1", a);
    assert_true(shows("1", a));
    assert_int_equal(issue("1", false, 2), ERR_EXISTS);
    assert_true(shows("1", a));
    assert_int_equal(issue("1", true, 2), OK);
    settle(OK);
    EXPECT_TOLD("2:ok");
}

static void the_old_token_is_good_until_the_new_one_was_shown(void **state)
{
    char a[TOKEN_SIZE], b[TOKEN_SIZE];

    (void)state;
    give("1", a);
    assert_true(shows("1", a));
    assert_int_equal(issue("1", true, 2), OK);
    memcpy(b, token, TOKEN_SIZE);
    assert_true(shows("1", a));
    assert_false(shows("1", b)); /* it is not on the disk yet */
    settle(OK);
    assert_true(shows("1", a));
    assert_int_equal(issue("1", false, 3), ERR_EXISTS);
    assert_true(shows("1", b));
    assert_false(shows("1", a));
    restart();
    assert_true(shows("1", b));
    assert_false(shows("1", a));
}

static void a_second_registration_waits_its_turn(void **state)
{
    (void)state;
    assert_int_equal(issue("1", false, 1), OK);
    assert_int_equal(issue("1", false, 2), ERR_BUSY);
    settle(OK);
    EXPECT_TOLD("1:ok");
}

static void everything_survives_a_restart(void **state)
{
    char a[TOKEN_SIZE], b[TOKEN_SIZE];

    (void)state;
    give("1", a);
    give("2", b);
    assert_true(shows("1", a));
    restart();
    assert_int_equal(issue("1", false, 1), ERR_EXISTS);
    assert_true(shows("1", a));
    assert_true(shows("2", b));
    assert_int_equal(atomic_load(&count), 2);
}

static void what_the_disk_refuses_is_as_if_it_had_never_been(void **state)
{
    (void)state;
    book.refuses = ERR_NOSPACE;
    assert_int_equal(issue("1", false, 1), ERR_NOSPACE);
    assert_int_equal(atomic_load(&count), 0);
    assert_int_equal(issue("1", false, 1), OK);
    settle(ERR_IO);
    EXPECT_TOLD("1:io");
    assert_int_equal(atomic_load(&count), 0);
    assert_false(shows("1", token));
    assert_int_equal(issue("1", false, 2), OK);
    settle(OK);
    assert_true(shows("1", token));
}

static void a_refused_new_token_leaves_the_old_one(void **state)
{
    char a[TOKEN_SIZE];

    (void)state;
    give("1", a);
    book.refuses = ERR_NOMEM;
    assert_int_equal(issue("1", false, 2), ERR_NOMEM);
    assert_true(shows("1", a));
    assert_int_equal(issue("1", true, 2), OK);
    settle(ERR_IO); /* it is tried again, without a word */
    EXPECT_TOLD("2:io");
    assert_true(shows("1", a));
}

static void a_proof_that_could_not_be_written_is_written_with_the_next(void **state)
{
    char a[TOKEN_SIZE];

    (void)state;
    give("1", a);
    book.refuses = ERR_NOMEM;
    assert_int_equal(show("1", a, 1), ERR_NOMEM);
    assert_int_equal(book.writes, 1);
    assert_true(shows("1", a));
    assert_int_equal(book.writes, 2);
    assert_true(shows("1", a));
    assert_int_equal(book.writes, 2);
    restart();
    assert_int_equal(issue("1", false, 1), ERR_EXISTS);
}

static void a_first_proof_counts_when_the_disk_has_it(void **state)
{
    char a[TOKEN_SIZE];

    (void)state;
    give("1", a);
    assert_int_equal(show("1", a, 3), OK);
    assert_int_equal(show("1", a, 4), OK); /* another connection */
    EXPECT_TOLD("");
    assert_int_equal(issue("1", false, 9), ERR_EXISTS);
    settle(OK);
    EXPECT_TOLD("proved 4:ok proved 3:ok");
    assert_int_equal(show("1", a, 5), 1);
    assert_int_equal(book.writes, 2);
    restart();
    assert_int_equal(show("1", a, 5), 1);
    assert_int_equal(issue("1", false, 9), ERR_EXISTS);
}

static void a_first_proof_that_the_disk_refuses_is_to_be_shown_again(void **state)
{
    char a[TOKEN_SIZE];

    (void)state;
    give("1", a);
    assert_int_equal(show("1", a, 3), OK);
    settle(ERR_NOSPACE);
    EXPECT_TOLD("proved 3:nospace");
    assert_int_equal(issue("1", false, 9), ERR_EXISTS);
    assert_true(shows("1", a));
    assert_int_equal(show("1", a, 3), 1);
}

static void a_revoked_id_is_new_again(void **state)
{
    char a[TOKEN_SIZE], b[TOKEN_SIZE];

    (void)state;
    assert_int_equal(revoke("1", 8), ERR_NOTFOUND);
    give("1", a);
    assert_true(shows("1", a));
    assert_int_equal(revoke("1", 8), OK);
    EXPECT_TOLD("");
    assert_false(shows("1", a));
    settle(OK);
    EXPECT_TOLD("revoked 8:ok");
    assert_false(book.records[1].is_given);
    assert_int_equal(atomic_load(&count), 0);
    assert_int_equal(revoke("1", 8), ERR_NOTFOUND);
    give("1", b);
    assert_false(shows("1", a));
    assert_true(shows("1", b));
}

static void one_revoked_on_its_way_to_the_disk_is_void(void **state)
{
    (void)state;
    assert_int_equal(issue("1", false, 1), OK);
    assert_int_equal(revoke("1", 8), OK);
    assert_int_equal(revoke("1", 9), OK);
    settle(OK);
    EXPECT_TOLD("1:closed");
    assert_false(shows("1", token));
    settle(OK);
    EXPECT_TOLD("revoked 8:ok revoked 9:ok");
    assert_false(book.records[1].is_given);
    assert_int_equal(atomic_load(&count), 0);
}

static void one_revoked_whose_token_the_disk_refused_is_gone(void **state)
{
    (void)state;
    assert_int_equal(issue("1", false, 1), OK);
    assert_int_equal(revoke("1", 8), OK);
    settle(ERR_IO);
    EXPECT_TOLD("revoked 8:ok 1:io");
    assert_int_equal(atomic_load(&count), 0);
}

static void who_is_revoked_while_it_proves_itself_has_not(void **state)
{
    char a[TOKEN_SIZE];

    (void)state;
    give("1", a);
    assert_int_equal(show("1", a, 3), OK);
    assert_int_equal(revoke("1", 8), OK);
    settle(OK);
    EXPECT_TOLD("proved 3:closed");
    settle(OK);
    EXPECT_TOLD("revoked 8:ok");
    assert_false(shows("1", a));
}

static void a_revocation_that_the_disk_refuses_may_be_asked_for_again(void **state)
{
    char a[TOKEN_SIZE];

    (void)state;
    give("1", a);
    assert_true(shows("1", a));
    assert_int_equal(revoke("1", 8), OK);
    settle(ERR_IO);
    EXPECT_TOLD("revoked 8:io");
    assert_false(shows("1", a));
    book.refuses = ERR_NOMEM;
    assert_int_equal(revoke("1", 8), OK);
    EXPECT_TOLD("revoked 8:nomem");
    assert_int_equal(revoke("1", 8), OK);
    settle(OK);
    EXPECT_TOLD("revoked 8:ok");
    assert_int_equal(revoke("1", 8), ERR_NOTFOUND);
    assert_int_equal(credentials_stats(k)->revoked, 1);
}

static void after_a_crash_a_revoked_token_stays_void(void **state)
{
    uint8_t kept[CREDENTIAL_RECORD_MAX];
    char a[TOKEN_SIZE], b[TOKEN_SIZE];
    size_t size;

    (void)state;
    give("1", a);
    assert_true(shows("1", a));
    assert_int_equal(revoke("1", 8), OK);
    memcpy(kept, book.records[1].bytes, size = book.records[1].size);
    settle(OK);
    EXPECT_TOLD("revoked 8:ok");
    credentials_free(&k); /* all that the disk had when that was told */
    atomic_store(&count, 0);
    begin(10);
    book.records[1].is_given = book.records[1].is_stored = true;
    assert_int_equal(credentials_adopt(k, 1, slice_of(kept, size)), OK);
    assert_false(shows("1", a));
    assert_int_equal(revoke("1", 8), ERR_NOTFOUND);
    give("1", b);
    assert_true(shows("1", b));
}

static void in_a_full_table_the_oldest_that_was_never_shown_makes_room(void **state)
{
    char shown[TOKEN_SIZE], old[TOKEN_SIZE], young[TOKEN_SIZE], last[TOKEN_SIZE];

    (void)state;
    credentials_free(&k);
    begin(3);
    give("1", shown);
    assert_true(shows("1", shown));
    give("2", old);
    give("3", young);
    give("4", last);
    assert_false(shows("2", old));
    assert_true(shows("3", young));
    assert_true(shows("4", last));
    assert_int_equal(issue("5", false, 1), ERR_FULL);
    assert_true(shows("1", shown));
}

static void a_token_on_its_way_to_the_disk_makes_no_room(void **state)
{
    (void)state;
    credentials_free(&k);
    begin(1);
    assert_int_equal(issue("1", false, 1), OK);
    assert_int_equal(issue("2", false, 2), ERR_FULL);
    settle(OK);
    assert_int_equal(issue("2", false, 2), OK);
}

/* ---- the record ---- */

static void the_record_is_what_it_was(void **state)
{
    static const uint8_t golden[] =
        "\x01\x04\x03\x03"
        "139"
        "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
        "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
        "\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb"
        "\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb\xbb";
    struct credential_record c = {.id = id_of("139"), true, true}, read;
    uint8_t bytes[CREDENTIAL_RECORD_MAX];

    (void)state;
    memset(c.fresh, 0xaa, sizeof(c.fresh));
    memset(c.proved, 0xbb, sizeof(c.proved));
    assert_int_equal(credential_write(&c, bytes), sizeof(golden) - 1);
    assert_memory_equal(bytes, golden, sizeof(golden) - 1);
    assert_int_equal(credential_read(slice_of(golden, sizeof(golden) - 1), &read), OK);
    assert_memory_equal(&read, &c, sizeof(c));
}

static void a_record_of_another_size_or_version_is_not_read(void **state)
{
    struct credential_record c = {.id = id_of("139"), .has_proved = true}, read;
    uint8_t bytes[CREDENTIAL_RECORD_MAX + 1] = {0};
    size_t size = credential_write(&c, bytes);

    (void)state;
    for (size_t i = 0; i < size; i++)
        assert_int_equal(credential_read(slice_of(bytes, i), &read), ERR_DAMAGED);
    assert_int_equal(credential_read(slice_of(bytes, size), &read), OK);
    assert_int_equal(credential_read(slice_of(bytes, size + 1), &read), ERR_DAMAGED);
    bytes[0] = 2;
    assert_int_equal(credential_read(slice_of(bytes, size), &read), ERR_VERSION);
    assert_int_equal(credentials_adopt(k, 1, slice_of(bytes, size)), ERR_VERSION);
    assert_int_equal(credentials_adopt(k, 1, slice_of(bytes, 3)), OK);
    assert_int_equal(atomic_load(&count), 0);
}

/* ---- what was reported lately ---- */

static void a_report_is_new_once_and_safe_when_it_is(void **state)
{
    struct recent *r = NULL;
    uint64_t a = recent_print(0x0200, 1, slice_of("x", 1));

    (void)state;
    assert_true(a != recent_print(0x0200, 2, slice_of("x", 1)));
    assert_true(a != recent_print(0x0201, 1, slice_of("x", 1)));
    assert_true(a != recent_print(0x0200, 1, slice_of("y", 1)));
    assert_int_equal(recent_note(&r, a), RECENT_NEW);
    assert_int_equal(recent_note(&r, a), RECENT_PENDING);
    assert_true(recent_settle(r, a, true));
    assert_int_equal(recent_note(&r, a), RECENT_SAFE);
    recent_free(&r);
}

static void a_report_that_was_lost_is_new_again(void **state)
{
    struct recent *r = NULL;

    (void)state;
    assert_int_equal(recent_note(&r, 5), RECENT_NEW);
    assert_true(recent_settle(r, 5, false));
    assert_false(recent_is_safe(r, 5));
    assert_int_equal(recent_note(&r, 5), RECENT_NEW);
    recent_free(&r);
}

static void the_oldest_reports_are_forgotten(void **state)
{
    struct recent *r = NULL;

    (void)state;
    for (uint64_t i = 1; i <= RECENT_MAX + 1; i++) {
        assert_int_equal(recent_note(&r, i), RECENT_NEW);
        assert_true(recent_settle(r, i, true));
    }
    assert_false(recent_is_safe(r, 1));
    for (uint64_t i = 2; i <= RECENT_MAX + 1; i++)
        assert_true(recent_is_safe(r, i));
    recent_free(&r);
}

/* ---- who may register ---- */

static bool lists(const char *text, const char *wanted)
{
    struct id_list *l;
    struct id id = id_of(wanted);
    bool has;

    assert_int_equal(id_list_new(text, &l), OK);
    has = id_list_has(l, &id);
    id_list_free(&l);
    return has;
}

static void a_list_names_an_id_a_line(void **state)
{
    static const char text[] = "# ours\n13912344329\r\n\n  0042 # spare\n7";

    (void)state;
    assert_true(lists(text, "13912344329"));
    assert_true(lists(text, "42"));
    assert_true(lists(text, "7"));
    assert_false(lists(text, "1391234432"));
    assert_false(lists(text, "139123443290"));
    assert_false(lists(text, "ours"));
    assert_false(lists(text, "spare"));
    assert_false(lists("", "7"));
    assert_true(lists("000", "0"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_token_is_told_when_the_disk_has_it_and_proves_its_id),
        T(a_token_is_good_for_one_id_alone),
        T(a_wrong_token_of_any_length_proves_nothing),
        T(the_hash_alone_is_stored),
        T(who_never_showed_its_token_may_register_again),
        T(who_showed_it_registers_no_more_unless_it_has_proved_itself),
        T(the_old_token_is_good_until_the_new_one_was_shown),
        T(a_second_registration_waits_its_turn),
        T(everything_survives_a_restart),
        T(what_the_disk_refuses_is_as_if_it_had_never_been),
        T(a_refused_new_token_leaves_the_old_one),
        T(a_proof_that_could_not_be_written_is_written_with_the_next),
        T(a_first_proof_counts_when_the_disk_has_it),
        T(a_first_proof_that_the_disk_refuses_is_to_be_shown_again),
        T(a_revoked_id_is_new_again),
        T(one_revoked_on_its_way_to_the_disk_is_void),
        T(one_revoked_whose_token_the_disk_refused_is_gone),
        T(who_is_revoked_while_it_proves_itself_has_not),
        T(a_revocation_that_the_disk_refuses_may_be_asked_for_again),
        T(after_a_crash_a_revoked_token_stays_void),
        T(in_a_full_table_the_oldest_that_was_never_shown_makes_room),
        T(a_token_on_its_way_to_the_disk_makes_no_room),
        T(the_record_is_what_it_was),
        T(a_record_of_another_size_or_version_is_not_read),
        T(a_report_is_new_once_and_safe_when_it_is),
        T(a_report_that_was_lost_is_new_again),
        T(the_oldest_reports_are_forgotten),
        T(a_list_names_an_id_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
