/* Values with a form of their own, and the checks of some strings. */
#include "base/mem.h"
#include "base/num.h"
#include "io/path.h"
#include "server/config_kind.h"
#include "store/store.h"
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

/* --- bind --- */

static void release_bind(void *field)
{
    struct bind_addresses *bind = field;

    for (int i = 0; i < bind->count; i++) mem_free(bind->names[i]);
    bind->count = 0;
}

static bool set_bind(struct setting *setting, void *field, const struct span *argv, int argc)
{
    struct bind_addresses *bind = field;

    if (argc > CONFIG_BIND_MAX)
        return setting_refuse(setting, "Too many bind addresses specified.");
    release_bind(bind);
    for (int i = 0; i < argc; i++) bind->names[i] = config_copy_text(argv[i]);
    bind->count = argc;
    return true;
}

static void show_bind(const struct directive *directive, const void *field, struct buf *out)
{
    const struct bind_addresses *bind = field;

    (void)directive;
    for (int i = 0; i < bind->count; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : " ", bind->names[i]);
}

static void write_bind(const struct directive *directive, const void *field, struct buf *out)
{
    const struct bind_addresses *bind = field;

    buf_append_span(out, span_of_cstr(directive->name));
    if (bind->count == 0) buf_append_span(out, SPAN(" \"\""));
    for (int i = 0; i < bind->count; i++) {
        buf_append_char(out, ' ');
        config_append_word(out, span_of_cstr(bind->names[i]));
    }
    buf_append_char(out, '\n');
}

static void copy_bind(void *to, const void *from)
{
    struct bind_addresses *copy = to;
    const struct bind_addresses *bind = from;

    copy->count = bind->count;
    for (int i = 0; i < bind->count; i++)
        copy->names[i] = config_copy_text(span_of_cstr(bind->names[i]));
}

const struct config_kind bind_kind = {.size = sizeof(struct bind_addresses),
                                      .set = set_bind,
                                      .show = show_bind,
                                      .write = write_bind,
                                      .copy = copy_bind,
                                      .release = release_bind};

/* --- client-output-buffer-limit --- */

static const char *const class_words[OUTPUT_CLASSES] = {"normal", "slave", "pubsub"};

static int output_class(struct span word)
{
    for (int class = 0; class < OUTPUT_CLASSES; class ++)
        if (span_is(word, class_words[class])) return class;
    return span_is(word, "replica") ? OUTPUT_REPLICA : -1;
}

