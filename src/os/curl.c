#include "os/curl.h"

#include "os/library.h"

#include <stddef.h>

#ifdef UNPIN_LIBRARIES_LINKED

bool curl_open(struct curl *ret) {
#define X(name) .name = (curl_##name),
    *ret = (struct curl){CURL_FUNCTIONS(X)};
#undef X
    library_guard_crypto();
    return true;
}

#else

bool curl_open(struct curl *ret) {
#define X(name) {"curl_" #name, offsetof(struct curl, name)},
    static const struct library_symbol symbols[] = {CURL_FUNCTIONS(X)};
#undef X
    if (!library_open("libcurl.so.4", symbols, (int32_t)(sizeof symbols / sizeof *symbols), ret)) return false;
    library_guard_crypto();
    return true;
}

#endif
