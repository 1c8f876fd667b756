#include "os/library.h"

#include "base/arena.h"

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

bool library_open(const char *file, const struct library_symbol *symbols, int32_t len, void *table) {
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library) return false;
    for (int32_t i = 0; i < len; i++) {
        void *address = dlsym(library, symbols[i].name);
        if (!address) return false;
        /* By memcpy: C has no conversion from a pointer to an object into one to a function. */
        memcpy((char *)table + symbols[i].offset, &address, sizeof address);
    }
    return true;
}

static void *crypto_malloc(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return arena_library_malloc(size);
}

static void *crypto_realloc(void *old, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return arena_library_realloc(old, size);
}

static void crypto_free(void *memory, const char *file, int line) {
    (void)file;
    (void)line;
    free(memory);
}

void library_guard_crypto(void) {
#ifdef UNPIN_LIBRARIES_LINKED
    __typeof__(CRYPTO_set_mem_functions) *set = CRYPTO_set_mem_functions;
#else
    __typeof__(CRYPTO_set_mem_functions) *set = NULL;
    /* Opened already, by us or as a part of libcurl, or not needed. */
    void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_NOLOAD);
    void *address = library ? dlsym(library, "CRYPTO_set_mem_functions") : NULL;
    if (!address) return;
    memcpy(&set, &address, sizeof address);
#endif
    (void)set(crypto_malloc, crypto_realloc, crypto_free);
}
