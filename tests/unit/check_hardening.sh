#!/bin/bash
# check_hardening.sh PROGRAM - is it built as a daemon on the network should be?
set -u
program=$1
failed=0

# expect TEXT WORDS READELF-OPTION...
expect() {
    local what=$1 words=$2
    shift 2
    if ! readelf -W "$@" "$program" | grep -qE "$words"; then
        echo "$program: $what is missing"
        failed=1
    fi
}

expect 'position independence' 'Type: +DYN' -h
expect 'read-only relocations' 'GNU_RELRO' -l
expect 'binding at start' 'BIND_NOW|FLAGS.*NOW' -d
expect 'the stack protector' '__stack_chk_fail' --dyn-syms
expect 'checked string functions' '__[a-z]+_chk@' --dyn-syms
expect 'a stack that is not executable' 'GNU_STACK.* RW +0x' -l
expect 'assertions' '__assert_fail' -s

# refuse TEXT WORDS READELF-OPTION...
refuse() {
    local what=$1 words=$2
    shift 2
    if readelf -W "$@" "$program" | grep -qE "$words"; then
        echo "$program: there is $what"
        failed=1
    fi
}

refuse 'memory that is written and run' 'LOAD .* RWE ' -l
refuse 'a relocation in the code' 'TEXTREL' -d
refuse 'a search path that others may write to' '(RPATH|RUNPATH).*\[(.*:)?(/tmp|\.|:)' -d
exit $failed
