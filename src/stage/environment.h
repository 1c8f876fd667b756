/*
 * environment - what a plan is made for: the distributions in the interpreter's site directories, its marker values and
 * its wheel tags. Plain data; `scan` reads it from a machine, `snapshot` from a file, `catalog` from an image's entry.
 */
#ifndef UNPIN_STAGE_ENVIRONMENT_H
#define UNPIN_STAGE_ENVIRONMENT_H

#include "base/map.h"
#include "pypa/metadata.h"
#include "pypa/tags.h"

/* How a distribution is described on disk. */
enum dist_form {
    DIST_INFO,
    DIST_EGG_INFO_DIR,
    DIST_EGG_INFO_FILE,
    DIST_EGG_LINK,
    DIST_LISTED /* name==version only */
};

/* Why a distribution counts as a vendor build (bits). No configured index can give it again. */
enum vendor_reason {
    VENDOR_LOCAL_VERSION = 1, /* a local version: +nv25.04 */
    VENDOR_URL_GONE = 4,      /* direct_url.json names a path that is gone */
    VENDOR_NOT_ON_INDEX = 8,  /* the index has the project but not this version, or not the project */
    VENDOR_LOCAL_BUILD = 32, /* its WHEEL has a plain linux_… tag, which no index takes: built by the vendor, or here */
    VENDOR_LISTED = 16,      /* the catalog says so */
};

/* How a description on disk looked when it was read: what tells whether it is still the same. */
struct dist_look {
    int64_t inode, mtime_ns;          /* of the dist-info directory; 0 for other forms */
    int64_t file_size, file_mtime_ns; /* of METADATA or PKG-INFO */
    bool settled; /* its times were old enough that a later change has another time (SCAN_CACHE_SETTLED_NS) */
};

/* One installed distribution. */
struct dist {
    struct str name;     /* normalized */
    struct str raw_name; /* as its metadata have it */
    struct version version;
    bool version_valid;       /* false: `version.text` is no PEP 440 version; only `===` can match it */
    struct metadata metadata; /* requires_dist and so on; empty unless metadata_known */
    bool metadata_known;      /* false: nothing is known of what it requires (vendor builds of the catalog) */
    enum dist_form form;
    int32_t site;        /* position in environment.sites; -1 in snapshots without sites */
    struct str info_dir; /* file name of the dist-info or egg-info within the site directory */
    bool shadowed;       /* an earlier site directory has the same project: not what Python imports */
    bool editable;
    bool system;              /* owned by the system's package manager: can be shadowed, not uninstalled */
    struct str direct_url;    /* from direct_url.json (PEP 610); empty: none */
    struct str direct_commit; /* the same, of a repository; empty: none */
    struct str installer;     /* INSTALLER; empty: none */
    bool requested;           /* REQUESTED (PEP 376) is there */
    uint32_t vendor;          /* bits of vendor_reason; 0: not a vendor build */
    struct dist_look look;    /* zero where it was not read from a machine */
};

/* A layer: a virtual environment over another environment, which stays as it is and is seen through it. */
struct environment_layer {
    struct str of;           /* interpreter of the environment below; empty: this is no layer */
    bool coming;             /* nothing of it is there yet: `layer_make` makes it */
    struct str base_python;  /* the interpreter that is no link of a virtual environment */
    struct str below_prefix; /* of a layer that is coming: sys.prefix of the environment below */
    bool system_too;         /* it sees the interpreter's own site directories */
    const struct str
        *below; /* where one virtual environment lies over another: the site directories of the lower one */
    int32_t below_len;
    /* Where its lock was copied from ("PIP_CONSTRAINT"); empty: it has none of its own. Of a layer that is coming: as
     * the environment below has it, until layer_lock. */
    struct str lock_source;
};

struct environment {
    struct str python; /* path of the interpreter; empty for snapshots and images */
    struct str prefix; /* sys.prefix */
    struct str image;  /* name of the image if known: "ngc-pytorch:25.04"; empty: none */
    struct str ngc;    /* release of the NGC image, "25.04"; empty: none */
    struct environment_layer layer;
    struct marker_env markers;
    struct tags tags;
    struct tags_input tags_input; /* what `tags` was made from, for snapshots */
    const struct str *sites;      /* site directories, in sys.path order, absolute */
    int32_t sites_len;
    struct str purelib, platlib, scripts, data, headers; /* install scheme; empty for snapshots,
 and where the scan left it out */
    bool externally_managed;                             /* an EXTERNALLY-MANAGED file is there (PEP 668) */
    const struct dist *dists; /* sorted by name; within a name the one that is imported comes first */
    int32_t dists_len;
    struct map by_name;         /* normalized name to position of the effective (not shadowed) distribution */
    int64_t image_date;         /* seconds since 1970, the newest upload among what is locked; INT64_MIN: not known */
    struct str facts;           /* what the interpreter said of itself, as it said it; empty unless it was asked */
    struct str state;           /* text: the sorted names, versions, sites and RECORD identities; empty for snapshots */
    struct str fingerprint;     /* where it is known already; environment_fingerprint gives it for all */
    const struct str *problems; /* sentences: broken metadata and the like, survived */
    int32_t problems_len;
};

/* Hex SHA-256 over the state. Made when it is asked for: starting OpenSSL takes longer than reading the environment. */
struct str environment_fingerprint(struct arena *arena, const struct environment *env);

/* The interpreter that can be run already: of a layer that is coming, the one below. */
struct str environment_runs(const struct environment *env);

/* The effective distribution of a normalized name, or NULL. */
const struct dist *environment_find(const struct environment *env, struct str name);

/* True if a scan of the same machine found in `now` what an earlier one found in `then`: the same interpreter, the same
 * distributions at the same places, each with the description that it had, by the times of its dist-info directory and
 * of METADATA (not by inodes: overlayfs may give a directory another one). */
bool environment_is_still(const struct environment *now, const struct environment *then);

/* Sorts `dists` as `environment.dists` wants, sets `shadowed` and `by_name`. For the stages that build an environment.
 */
void environment_seal(struct arena *arena, struct environment *env, struct dist *dists, int32_t len);

#endif