static bool set_output_limits(struct setting *setting, void *field, const struct span *argv,
                              int argc)
{
    struct output_limits limits = *(struct output_limits *)field;

    if (argc % 4 != 0)
        return setting_refuse(setting, "Wrong number of arguments in buffer limit configuration.");
    for (int i = 0; i < argc; i += 4) {
        int class = output_class(argv[i]);
        struct output_limit limit;

        if (class < 0)
            return setting_refuse(setting,
                                  "Invalid client class specified in buffer limit configuration.");
        if (!num_parse_memory(argv[i + 1], &limit.hard_bytes) ||
            !num_parse_memory(argv[i + 2], &limit.soft_bytes) ||
            !num_parse_int64(argv[i + 3], &limit.soft_seconds) || limit.soft_seconds < 0)
            return setting_refuse(
                setting,
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.");
        limits.of[class] = limit;
    }
    *(struct output_limits *)field = limits;
    return true;
}

static void show_output_limit(const struct output_limits *limits, int class, struct buf *out)
{
    const struct output_limit *limit = &limits->of[class];

    buf_printf(out, "%s %" PRIu64 " %" PRIu64 " %" PRId64, class_words[class], limit->hard_bytes,
               limit->soft_bytes, limit->soft_seconds);
}

static void show_output_limits(const struct directive *directive, const void *field,
                               struct buf *out)
{
    (void)directive;
    for (int class = 0; class < OUTPUT_CLASSES; class ++) {
        if (class > 0) buf_append_char(out, ' ');
        show_output_limit(field, class, out);
    }
}

static void write_output_limits(const struct directive *directive, const void *field,
                                struct buf *out)
{
    for (int class = 0; class < OUTPUT_CLASSES; class ++) {
        buf_printf(out, "%s ", directive->name);
        show_output_limit(field, class, out);
        buf_append_char(out, '\n');
    }
}

const struct config_kind output_limits_kind = {.size = sizeof(struct output_limits),
                                               .set = set_output_limits,
                                               .show = show_output_limits,
                                               .write = write_output_limits};

/* --- oom-score-adj-values --- */

static bool set_oom_score_values(struct setting *setting, void *field, const struct span *argv,
                                 int argc)
{
    struct oom_score_values values;

    if (argc != 3) return setting_refuse(setting, "wrong number of arguments");
    for (int i = 0; i < 3; i++) {
        int64_t value;
        if (!num_parse_int64(argv[i], &value) || value < -2000 || value > 2000)
            return setting_refuse(
                setting, "Invalid oom-score-adj-values, elements must be between -2000 and 2000.");
        values.of[i] = (int)value;
    }
    *(struct oom_score_values *)field = values;
    return true;
}

static void show_oom_score_values(const struct directive *directive, const void *field,
                                  struct buf *out)
{
    const struct oom_score_values *values = field;

    (void)directive;
    buf_printf(out, "%d %d %d", values->of[0], values->of[1], values->of[2]);
}

const struct config_kind oom_score_values_kind = {.size = sizeof(struct oom_score_values),
                                                  .set = set_oom_score_values,
                                                  .show = show_oom_score_values};

/* --- save --- */

static void release_save(void *field)
{
    struct save_points *save = field;

    mem_free(save->points);
    *save = (struct save_points){0};
}

/* The first `save` of the configuration takes the place of the default, those behind it add up; "" empties the list.
 * At run time the value is the whole list. */
static bool set_save(struct setting *setting, void *field, const struct span *argv, int argc)
{
    struct save_points *save = field;
    bool adds = setting->at_start && setting->config->private->save_given && argc > 0;
    int given = argc / 2, kept = adds ? save->count : 0;
    struct save_point *points;

    if (argc % 2 != 0) return setting_refuse(setting, "Invalid save parameters");
    points = mem_alloc((size_t)(kept + given + 1) * sizeof *points);
    for (int i = 0; i < given; i++) {
        struct save_point *point = &points[kept + i];
        if (!num_parse_int64(argv[2 * i], &point->seconds) ||
            !num_parse_int64(argv[2 * i + 1], &point->changes) || point->seconds < 1 ||
            point->changes < 0) {
            mem_free(points);
            return setting_refuse(setting, "Invalid save parameters");
        }
    }
    if (kept > 0) memcpy(points, save->points, (size_t)kept * sizeof *points);
    release_save(save);
    *save = (struct save_points){points, kept + given};
    setting->config->private->save_given = setting->at_start;
    return true;
}

static void show_save(const struct directive *directive, const void *field, struct buf *out)
{
    const struct save_points *save = field;

    (void)directive;
    for (int i = 0; i < save->count; i++)
        buf_printf(out, "%s%" PRId64 " %" PRId64, i == 0 ? "" : " ", save->points[i].seconds,
                   save->points[i].changes);
}

static void write_save(const struct directive *directive, const void *field, struct buf *out)
{
    const struct save_points *save = field;

    if (save->count == 0) buf_printf(out, "%s \"\"\n", directive->name);
    for (int i = 0; i < save->count; i++)
        buf_printf(out, "%s %" PRId64 " %" PRId64 "\n", directive->name, save->points[i].seconds,
                   save->points[i].changes);
}

static void copy_save(void *to, const void *from)
{
    const struct save_points *save = from;
    struct save_points *copy = to;

    *copy = (struct save_points){mem_alloc((size_t)(save->count + 1) * sizeof *copy->points),
                                 save->count};
    if (save->count > 0)
        memcpy(copy->points, save->points, (size_t)save->count * sizeof *copy->points);
}

const struct config_kind save_kind = {.size = sizeof(struct save_points),
                                      .set = set_save,
                                      .show = show_save,
                                      .write = write_save,
                                      .copy = copy_save,
                                      .release = release_save};

/* --- dir: the working directory of the process, kept as an absolute path --- */

/* Enters the folder and appends where it is; a dry run only finds that out, from the folder that it
 * stands for. 0 or -errno. */
static int enter_folder(const struct setting *setting, const char *given, struct buf *where)
{
    char *path;
    int status;

    if (!setting->dry) {
        status = path_enter(given);
        return status < 0 ? status : path_working_folder(where);
    }
    path = config_path(setting->config, given);
    status = path_is_folder(path);
    if (status == 0) status = path_real(path, where);
    mem_free(path);
    return status;
}

static bool set_dir(struct setting *setting, void *field, const struct span *argv, int argc)
{
    char *given = config_copy_text(argv[0]);
    struct buf where = {0};
    int status = enter_folder(setting, given, &where);

    (void)argc;
    mem_free(given);
    if (status == 0) {
        mem_free(*(char **)field);
        *(char **)field = config_copy_text(buf_span(&where));
    }
    buf_release(&where);
    return status == 0 || setting_refuse(setting, "%s", strerror(-status));
}

static void restored_dir(const void *field)
{
    path_enter(*(char *const *)field); /* it was the working directory a moment ago */
}

const struct config_kind dir_kind = {.size = sizeof(char *),
                                     .set = set_dir,
                                     .show = string_show,
                                     .write = string_write,
                                     .copy = string_copy,
                                     .release = string_release,
                                     .restored = restored_dir,
                                     .always_written = true};

/* --- replicaof --- */

static bool set_replicaof(struct setting *setting, void *field, const struct span *argv, int argc)
{
    struct primary_address *primary = field;
    int64_t port = 0;
    struct span host;

    if (argc != 2) return setting_refuse(setting, "wrong number of arguments");
    host = argv[0];
    if (span_is(argv[0], "no") && span_is(argv[1], "one")) host = span_of("", 0);
    else if (!num_parse_int64(argv[1], &port) || port < 0 || port > 65535)
        return setting_refuse(setting, "Invalid master port");
    mem_free(primary->host);
    *primary = (struct primary_address){config_copy_text(host), (int)port};
    return true;
}

static void show_replicaof(const struct directive *directive, const void *field, struct buf *out)
{
    const struct primary_address *primary = field;

    (void)directive;
    if (primary->host[0] != '\0') buf_printf(out, "%s %d", primary->host, primary->port);
}

static void write_replicaof(const struct directive *directive, const void *field, struct buf *out)
{
    const struct primary_address *primary = field;

    if (primary->host[0] == '\0') return;
    buf_printf(out, "%s ", directive->name);
    config_append_word(out, span_of_cstr(primary->host));
    buf_printf(out, " %d\n", primary->port);
}

static void copy_replicaof(void *to, const void *from)
{
    const struct primary_address *primary = from;

    *(struct primary_address *)to =
        (struct primary_address){config_copy_text(span_of_cstr(primary->host)), primary->port};
}

static void release_replicaof(void *field)
{
    struct primary_address *primary = field;

    mem_free(primary->host);
    primary->host = NULL;
}

const struct config_kind replicaof_kind = {.size = sizeof(struct primary_address),
                                           .set = set_replicaof,
                                           .show = show_replicaof,
                                           .write = write_replicaof,
                                           .copy = copy_replicaof,
                                           .release = release_replicaof};

/* --- latency-tracking-info-percentiles --- */

static void release_percentiles(void *field)
{
    struct percentiles *percentiles = field;

    mem_free(percentiles->of);
    *percentiles = (struct percentiles){0};
}

static bool set_percentiles(struct setting *setting, void *field, const struct span *argv, int argc)
{
    struct percentiles *percentiles = field;
    double *values = mem_alloc(((size_t)argc + 1) * sizeof *values);
    const char *why = NULL;

    for (int i = 0; i < argc && why == NULL; i++) {
        if (!num_parse_double(argv[i], &values[i]))
            why = "Invalid latency-tracking-info-percentiles parameters";
        else if (values[i] < 0 || values[i] > 100)
            why = "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
    }
    if (why != NULL) {
        mem_free(values);
        return setting_refuse(setting, "%s", why);
    }
    release_percentiles(percentiles);
    *percentiles = (struct percentiles){values, argc};
    return true;
}

static void show_percentiles(const struct directive *directive, const void *field, struct buf *out)
{
    const struct percentiles *percentiles = field;

    (void)directive;
    for (int i = 0; i < percentiles->count; i++) {
        if (i > 0) buf_append_char(out, ' ');
        buf_printf(out, "%f", percentiles->of[i]);
        while (out->ptr[out->len - 1] == '0') out->len--;
        if (out->ptr[out->len - 1] == '.') out->len--;
    }
}

static void copy_percentiles(void *to, const void *from)
{
    const struct percentiles *percentiles = from;
    size_t size = ((size_t)percentiles->count + 1) * sizeof *percentiles->of;
    struct percentiles copy = {mem_alloc(size), percentiles->count};

    for (int i = 0; i < copy.count; i++) copy.of[i] = percentiles->of[i];
    *(struct percentiles *)to = copy;
}

const struct config_kind percentiles_kind = {.size = sizeof(struct percentiles),
                                             .set = set_percentiles,
                                             .show = show_percentiles,
                                             .copy = copy_percentiles,
                                             .release = release_percentiles};

/* --- notify-keyspace-events --- */

static const struct {
    char letter;
    unsigned bits;
} event_letters[] = {
    /* in the order in which they are shown */
    {'g', EVENT_GENERIC},  {'$', EVENT_STRING},   {'l', EVENT_LIST},    {'s', EVENT_SET},
    {'h', EVENT_HASH},     {'z', EVENT_ZSET},     {'x', EVENT_EXPIRED}, {'e', EVENT_EVICTED},
    {'t', EVENT_STREAM},   {'d', EVENT_MODULE},   {'n', EVENT_NEW},     {'K', EVENT_KEYSPACE},
    {'E', EVENT_KEYEVENT}, {'m', EVENT_KEY_MISS},
};
#define EVENT_LETTERS ((int)(sizeof event_letters / sizeof *event_letters))
/* 'A': all but key misses and new keys, which must be asked for by name. */
#define EVENT_ALL                                                                                  \
    ((unsigned)(EVENT_GENERIC | EVENT_STRING | EVENT_LIST | EVENT_SET | EVENT_HASH | EVENT_ZSET |  \
                EVENT_EXPIRED | EVENT_EVICTED | EVENT_STREAM | EVENT_MODULE))

static bool set_notify_events(struct setting *setting, void *field, const struct span *argv,
                              int argc)
{
    unsigned events = 0;

    (void)argc;
    for (size_t i = 0; i < argv[0].len; i++) {
        char letter = argv[0].ptr[i];
        int at = 0;

        while (at < EVENT_LETTERS && event_letters[at].letter != letter) at++;
        if (letter == 'A') events |= EVENT_ALL;
        else if (at < EVENT_LETTERS) events |= event_letters[at].bits;
        else
            return setting_refuse(setting, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    }
    *(unsigned *)field = events;
    return true;
}

static void append_letters(unsigned events, unsigned all, struct buf *out)
{
    if ((events & EVENT_ALL) == EVENT_ALL) {
        buf_append_char(out, 'A');
        events &= ~all;
    }
    for (int i = 0; i < EVENT_LETTERS; i++)
        if (events & event_letters[i].bits) buf_append_char(out, event_letters[i].letter);
}

/* 'A' hides 'n' from CONFIG GET, as in 7.0; a file must have it. */
static void show_notify_events(const struct directive *directive, const void *field,
                               struct buf *out)
{
    (void)directive;
    append_letters(*(const unsigned *)field, EVENT_ALL | EVENT_NEW, out);
}

static void write_notify_events(const struct directive *directive, const void *field,
                                struct buf *out)
{
    buf_printf(out, "%s \"", directive->name);
    append_letters(*(const unsigned *)field, EVENT_ALL, out);
    buf_append_span(out, SPAN("\"\n"));
}

const struct config_kind notify_events_kind = {.size = sizeof(unsigned),
                                               .set = set_notify_events,
                                               .show = show_notify_events,
                                               .write = write_notify_events};

/* --- checks of strings --- */

static bool refuse(char why[static CONFIG_WHY_MAX], const char *text)
{
    snprintf(why, CONFIG_WHY_MAX, "%s", text);
    return false;
}

bool check_dbfilename(const char *value, char why[static CONFIG_WHY_MAX])
{
    return strchr(value, '/') == NULL || refuse(why, "dbfilename can't be a path, just a filename");
}

bool check_appendfilename(const char *value, char why[static CONFIG_WHY_MAX])
{
    if (value[0] == '\0') return refuse(why, "appendfilename can't be empty");
    return strchr(value, '/') == NULL ||
           refuse(why, "appendfilename can't be a path, just a filename");
}

bool check_appenddirname(const char *value, char why[static CONFIG_WHY_MAX])
{
    if (value[0] == '\0') return refuse(why, "appenddirname can't be empty");
    return strchr(value, '/') == NULL ||
           refuse(why, "appenddirname can't be a path, just a dirname");
}

/* Something, with braces only around known variables. */
bool check_proc_title_template(const char *value, char why[static CONFIG_WHY_MAX])
{
    static const char *const variables[] = {"title",    "listen-addr", "server-mode", "port",
                                            "tls-port", "unixsocket",  "config-file"};
    bool good = value[0] != '\0';

    for (; good && *(value += strcspn(value, "{}")) != '\0'; value++) {
        size_t len = strcspn(value + 1, "{}");
        bool is_known = false;

        for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
            if (strlen(variables[i]) == len && memcmp(variables[i], value + 1, len) == 0)
                is_known = true;
        good = is_known && value[0] == '{' && value[1 + len] == '}';
        if (good) value += len + 1;
    }
    return good || refuse(why, "template format is invalid or contains unknown variables");
}

bool check_cluster_announce_hostname(const char *value, char why[static CONFIG_WHY_MAX])
{
    if (strlen(value) >= 256) return refuse(why, "Hostnames must be less than 256 characters");
    for (; *value != '\0'; value++)
        if (!isascii((unsigned char)*value) ||
            !(isalnum((unsigned char)*value) || *value == '-' || *value == '.'))
            return refuse(why,
                          "Hostnames may only contain alphanumeric characters, hyphens or dots");
    return true;
}
