/* pages_inside.h - LMDB's pages and nodes, for the two files that read them.
 *
 * pages.c has the metas, the parts, and what can be saved; pages_check.c follows the
 * trees. */
#pragma once

#include "store/pages.h"

#define NO_PAGE    UINT64_MAX
#define FIRST_PAGE 2u /* behind the metas */
#define LEVELS     32u

enum page_flag {
    PAGE_BRANCH = 0x01,
    PAGE_LEAF = 0x02,
    PAGE_OVERFLOW = 0x04,
    PAGE_META = 0x08,
    PAGE_DIRTY = 0x10, /* never on a sound disk: LMDB would write to the map itself */
};

#define NODE_BIG 0x01 /* the value is on overflow pages; here is their number */

enum tree_flag {
    TREE_INTEGER_KEY = 0x08, /* both trees, always */
    TREE_NO_SUBDIR = 0x4000, /* in the first: how the file was named when it was made */
};

struct page_head {
    uint64_t number;
    uint16_t pad, flags;
    union {
        struct {
            uint16_t lower, upper;
        };
        uint32_t overflow_pages;
    };
};

struct node_head {
    uint16_t lo, hi, flags, key_size;
};

struct tree {
    uint32_t page_size; /* in the first tree only */
    uint16_t flags, depth;
    uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};

struct meta {
    uint32_t magic, version;
    uint64_t address, map_size;
    struct tree free, records;
    uint64_t last_page, transaction;
};

_Static_assert(sizeof(struct page_head) == 16, "a page's head has 16 bytes");
_Static_assert(sizeof(struct node_head) == 8, "a node's head has 8 bytes");
_Static_assert(sizeof(struct tree) == 48, "a tree has 48 bytes");
_Static_assert(sizeof(struct meta) == 136, "a meta has 136 bytes");

struct pages {
    int fd;
    size_t page_size;
    uint64_t count; /* pages in the file */
    struct meta meta;
    uint8_t *used; /* a bit per page: part of a tree */
    uint8_t *free; /* a bit per page: listed as free */
    uint64_t free_count;
    bool knows_free;   /* the list of free pages was sound */
    struct buf levels; /* one page each */
    struct buf value;  /* of overflow pages */
    const char *fault;
    uint64_t fault_page;
};

struct node {
    struct node_head head;
    uint64_t key;
    size_t value_size;   /* of a leaf's */
    uint64_t page;       /* a branch's child, or where a big value begins */
    const uint8_t *here; /* a small value */
    size_t size;         /* the node's own, as it counts on its page */
};

static inline bool pages_bit(const uint8_t *bits, uint64_t i)
{
    return bits[i / 8] >> i % 8 & 1;
}

/* Remembers what is wrong; returns ERR_DAMAGED. */
int pages_damaged(struct pages *p, uint64_t page, const char *fault);
MUST_CHECK int pages_read(struct pages *p, uint64_t page, uint8_t *to, size_t size);

struct page_head page_head_of(const uint8_t *page);
bool page_head_fits(const struct pages *p, const struct page_head *head);
uint32_t page_nodes(const struct page_head *head);

/* Takes node `i` of a page whose head fits; false if it reaches outside. */
MUST_CHECK bool page_node(const struct pages *p, const uint8_t *page, bool is_leaf,
                          uint32_t i, struct node *out);

/* Reads a big value into p->value; its pages are marked as used if `mark`. */
MUST_CHECK int pages_read_big(struct pages *p, const struct node *node, bool mark);
struct slice pages_value(const struct pages *p, const struct node *node);
