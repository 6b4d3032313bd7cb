// Arrays in files to times of a loop compiled by the C compiler; spoken to in lines, as src/suite/worker.rs describes.
// `job.h` is made from a definition: the arrays by name, their files, and `body`; ENGINE is the name that results are filed under.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long n;
static int threads;

static void *aligned(size_t bytes) {
    void *array = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!array) abort();
    memset(array, 1, bytes);
    return array;
}

static void *from_file(const char *directory, const char *name, size_t bytes) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.bin", directory, name);
    void *array = aligned(bytes);
    FILE *file = fopen(path, "rb");
    if (!file || fread(array, 1, bytes, file) != bytes) abort();
    fclose(file);
    return array;
}

static void to_file(const char *directory, const char *name, const void *array, size_t bytes) {
    char path[4096];
    snprintf(path, sizeof path, "%s/" ENGINE ".%s.bin", directory, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(array, 1, bytes, file) != bytes) abort();
    fclose(file);
}

#include "job.h"

static long long now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    n = atol(argv[2]);
    threads = atoi(argv[3]);
    load(argv[1]);
    long long start = now(CLOCK_MONOTONIC);
    body();
    printf("ready %lld\n", now(CLOCK_MONOTONIC) - start);
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        if (!strncmp(line, "check", 5)) {
            body();
            store(argv[1]);
            puts("checked");
        } else if (!strncmp(line, "run ", 4)) {
            clockid_t clock = threads > 1 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
            long times = atol(line + 4);
            for (long k = threads > 1 ? times / 2 : 0; k > 0; k--) body();
            long long start = now(clock);
            for (long k = times; k > 0; k--) body();
            printf("%lld\n", now(clock) - start);
        }
        fflush(stdout);
    }
    return 0;
}
