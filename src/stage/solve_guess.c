/* Slots that are not known, but stand between two known ones that require the same. */
#include "base/arena.h"
#include "stage/solve_model.h"

/* Of what the release requires without extras and under extras that somebody asks for; in file order. */
static uint64_t signature(struct model *model, const struct node *node, const struct metadata *metadata) {
    const struct marker_env *markers = &model->input->env->markers;
    uint64_t hash = str_hash(metadata->requires_python_text);
    for (int32_t i = 0; i < metadata->requires_len; i++) {
        const struct requirement *requirement = &metadata->requires_dist[i];
        bool active = marker_eval(model->arena, requirement->marker, markers, (struct str){0});
        for (ptrdiff_t e = 0; !active && e < node->extras.len; e++)
            active = marker_eval(model->arena, requirement->marker, markers, node->extras.data[e].name);
        if (active) hash = (hash ^ str_hash(requirement->text)) * 0x100000001b3u;
    }
    return hash;
}

struct runs model_gaps(struct model *model, const struct node *node) {
    struct runs gaps = {0};
    bool walks = node->installed < 0 || node->requested;
    if (!model->input->guess || model->input->known_only || !walks || node->fixed || node->slots_len < 3) return gaps;
    const struct project *project = &model->pool->projects.data[node->project];
    int32_t last = -1;
    uint64_t last_signature = 0;
    for (int32_t k = 0; k < node->slots_len; k++) {
        const struct release *release = &project->releases[node->slots[k]];
        if (release->meta_state != META_KNOWN || !release->metadata) continue;
        uint64_t now = signature(model, node, release->metadata);
        if (last >= 0 && k - last > 1 && now == last_signature)
            *vec_push(model->arena, &gaps.list) = (struct run){last + 1, k};
        last = k;
        last_signature = now;
    }
    return gaps;
}
