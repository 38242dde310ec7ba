#include "store/pages.h"

#include "store/pages_inside.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC         0xbeefc0deu
#define FORMAT        1u
#define LARGEST       (1u << 30) /* value */

#define READ_AGAIN    3 /* times */
#define READ_AGAIN_MS 20

const char *pages_fault(const struct pages *p, uint64_t *page)
{
    *page = p->fault_page;
    return p->fault;
}

int pages_damaged(struct pages *p, uint64_t page, const char *fault)
{
    p->fault = fault;
    p->fault_page = page;
    return ERR_DAMAGED;
}

/* A read error may pass; one that stays is damage like others. */
static ssize_t read_patiently(int fd, uint8_t *to, size_t size, off_t at)
{
    ssize_t n = pread(fd, to, size, at);

    for (int i = 0; n < 0 && i < READ_AGAIN; i++) {
        (void)usleep(READ_AGAIN_MS * 1000);
        n = pread(fd, to, size, at);
    }
    return n;
}

int pages_read(struct pages *p, uint64_t page, uint8_t *to, size_t size)
{
    size_t done = 0;

    while (done < size) {
        off_t at = (off_t)(page * p->page_size + done);
        ssize_t n = read_patiently(p->fd, to + done, size - done, at);

        if (n <= 0)
            return pages_damaged(p, page,
                                 n < 0 ? "it cannot be read" : "it is missing");
        done += (size_t)n;
    }
    return OK;
}

/* ---- metas ---- */

static bool meta_is_sound(const uint8_t *page, uint64_t number, struct meta *out)
{
    struct page_head head;

    memcpy(&head, page, sizeof(head));
    memcpy(out, page + sizeof(head), sizeof(*out));
    return head.number == number && head.flags == PAGE_META && out->magic == MAGIC;
}

/* The metas take turns: odd transactions write the second one. Metas have no sum, and
 * one whose number is wrong would hide what was committed last. */
static bool metas_follow(uint64_t first, uint64_t second)
{
    if (first == 0 && second == 0)
        return true; /* a new file */
    return first % 2 == 0 && second % 2 == 1 &&
           (first + 1 == second || second + 1 == first);
}

