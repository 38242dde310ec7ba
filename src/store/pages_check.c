#include "store/pages_inside.h"

struct walk {
    struct pages *p;
    const struct tree *tree;
    int (*on_value)(struct pages *p, uint64_t page, struct slice value); /* or NULL */
    struct tree counted;
};

struct range {
    uint64_t low, high; /* keys: low <= key < high, except that high is the last one */
};

static int check_head(struct walk *w, uint64_t number, const uint8_t *page,
                      bool is_leaf)
{
    struct pages *p = w->p;
    struct page_head head = page_head_of(page);

    if (head.number != number)
        return pages_damaged(p, number, "it bears another number");
    if (head.flags != (is_leaf ? PAGE_LEAF : PAGE_BRANCH))
        return pages_damaged(p, number, "it is of another kind");
    if (!page_head_fits(p, &head) || page_nodes(&head) == 0)
        return pages_damaged(p, number, "its head is impossible");
    return OK;
}

static int check_node(struct walk *w, uint64_t number, bool is_leaf, uint32_t i,
                      const struct node *node, const struct range *range)
{
    bool has_key = node->head.key_size == sizeof(node->key);

    if (!has_key && (is_leaf || i > 0)) /* a branch's first key is of no use */
        return pages_damaged(w->p, number, "a key has an impossible size");
    if (is_leaf && (node->head.flags & ~NODE_BIG))
        return pages_damaged(w->p, number, "a node has impossible flags");
    if ((is_leaf || i > 0) &&
        (node->key < range->low || node->key > range->high || node->key == UINT64_MAX))
        return pages_damaged(w->p, number, "a key is out of order");
    return OK;
}

static int take_value(struct walk *w, uint64_t number, const struct node *node)
{
    int rc = OK;

    if (node->head.flags & NODE_BIG) {
        if ((rc = pages_read_big(w->p, node, true)) < 0)
            return rc;
        w->counted.overflow_pages += page_head_of(w->p->value.mem).overflow_pages;
    }
    w->counted.entries++;
    return w->on_value ? w->on_value(w->p, number, pages_value(w->p, node)) : OK;
}

static int walk_page(struct walk *w, uint64_t number, unsigned level,
                     struct range range)
{
    struct pages *p = w->p;
    uint8_t *page = p->levels.mem + level * p->page_size;
    bool is_leaf = level + 1 == w->tree->depth;
    struct page_head head;
    size_t sum = 0;
    int rc;

    if (number < FIRST_PAGE || number >= p->count || number > p->meta.last_page)
        return pages_damaged(p, number, "it lies outside of the file");
    if (pages_bit(p->used, number))
        return pages_damaged(p, number, "it is used twice");
    p->used[number / 8] |= (uint8_t)(1 << number % 8);
    if ((rc = pages_read(p, number, page, p->page_size)) < 0 ||
        (rc = check_head(w, number, page, is_leaf)) < 0)
        return rc;
    head = page_head_of(page);
    *(is_leaf ? &w->counted.leaf_pages : &w->counted.branch_pages) += 1;
    for (uint32_t i = 0; i < page_nodes(&head); i++) {
        struct node node, next;
        struct range below;

        if (!page_node(p, page, is_leaf, i, &node))
            return pages_damaged(p, number, "a node reaches out of it");
        if ((rc = check_node(w, number, is_leaf, i, &node, &range)) < 0)
            return rc;
        sum += node.size;
        if (is_leaf) {
            range.low = node.key + 1;
            rc = take_value(w, number, &node);
        } else {
            below.low = i > 0 ? node.key : range.low;
            below.high = range.high;
            if (i + 1 < page_nodes(&head) && page_node(p, page, false, i + 1, &next))
                below.high = next.key - 1;
            range.low = below.low + 1;
            rc = walk_page(w, node.page, level + 1, below);
        }
        if (rc < 0)
            return rc;
    }
    return sum == p->page_size - head.upper
               ? OK
               : pages_damaged(p, number, "its nodes overlap or leave gaps");
}

/* A root that points to an older page leads to a tree that is sound, too. */
static bool is_as_large(const struct tree *said, const struct tree *counted)
{
    return said->branch_pages == counted->branch_pages &&
           said->leaf_pages == counted->leaf_pages &&
           said->overflow_pages == counted->overflow_pages &&
           said->entries == counted->entries;
}

static int walk_tree(struct pages *p, const struct tree *tree,
                     int (*on_value)(struct pages *p, uint64_t page,
                                     struct slice value))
{
    struct walk w = {.p = p, .tree = tree, .on_value = on_value};
    int rc = OK;

    if (tree->root == NO_PAGE && p->meta.transaction == 0)
        return OK; /* a new file's has no kind before the first commit */
    if ((tree->flags & ~TREE_NO_SUBDIR) != TREE_INTEGER_KEY)
        return pages_damaged(p, 0, "a tree is of another kind");
    if (tree->root == NO_PAGE ? tree->depth != 0
                              : tree->depth == 0 || tree->depth > LEVELS)
        return pages_damaged(p, 0, "a tree has an impossible depth");
    if (tree->root != NO_PAGE)
        rc = walk_page(&w, tree->root, 0, (struct range){.low = 0, .high = UINT64_MAX});
    if (rc == OK && !is_as_large(tree, &w.counted))
        return pages_damaged(p, tree->root, "a tree is larger or smaller than it says");
    return rc;
}

/* The pages that one transaction freed: their number, then the pages, descending. */
static int take_free_pages(struct pages *p, uint64_t number, struct slice value)
{
    uint64_t count, page, last = UINT64_MAX;

    if (value.size < sizeof(count))
        return pages_damaged(p, number, "a list of free pages is too short");
    memcpy(&count, value.data, sizeof(count));
    if (count > value.size / sizeof(page) - 1)
        return pages_damaged(p, number, "a list of free pages is longer than it is");
    for (uint64_t i = 0; i < count; i++) {
        memcpy(&page, value.data + (i + 1) * sizeof(page), sizeof(page));
        if (page >= last || page < FIRST_PAGE || page > p->meta.last_page)
            return pages_damaged(p, number,
                                 "a list of free pages names an impossible one");
        last = page;
        p->free_count++;
        if (page >= p->count)
            continue; /* never written */
        if (pages_bit(p->free, page))
            return pages_damaged(p, page, "it is free twice");
        p->free[page / 8] |= (uint8_t)(1 << page % 8);
    }
    return OK;
}

int pages_check(struct pages *p)
{
    size_t size = LEVELS * p->page_size;
    uint64_t used = 0;
    int rc;

    if (!p->levels.mem && !buf_try_reserve(&p->levels, size))
        return ERR_NOMEM;
    if ((rc = walk_tree(p, &p->meta.free, take_free_pages)) < 0)
        return rc;
    p->knows_free = true;
    if ((rc = walk_tree(p, &p->meta.records, NULL)) < 0)
        return rc;
    for (uint64_t i = FIRST_PAGE; i < p->count; i++) {
        used += pages_bit(p->used, i);
        if (pages_bit(p->used, i) && pages_bit(p->free, i))
            return pages_damaged(p, i, "it is used and free");
    }
    if (FIRST_PAGE + used + p->free_count != p->meta.last_page + 1)
        return pages_damaged(p, p->meta.last_page, "pages are neither used nor free");
    return OK;
}
