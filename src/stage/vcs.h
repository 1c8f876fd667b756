/*
 * vcs - requests that name a Git repository ("git+https://host/repo.git@rev#subdirectory=x", as pip writes them): the
 * URL taken apart, and a checkout of the revision by the program `git`.
 *
 * The checkout is shallow where the server gives the revision alone, and deepened (vcs_deepen) before a build that may
 * take its version from the history. No hook runs, nothing asks for a password on the terminal, and neither URL nor
 * revision can become an option. Submodules are fetched as pip does it, those beside the repository with its
 * credentials; those of a repository elsewhere cannot be files of this machine. Credentials are told git by its
 * environment: they are on no command line and in no file of the checkout.
 */
#ifndef UNPIN_STAGE_VCS_H
#define UNPIN_STAGE_VCS_H

#include "os/proc.h"

enum { VCS_TIMEOUT_MS = 15 * 60 * 1000, VCS_OUTPUT_MAX = 4 << 20 };

struct vcs_url {
    struct str repository;   /* "https://host/repo.git", for git; may hold credentials */
    struct str revision;     /* branch, tag or commit as asked for; empty: what the repository has as its HEAD */
    struct str subdirectory; /* of the tree to build; empty: its root */
    struct str name;         /* of the project, from #egg=; empty: not told */
};

/* True for git+…, hg+…, svn+… and bzr+…. */
bool vcs_is_url(struct str url);
/* ERR_REQUEST for what is not Git over https, http, ssh, git or file, and for parts that could deceive git or leave the
 * checkout. */
ERR_MUST_CHECK struct err *vcs_url_parse(struct arena *arena, struct str url, struct vcs_url *ret);
/* "git+REPOSITORY@COMMIT#subdirectory=…", without credentials unless `secrets`. */
struct str vcs_url_format(struct arena *arena, const struct vcs_url *url, struct str commit, bool secrets);

/* Checks the revision out into the empty directory `dir` and gives the commit's full name. ERR_REQUEST where there is
 * no such revision, ERR_NETWORK where git fails, ERR_IO where there is no git. */
ERR_MUST_CHECK struct err *vcs_checkout(struct arena *arena, const struct proc *proc, const struct vcs_url *url,
                                        struct str dir, struct str *ret);
/* Fetches the history and the tags of a checkout; does nothing where they are there. */
ERR_MUST_CHECK struct err *vcs_deepen(struct arena *arena, const struct proc *proc, const struct vcs_url *url,
                                      struct str dir);

#endif
