/*
 * replay - feeds every file of the folders named on the command line to a fuzz harness, in order of their names, so
 * that inputs that once mattered are run by every check and by any compiler.
 *
 * The last line is "N passed, 0 failed"; a harness that finds something ends the process.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20 };

static int is_visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* The bytes in a block of just their size, so that AddressSanitizer sees a read behind them. */
static int replay_file(const char *folder, const char *name) {
    static uint8_t bytes[INPUT_MAX];
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return -1;
    FILE *file = fopen(path, "rb");
    if (!file) return -1;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact) return -1;
    memcpy(exact, bytes, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

int main(int argc, char **argv) {
    int passed = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        struct dirent **entries;
        int count = scandir(argv[i], &entries, is_visible, alphasort);
        if (count <= 0) failed++;
        for (int j = 0; j < count; j++) {
            if (replay_file(argv[i], entries[j]->d_name) == 0) {
                passed++;
            } else {
                failed++;
                fprintf(stderr, "cannot read %s/%s\n", argv[i], entries[j]->d_name);
            }
            free(entries[j]);
        }
        if (count >= 0) free(entries);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed || !passed;
}
