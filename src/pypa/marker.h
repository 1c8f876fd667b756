/*
 * marker - environment markers (PEP 508, PyPA specification "Dependency specifiers"). Pure.
 */
#ifndef UNPIN_PYPA_MARKER_H
#define UNPIN_PYPA_MARKER_H

#include "pypa/specifier.h"

enum { MARKER_DEPTH_MAX = 64, MARKER_NODES_MAX = 4096 };

/* X(field, name in markers) */
#define MARKER_VARIABLES(X)                                                                                            \
    X(os_name, "os_name")                                                                                              \
    X(sys_platform, "sys_platform")                                                                                    \
    X(platform_machine, "platform_machine")                                                                            \
    X(platform_python_implementation, "platform_python_implementation")                                                \
    X(platform_release, "platform_release")                                                                            \
    X(platform_system, "platform_system")                                                                              \
    X(platform_version, "platform_version")                                                                            \
    X(python_version, "python_version")                                                                                \
    X(python_full_version, "python_full_version")                                                                      \
    X(implementation_name, "implementation_name")                                                                      \
    X(implementation_version, "implementation_version")

/* The marker values of an interpreter. */
struct marker_env {
#define X(field, name) struct str field;
    MARKER_VARIABLES(X)
#undef X
};

/* A parsed marker; NULL where a requirement has none. Opaque but for marker.c. */
struct marker;

/* Parses the text behind the `;`. ERR_MALFORMED, ERR_LIMIT. */
ERR_MUST_CHECK struct err *marker_parse(struct arena *arena, struct str text, const struct marker **ret);

struct scanner;
/* The same for a marker in the middle of a text: reads as far as it goes. */
ERR_MUST_CHECK struct err *marker_scan(struct scanner *scanner, const struct marker **ret);

/* The value of the marker with `extra` set to the (normalized) extra; {NULL, 0} for none, as pip does for a requirement
 * nobody asked for through an extra. NULL markers are true. `scratch` holds temporary memory. What
 * is not defined (`~=` of texts that are no versions) is false. */
bool marker_eval(struct arena *scratch, const struct marker *marker, const struct marker_env *env, struct str extra);

/* True if the marker mentions `extra` anywhere. */
bool marker_has_extra(const struct marker *marker);

/* Normal text, as `packaging` prints it. */
struct str marker_format(struct arena *arena, const struct marker *marker);

#endif