static bool is_page_size(size_t size)
{
    return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

static int read_metas(struct pages *p)
{
    uint8_t bytes[2][sizeof(struct page_head) + sizeof(struct meta)];
    struct meta other;
    int rc;

    p->page_size = (size_t)sysconf(_SC_PAGESIZE); /* what LMDB begins a file with */
    if ((rc = pages_read(p, 0, bytes[0], sizeof(bytes[0]))) < 0)
        return rc;
    if (!meta_is_sound(bytes[0], 0, &p->meta))
        return pages_damaged(p, 0, "the first meta is not one");
    if (is_page_size(p->meta.free.page_size))
        p->page_size = p->meta.free.page_size;
    if ((rc = pages_read(p, 1, bytes[1], sizeof(bytes[1]))) < 0)
        return rc;
    if (!meta_is_sound(bytes[1], 1, &other))
        return pages_damaged(p, 1, "the second meta is not one");
    if (p->meta.version != FORMAT && p->meta.version == other.version)
        return ERR_VERSION;
    if (p->meta.version != FORMAT || other.version != FORMAT)
        return pages_damaged(p, 0, "the metas are of different versions");
    if (p->meta.free.page_size != p->page_size || other.free.page_size != p->page_size)
        return pages_damaged(p, 0, "the metas disagree on the size of pages");
    if (!metas_follow(p->meta.transaction, other.transaction))
        return pages_damaged(p, 0, "the metas do not follow each other");
    if (p->meta.transaction < other.transaction)
        p->meta = other;
    return OK;
}

int pages_open(int fd, struct pages **out)
{
    struct pages *p = calloc(1, sizeof(*p));
    struct stat st;
    int rc;

    *out = p;
    if (!p)
        return ERR_NOMEM;
    p->fd = fd;
    if (fstat(fd, &st) < 0)
        return ERR_IO;
    rc = read_metas(p);
    p->count = (uint64_t)st.st_size / p->page_size;
    p->used = calloc(1, p->count / 8 + 1);
    p->free = calloc(1, p->count / 8 + 1);
    return p->used && p->free ? rc : ERR_NOMEM;
}

void pages_close(struct pages **pages)
{
    struct pages *p = *pages;

    *pages = NULL;
    if (!p)
        return;
    buf_fini(&p->levels);
    buf_fini(&p->value);
    free(p->used);
    free(p->free);
    free(p);
}

/* ---- pages and nodes ---- */

struct page_head page_head_of(const uint8_t *page)
{
    struct page_head head;

    memcpy(&head, page, sizeof(head));
    return head;
}

uint32_t page_nodes(const struct page_head *head)
{
    return (head->lower - (uint32_t)sizeof(*head)) / 2;
}

bool page_head_fits(const struct pages *p, const struct page_head *head)
{
    return head->lower >= sizeof(*head) && head->lower % 2 == 0 &&
           head->lower <= head->upper && head->upper <= p->page_size;
}

bool page_node(const struct pages *p, const uint8_t *page, bool is_leaf, uint32_t i,
               struct node *out)
{
    struct page_head head = page_head_of(page);
    size_t at, inside;
    uint16_t offset;

    memcpy(&offset, page + sizeof(head) + i * 2u, 2);
    if (offset < head.upper || offset + sizeof(out->head) > p->page_size)
        return false;
    memcpy(&out->head, page + offset, sizeof(out->head));
    at = offset + sizeof(out->head);
    if (out->head.key_size > p->page_size - at)
        return false;
    out->key = 0;
    if (out->head.key_size == sizeof(out->key))
        memcpy(&out->key, page + at, sizeof(out->key));
    at += out->head.key_size;
    out->value_size = out->head.lo | (size_t)out->head.hi << 16;
    out->here = page + at;
    if (!is_leaf) {
        inside = 0;
        out->page = out->value_size | (uint64_t)out->head.flags << 32;
    } else if (out->head.flags & NODE_BIG) {
        inside = sizeof(out->page);
        if (inside > p->page_size - at)
            return false;
        memcpy(&out->page, page + at, sizeof(out->page));
    } else {
        inside = out->value_size;
    }
    if (inside > p->page_size - at)
        return false;
    out->size = (at + inside - offset + 1) & ~(size_t)1;
    return true;
}

int pages_read_big(struct pages *p, const struct node *node, bool mark)
{
    size_t size = node->value_size + sizeof(struct page_head);
    uint64_t need = (size - 1) / p->page_size + 1;
    struct page_head head;
    uint8_t *to;
    int rc;

    if (node->value_size > LARGEST || node->page < FIRST_PAGE ||
        node->page >= p->count || need > p->count - node->page)
        return pages_damaged(p, node->page, "a value lies outside of the file");
    buf_clear(&p->value);
    if (!(to = buf_try_reserve(&p->value, size)))
        return ERR_NOMEM;
    if ((rc = pages_read(p, node->page, to, size)) < 0)
        return rc;
    buf_commit(&p->value, size);
    head = page_head_of(to);
    if (head.number != node->page || head.flags != PAGE_OVERFLOW ||
        head.overflow_pages < need || head.overflow_pages > p->count - node->page)
        return pages_damaged(p, node->page, "it should hold a long value");
    for (uint64_t i = 0; mark && i < head.overflow_pages; i++) {
        uint64_t page = node->page + i;

        if (pages_bit(p->used, page))
            return pages_damaged(p, page, "it is used twice");
        p->used[page / 8] |= (uint8_t)(1 << page % 8);
    }
    return OK;
}

struct slice pages_value(const struct pages *p, const struct node *node)
{
    if (node->head.flags & NODE_BIG)
        return slice_from(buf_peek(&p->value), sizeof(struct page_head));
    return slice_of(node->here, node->value_size);
}

/* ---- what can be saved ---- */

static int show_page(struct pages *p, const uint8_t *page, pages_seen *seen, void *user)
{
    struct page_head head = page_head_of(page);
    int rc = OK;

    if (!page_head_fits(p, &head))
        return OK;
    for (uint32_t i = 0; i < page_nodes(&head) && rc == OK; i++) {
        struct node node;

        if (!page_node(p, page, true, i, &node) ||
            node.head.key_size != sizeof(node.key))
            continue;
        if ((node.head.flags & NODE_BIG) &&
            (rc = pages_read_big(p, &node, false)) < 0) {
            rc = rc == ERR_NOMEM ? rc : OK;
            continue;
        }
        rc = seen(user, node.key, pages_value(p, &node));
    }
    return rc;
}

int pages_each_record(struct pages *p, pages_seen *seen, void *user)
{
    uint8_t *page = malloc(p->page_size);
    int rc = page ? OK : ERR_NOMEM;

    for (uint64_t i = FIRST_PAGE; i < p->count && rc == OK; i++) {
        if (p->knows_free && pages_bit(p->free, i) && !pages_bit(p->used, i))
            continue;
        if (pages_read(p, i, page, p->page_size) == OK &&
            page_head_of(page).number == i &&
            (page_head_of(page).flags & ~PAGE_DIRTY) == PAGE_LEAF)
            rc = show_page(p, page, seen, user);
    }
    free(page);
    return rc;
}
