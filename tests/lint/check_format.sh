#!/bin/sh
# Every C file looks as clang-format, with the tree's .clang-format, would write it.
find bench examples include src tests tools -name '*.[ch]' 2>/dev/null | sort |
    xargs clang-format-14 --dry-run -Werror 2>&1 |
    sed -n 's/^\([^ ]*:[0-9]*\):[0-9]*: .*/\1: run clang-format -i on this file/p' | uniq |
    grep . && exit 1 || exit 0
