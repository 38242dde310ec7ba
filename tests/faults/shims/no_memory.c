/* no_memory.c - chosen allocations find no memory.
 *
 * NO_MEMORY_FILE names a file of `struct orders`, which the test and all processes
 * under this library map: it says which calls fail, and counts them. What libraries
 * allocate before main() is left alone. Each of the first failures is told on standard
 * error, with its callers.
 *
 * With NO_MEMORY_OURS only calls out of the program itself count, none of libraries. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of the calls that count, the `first` fails and then each `step`-th, until `last`. */
struct orders {
    _Atomic int64_t first; /* 0: none at all, and none is counted */
    _Atomic int64_t last;
    _Atomic int64_t step;
    _Atomic int64_t least;   /* only blocks of so many bytes and more count */
    _Atomic int64_t process; /* only this one's; 0: any */
    _Atomic int64_t calls;
    _Atomic int64_t failed;
};

#define TOLD 40

static struct orders *orders;
static uintptr_t own_start, own_end; /* the program's code, if only that counts */
static __thread int busy __attribute__((tls_model("initial-exec")));

static int find_program(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size;
    (void)user;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type == PT_LOAD && p->p_flags & PF_X) {
            own_start = info->dlpi_addr + p->p_vaddr;
            own_end = own_start + p->p_memsz;
        }
    }
    return 1; /* the first object is the program */
}

static void begin(void)
{
    const char *name = getenv("NO_MEMORY_FILE");
    int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    void *mapped = MAP_FAILED, *here[1];

    if (fd >= 0) {
        mapped = mmap(NULL, sizeof(*orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    backtrace(here, 1); /* the first one allocates */
    if (getenv("NO_MEMORY_OURS"))
        dl_iterate_phdr(find_program, NULL);
    if (mapped != MAP_FAILED)
        orders = mapped;
}

/* The last thing before main(): the libraries are ready. */
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv,
                      void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
                      void *stack_end)
{
    __typeof__(__libc_start_main) *real;

    *(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
    begin();
    return real(main, argc, argv, init, fini, rtld_fini, stack_end);
}

static void tell(int64_t call, size_t size)
{
    void *callers[16];
    char line[96];
    int n = snprintf(line, sizeof(line), "no_memory: call %lld, %zu bytes\n",
                     (long long)call, size);

    if (write(STDERR_FILENO, line, (size_t)n) == n)
        backtrace_symbols_fd(callers, backtrace(callers, 16), STDERR_FILENO);
}

static int fails(size_t size, uintptr_t caller)
{
    int64_t call, first;

    if (!orders || busy || (first = orders->first) == 0 ||
        (int64_t)size < orders->least ||
        (orders->process && orders->process != getpid()) ||
        (own_end && (caller < own_start || caller >= own_end)))
        return 0;
    call = ++orders->calls;
    if (call < first || call > orders->last || (call - first) % orders->step != 0)
        return 0;
    busy = 1;
    if (orders->failed++ < TOLD)
        tell(call, size);
    busy = 0;
    errno = ENOMEM;
    return 1;
}

#define CALLER ((uintptr_t)__builtin_return_address(0))

#define REAL(result, name, ...)                                                        \
    static result (*real)(__VA_ARGS__);                                                \
    if (!real)                                                                         \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

void *malloc(size_t size)
{
    REAL(void *, malloc, size_t);

    return fails(size, CALLER) ? NULL : real(size);
}

void *calloc(size_t count, size_t size)
{
    REAL(void *, calloc, size_t, size_t);

    return fails(count * size, CALLER) ? NULL : real(count, size);
}

void *realloc(void *block, size_t size)
{
    REAL(void *, realloc, void *, size_t);

    return fails(size, CALLER) ? NULL : real(block, size);
}

void *reallocarray(void *block, size_t count, size_t size)
{
    REAL(void *, reallocarray, void *, size_t, size_t);

    return fails(count * size, CALLER) ? NULL : real(block, count, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    REAL(void *, aligned_alloc, size_t, size_t);

    return fails(size, CALLER) ? NULL : real(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    REAL(int, posix_memalign, void **, size_t, size_t);

    return fails(size, CALLER) ? ENOMEM : real(out, alignment, size);
}
