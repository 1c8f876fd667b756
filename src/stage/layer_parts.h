/*
 * layer_parts - what the files of `layer` share; nobody else includes it. layer.c: what a layer is and says.
 * layer_make.c: making one.
 */
#ifndef UNPIN_STAGE_LAYER_PARTS_H
#define UNPIN_STAGE_LAYER_PARTS_H

#include "stage/layer.h"

#define LAYER_NEW S(".unpin-new")

/* True for what layer_make makes in the directory of a layer. */
bool layer_is_part(struct str name);

/* The files that make a virtual environment a layer. */
struct str layer_cfg_text(struct arena *arena, const struct environment *env);
struct str layer_pth_text(struct arena *arena, const struct environment *env);
struct str layer_pip_text(struct arena *arena, const struct environment *env);
/* pip's configuration `text` (empty: none) with the layer's lock in place of any other; as it is without a lock. */
struct str layer_pip_conf_text(struct arena *arena, const struct environment *env, struct str text);

#endif
