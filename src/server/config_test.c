#include "base/log.h"
#include "base/mem.h"
#include "io/file.h"
#include "server/config.h"
#include "server/config_kind.h"
#include "store/store.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct span text(const char *words)
{
    return span_of_cstr(words);
}

/* What CONFIG GET says of a directive; valid until the next call but three. */
static const char *shown(const struct config *config, const char *name)
{
    static char kept[4][1024];
    static int next;
    struct buf out = {0};
    char *copy = kept[next++ % 4];

    config_show(config, config_find(text(name)), &out);
    snprintf(copy, sizeof kept[0], "%.*s", (int)out.len, out.len == 0 ? "" : out.ptr);
    buf_release(&out);
    return copy;
}

#define SHOWS(config, name, expected) cr_assert_str_eq(shown(config, name), expected, "%s", name)

/* Loads a text; the reason why it was refused, or "". */
static const char *load(struct config *config, const char *lines)
{
    static char error[1024];
    struct buf out = {0};

    config_load_text(config, text(lines), NULL, CONFIG_LOAD_DRY, &out);
    snprintf(error, sizeof error, "%.*s", (int)out.len, out.len == 0 ? "" : out.ptr);
    buf_release(&out);
    return error;
}

static const struct config_caller anybody = {false, false};

/* CONFIG SET with words given as "name value name value"; the error, or "". */
static const char *set(struct config *config, const char *line)
{
    static char error[512];
    char copy[512], *rest;
    struct span argv[16];
    int argc = 0;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = text(word);
    return config_set(config, argv, argc, anybody, error) ? "" : error;
}

/* --- files ------------------------------------------------------------------------------------- */

Test(config, starts_with_the_defaults)
{
    struct config *config = config_new();
    struct buf none = {0};

    cr_assert_eq(config->port, 6379);
    cr_assert(config->protected_mode);
    cr_assert_eq(config->loglevel, LOG_LEVEL_NOTICE);
    cr_assert_str_eq(config->dbfilename, "dump.rdb");
    cr_assert_eq(config->client_output_buffer_limit.of[OUTPUT_REPLICA].soft_bytes, 64 << 20);
    cr_assert_eq(config->repl_log_disk_max, 0, "by what the file system can spare");
    cr_assert_not(config->repl_slow_writers);
    SHOWS(config, "save", "3600 1 300 100 60 10000");
    SHOWS(config, "bind", "* -::*");
    SHOWS(config, "replicaof", "");
    config_without_effect(config, &none);
    cr_assert_eq(none.len, 0);
    config_free(config);
}

Test(config, reads_lines_with_quotes_comments_units_and_any_case)
{
    struct config *config = config_new();

    cr_assert_str_eq(
        load(config,
             "# comment\n\n  PORT\t7000 \r\nrequirepass \"a \\x41\\n\"\nmasterauth 'it\\'s'\n"
             "maxmemory 2gb\nmaxmemory-clients 5%\nnotify-keyspace-events Kx\n"
             "unixsocketperm 700\nloglevel VERBOSE\nshutdown-on-sigterm save now\n"
             "slave-priority 7\nreplicaof localhost 6380\ntcp-backlog 10"),
        "");
    cr_assert_eq(config->port, 7000);
    cr_assert_str_eq(config->requirepass, "a A\n");
    cr_assert_str_eq(config->masterauth, "it's");
    cr_assert_eq(config->maxmemory, UINT64_C(2) << 30);
    cr_assert_eq(config->maxmemory_clients, -5);
    cr_assert_eq(config->notify_keyspace_events, EVENT_KEYSPACE | EVENT_EXPIRED);
    cr_assert_eq(config->unixsocketperm, 0700);
    cr_assert_eq(config->loglevel, LOG_LEVEL_VERBOSE);
    cr_assert_eq(config->shutdown_on_sigterm, SHUTDOWN_SAVE | SHUTDOWN_NOW);
    cr_assert_eq(config->replica_priority, 7);
    cr_assert_str_eq(config->replicaof.host, "localhost");
    cr_assert_eq(config->replicaof.port, 6380);
    cr_assert_eq(config->tcp_backlog, 10);
    config_free(config);
}

Test(config, names_the_line_that_it_refuses)
{
    static const struct {
        const char *lines, *error;
    } cases[] = {
        {"port 1\n\n  hz  x \n",
         "line 3\n>>> 'hz  x'\nargument couldn't be parsed into an integer\n"},
        {"nosuch 1", "line 1\n>>> 'nosuch 1'\nBad directive or wrong number of arguments\n"},
        {"port", "line 1\n>>> 'port'\nwrong number of arguments\n"},
        {"port 1 2", "line 1\n>>> 'port 1 2'\nwrong number of arguments\n"},
        {"port 65536",
         "line 1\n>>> 'port 65536'\nargument must be between 0 and 65535 inclusive\n"},
        {"port \"1", "line 1\n>>> 'port \"1'\nUnbalanced quotes in configuration line\n"},
        {"appendonly maybe", "line 1\n>>> 'appendonly maybe'\nargument must be 'yes' or 'no'\n"},
        {"save 1", "line 1\n>>> 'save 1'\nInvalid save parameters\n"},
        {"replicaof a b", "line 1\n>>> 'replicaof a b'\nInvalid master port\n"},
        {"rename-command nosuch x",
         "line 1\n>>> 'rename-command nosuch x'\nNo such command in rename-command\n"},
        {"user a on\nuser \"a\" off",
         "line 2\n>>> 'user \"a\" off'\nError in user declaration 'a': Duplicate user "
         "found. A user can only be defined once in config files\n"},
        {"sentinel x", "line 1\n>>> 'sentinel x'\nsentinel directive while not in sentinel mode\n"},
        {"dir /no/such/folder", "line 1\n>>> 'dir /no/such/folder'\nNo such file or directory\n"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config *config = config_new();
        char whole[512];

        snprintf(whole, sizeof whole,
                 "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration "
                 "file, at %s",
                 cases[i].error);
        cr_assert_str_eq(load(config, cases[i].lines), whole);
        config_free(config);
    }
}

Test(config, a_cluster_node_is_no_replica_by_configuration)
{
    struct config *config = config_new();

    cr_assert_str_eq(load(config, "replicaof a 1\ncluster-enabled yes"),
                     "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n"
                     "replicaof directive not allowed in cluster mode\n");
    config_free(config);
}

Test(config, save_lines_add_up_once_the_default_is_gone)
{
    struct config *config = config_new();

    load(config, "save 900 1\nsave 300 10 60 1000\n");
    SHOWS(config, "save", "900 1 300 10 60 1000");
    load(config, "save \"\"\nsave 5 5");
    SHOWS(config, "save", "5 5");
    cr_assert_str_eq(set(config, "save x"),
                     "ERR CONFIG SET failed (possibly related to argument 'save') - "
                     "Invalid save parameters");
    SHOWS(config, "save", "5 5");
    config_free(config);
}

Test(config, a_file_that_includes_itself_is_refused)
{
    struct config *config = config_new();
    struct buf error = {0};
    char path[] = "/tmp/config_test_XXXXXX", line[64];
    int fd = mkstemp(path);

    snprintf(line, sizeof line, "include %s\n", path);
    cr_assert_eq(file_write_all(fd, line, strlen(line)), 0);
    cr_assert_eq(config_load_text(config, text(line), NULL, CONFIG_LOAD_DRY, &error), CONFIG_BAD);
    buf_append_char(&error, '\0');
    cr_assert_not_null(strstr(error.ptr, "include goes too deep"));
    buf_release(&error);
    config_free(config);
    close(fd);
    unlink(path);
}

Test(config, settings_without_effect_are_named_when_they_are_set)
{
    struct config *config = config_new();
    struct buf names = {0};

    load(config, "cluster-node-timeout 5\ntimeout 5\n");
    config_without_effect(config, &names);
    cr_assert(span_equal(buf_span(&names), SPAN("cluster-node-timeout")), "%.*s", (int)names.len,
              names.ptr);
    buf_release(&names);
    config_free(config);
}

/* --- the command line -------------------------------------------------------------------------- */

/* Loads a command line; the line that was refused as the error shows it, or "". */
static const char *load_words(struct config *config, char *const *words)
{
    static char error[512];
    struct buf out = {0};
    int argc = 0;

    while (words[argc] != NULL) argc++;
    config_load(config, argc, words, NULL, CONFIG_LOAD_DRY, &out);
    snprintf(error, sizeof error, "%.*s", (int)out.len, out.len == 0 ? "" : out.ptr);
    buf_release(&out);
    return error;
}
#define WORDS(...) ((char *[]){"pando-server", __VA_ARGS__, NULL})
#define REFUSED_LINE(words, line)                                                                  \
    do {                                                                                           \
        struct config *config_ = config_new();                                                     \
        const char *error_ = load_words(config_, words);                                           \
        cr_assert_not_null(strstr(error_, "\n>>> '" line "'\n"), "%s", error_);                    \
        config_free(config_);                                                                      \
    } while (0)

Test(config, options_become_lines)
{
    struct config *config = config_new();

    cr_assert_str_eq(
        load_words(config, WORDS("--port", "7000", "--save", "1", "2", "--requirepass", "a \"b",
                                 "--maxmemory 700mb", "--loglevel", "debug",
                                 "--proc-title-template", "--my--title", "--shutdown-on-sigint",
                                 "nosave", "force", "now", "--replicaof", "127.0.0.1 6380")),
        "");
    cr_assert_eq(config->port, 7000);
    SHOWS(config, "save", "1 2");
    cr_assert_str_eq(config->requirepass, "a \"b");
    cr_assert_eq(config->maxmemory, UINT64_C(700) << 20);
    cr_assert_eq(config->loglevel, LOG_LEVEL_DEBUG);
    cr_assert_str_eq(config->proc_title_template, "--my--title");
    SHOWS(config, "shutdown-on-sigint", "nosave now force");
    cr_assert_eq(config->replicaof.port, 6380);
    cr_assert_str_eq(config->file, "");
    config_free(config);
}

Test(config, odd_options_are_shown_as_they_were_taken)
{
    REFUSED_LINE(WORDS("--port", "--bla"), "port \"--bla\"");
    REFUSED_LINE(WORDS("--port 0", "--nosuch", "x"), "nosuch \"x\"");
    REFUSED_LINE(WORDS("--port ", "--nosuch", "x"), "port  \"--nosuch\" \"x\"");
    REFUSED_LINE(WORDS("--save", "--nosuch", "x"), "nosuch \"x\"");
    REFUSED_LINE(WORDS("--save", "", "", "--nosuch"), "save \"\" \"\"");
    REFUSED_LINE(WORDS("--", "nosuch", "x"), "\"nosuch\" \"x\"");
    REFUSED_LINE(WORDS("-x"), "\"-x\"");
    REFUSED_LINE(WORDS("--nosuch", "a\\b", "\001\n"), "nosuch \"a\\\\b\" \"\\x01\\n\"");
    REFUSED_LINE(WORDS("--port=1"), "port=1");
    REFUSED_LINE(WORDS("--nosuch", "--", "x"), "nosuch \"--\" \"x\"");
}

Test(config, save_without_a_value_means_no_save_points)
{
    struct config *config = config_new();

    cr_assert_str_eq(load_words(config, WORDS("--save", "--port", "1", "--save")), "");
    SHOWS(config, "save", "");
    cr_assert_eq(config->port, 1);
    config_free(config);
}

Test(config, a_missing_file_is_unreadable)
{
    struct config *config = config_new();

    cr_assert_str_eq(
        load_words(config, WORDS("/no/such.conf", "--port", "1")),
        "Fatal error, can't open config file '/no/such.conf': No such file or directory");
    config_free(config);
}

/* --- CONFIG SET -------------------------------------------------------------------------------- */

Test(config, sets_all_or_nothing)
{
    struct config *config = config_new();

    cr_assert_str_eq(set(config, "timeout 5 HZ 501 slave-priority 3"), "");
    cr_assert_eq(config->timeout, 5);
    cr_assert_eq(config->hz, 500);
    cr_assert_eq(config->replica_priority, 3);

    cr_assert_str_eq(set(config, "timeout 6 masterauth secret HZ x"),
                     "ERR CONFIG SET failed (possibly related to argument 'hz') - argument "
                     "couldn't be parsed into an "
                     "integer");
    cr_assert_eq(config->timeout, 5);
    cr_assert_str_eq(config->masterauth, "");
    config_free(config);
}

Test(config, refuses_what_must_not_be_set)
{
    static const struct {
        const char *words, *error;
    } cases[] = {
        {"nosuch 1", "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"},
        {"timeout", "ERR syntax error"},
        {"timeout 1 Timeout 2",
         "ERR CONFIG SET failed (possibly related to argument 'Timeout') - duplicate parameter"},
        {"Daemonize yes",
         "ERR CONFIG SET failed (possibly related to argument 'Daemonize') - can't set immutable "
         "config"},
        {"dir /",
         "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config"},
        {"SLAVE-priority x",
         "ERR CONFIG SET failed (possibly related to argument 'slave-priority') - argument "
         "couldn't be parsed into an integer"},
    };
    struct config *config = config_new();

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_str_eq(set(config, cases[i].words), cases[i].error);
    config_free(config);
}

Test(config, some_directives_wait_while_data_is_loaded)
{
    struct config *config = config_new();
    struct config_caller loading = {.loading = true};
    struct span on[] = {SPAN("appendonly"), SPAN("yes")}, other[] = {SPAN("timeout"), SPAN("1")};
    char error[512];

    cr_assert(!config_set(config, on, 2, loading, error));
    cr_assert_str_eq(error, "LOADING Redis is loading the dataset in memory");
    cr_assert(config_set(config, other, 2, loading, error));
    config_free(config);
}

struct listener {
    const struct config *config;
    int calls;
    int64_t port;       /* the last one heard of */
    bool refuses_port1; /* answers no to port 1 */
};

static bool on_port(void *context, const char **why)
{
    struct listener *listener = context;

    listener->calls++;
    listener->port = listener->config->port;
    *why = "Unable to listen on this port. Check server logs.";
    return !(listener->refuses_port1 && listener->port == 1);
}

Test(config, hooks_act_on_changes_and_may_refuse_them)
{
    struct config *config = config_new();
    struct listener listener = {.config = config, .refuses_port1 = true};

    config_on_change(config, "bind", on_port, &listener);
    config_on_change(config, "port", on_port, &listener);

    set(config, "timeout 1 port 6379");
    cr_assert_eq(listener.calls, 0, "nothing changed");
    cr_assert_str_eq(set(config, "port 7000 bind ::1"), "");
    cr_assert_eq(listener.calls, 1, "one hook for both");
    cr_assert_eq(listener.port, 7000);

    cr_assert_str_eq(set(config, "timeout 9 port 1 bind ::2"),
                     "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to "
                     "listen on this port. "
                     "Check server logs.");
    cr_assert_eq(listener.port, 7000, "told again, after the fields went back");
    cr_assert_eq(config->port, 7000);
    cr_assert_eq(config->timeout, 1);
    SHOWS(config, "bind", "::1");
    config_free(config);
}

Test(config, name_and_alias_in_one_call_go_back_together)
{
    struct config *config = config_new();

    cr_assert_str_eq(set(config, "slave-announce-ip a replica-announce-ip b"), "");
    cr_assert_str_eq(config->replica_announce_ip, "b");
    cr_assert_str_neq(set(config, "slave-announce-ip c replica-announce-ip d hz x"), "");
    cr_assert_str_eq(config->replica_announce_ip, "b");
    config_free(config);
}

/* --- CONFIG GET -------------------------------------------------------------------------------- */

static void collect_name(void *context, struct span name, const struct directive *directive)
{
    (void)directive;
    buf_append_span(context, name);
    buf_append_char(context, ' ');
}

static const char *matching(const char *line)
{
    static char names[8192];
    struct buf out = {0};
    char copy[128], *rest;
    struct span patterns[8];
    int count = 0;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        patterns[count++] = text(word);
    config_match(patterns, count, collect_name, &out);
    snprintf(names, sizeof names, "%.*s", (int)out.len, out.len == 0 ? "" : out.ptr);
    buf_release(&out);
    return names;
}

Test(config, patterns_choose_names_and_aliases_once)
{
    cr_assert_str_eq(matching("p?rt HZ h[z] Port"), "HZ port ");
    cr_assert_str_eq(matching("*-priority"), "replica-priority slave-priority ");
    cr_assert_str_eq(matching("KEY-load-delay"), "KEY-load-delay ");
    cr_assert_str_eq(matching("key-*"), "", "hidden ones need their exact name");
    cr_assert_str_eq(matching("nosuch no*such"), "");
    const char *all = matching("*");
    int count = 0;
    while ((all = strchr(all, ' ')) != NULL) all++, count++;
    cr_assert_geq(count, 192, "173 names and 19 aliases");
}

Test(config, passwords_are_sensitive)
{
    cr_assert(config_is_sensitive(text("RequirePass")) && config_is_sensitive(text("masterauth")));
    cr_assert(!config_is_sensitive(text("port")) && !config_is_sensitive(text("nosuch")));
}

/* --- CONFIG REWRITE ---------------------------------------------------------------------------- */

/* A configuration that was read from a file; what REWRITE makes of the file after CONFIG SET. */
struct rewriting {
    struct config *config;
    char folder[64];
    char path[96];
    char after[16384];
};

static void begin(struct rewriting *rewriting, const char *lines)
{
    struct buf error = {0};

    snprintf(rewriting->folder, sizeof rewriting->folder, "/tmp/config_test_XXXXXX");
    cr_assert_not_null(mkdtemp(rewriting->folder));
    snprintf(rewriting->path, sizeof rewriting->path, "%s/a.conf", rewriting->folder);
    cr_assert_eq(file_replace(rewriting->path, lines, strlen(lines), 0640), 0);
    rewriting->config = config_new();
    config_load(rewriting->config, 2, (char *[]){"pando-server", rewriting->path}, NULL,
                CONFIG_LOAD_DRY, &error);
    cr_assert_eq(error.len, 0, "%.*s", (int)error.len, error.ptr);
}

/* The file after REWRITE, less the line of `dir`, which depends on where the test runs. */
static const char *rewrite(struct rewriting *rewriting)
{
    struct buf out = {0};
    char error[512], *dir;

    cr_assert(config_rewrite(rewriting->config, false, error), "%s", error);
    cr_assert_eq(file_read_whole(rewriting->path, sizeof rewriting->after - 1, &out), 0);
    snprintf(rewriting->after, sizeof rewriting->after, "%.*s", (int)out.len, out.ptr);
    buf_release(&out);
    dir = strstr(rewriting->after, "\ndir ");
    cr_assert_not_null(dir);
    memmove(dir, strchr(dir + 1, '\n'), strlen(strchr(dir + 1, '\n')) + 1);
    return rewriting->after;
}

static void end(struct rewriting *rewriting)
{
    config_free(rewriting->config);
    unlink(rewriting->path);
    rmdir(rewriting->folder);
}

#define SIGNATURE "\n# Generated by CONFIG REWRITE\n"

Test(config_rewrite, leaves_the_file_alone_but_for_what_changed)
{
    struct rewriting r;
    struct stat about;

    begin(&r,
          "# mine\n\n  TIMEOUT   5\nslave-priority 7\nmaxmemory 1gb\nrename-command COMMAND \"\"\n"
          "user alice on >x\n\nhz 10\n# end");
    cr_assert_str_eq(rewrite(&r),
                     "# mine\n\n  TIMEOUT   5\nslave-priority 7\nmaxmemory 1gb\n"
                     "rename-command COMMAND \"\"\nuser alice on >x\n\nhz 10\n# end\n" SIGNATURE);
    cr_assert_eq(stat(r.path, &about), 0);
    cr_assert_eq(about.st_mode & 0777, 0640);
    end(&r);
}

Test(config_rewrite, writes_changes_in_place_and_new_ones_at_the_end)
{
    struct rewriting r;

    begin(&r, "timeout 5\n# mid\nslave-priority 7\ntimeout 6\nsave 900 1\nsave 300 10\nhz 20\n");
    set(r.config, "timeout 7 replica-priority 8 maxmemory 1gb requirepass a\"b hz 10");
    set(r.config, "save 1");
    config_set(r.config, (struct span[]){SPAN("save"), SPAN("1 2 3 4")}, 2, anybody,
               (char[512]){0});
    cr_assert_str_eq(rewrite(&r),
                     "timeout 7\n# mid\nreplica-priority 8\nsave 1 2\nsave 3 4\nhz 10\n" SIGNATURE
                     "requirepass \"a\\\"b\"\nmaxmemory 1gb\n");
    set(r.config, "timeout 8 masteruser me");
    cr_assert_str_eq(rewrite(&r),
                     "timeout 8\n# mid\nreplica-priority 8\nsave 1 2\nsave 3 4\nhz 10\n" SIGNATURE
                     "requirepass \"a\\\"b\"\nmaxmemory 1gb\nmasteruser \"me\"\n");
    end(&r);
}

Test(config_rewrite, a_promoted_replica_loses_its_line)
{
    struct rewriting r;

    begin(&r, "port 7000\nslaveof 127.0.0.1 6379\nhz 20\n");
    config_set_primary(r.config, text(""), 0);
    cr_assert_str_eq(rewrite(&r), "port 7000\nhz 20\n" SIGNATURE);
    config_set_primary(r.config, text("::1"), 6380);
    cr_assert_str_eq(rewrite(&r), "port 7000\nhz 20\n" SIGNATURE "replicaof ::1 6380\n");
    end(&r);
}

Test(config_rewrite, what_an_included_file_says_behind_is_overridden)
{
    struct config *again = config_new();
    struct rewriting r, other;
    char lines[256];

    begin(&other, "timeout 1\nsave 5 5\nhz 20\n");
    snprintf(lines, sizeof lines, "timeout 9\nsave 6 6\ninclude %s\n", other.path);
    begin(&r, lines);
    SHOWS(r.config, "save", "6 6 5 5");
    set(r.config, "timeout 2");
    config_set(r.config, (struct span[]){SPAN("save"), SPAN("7 7")}, 2, anybody, (char[512]){0});

    cr_assert_str_eq(load(again, rewrite(&r)), "");
    SHOWS(again, "timeout", "2");
    SHOWS(again, "save", "7 7");
    SHOWS(again, "hz", "20");
    cr_assert_null(strstr(r.after, "hz"), "the included file says it");
    config_free(again);
    end(&r);
    end(&other);
}

Test(config_rewrite, everything_that_is_written_reads_back)
{
    struct config *config = config_new();
    struct rewriting r;
    char error[512];

    begin(&r, "");
    cr_assert_str_eq(
        load(r.config,
             "bind 127.0.0.1 -::1\nmasterauth \"\\n\\\"\\\\ "
             "\\xff\"\nunixsocketperm 770\n"
             "maxmemory-clients 7%\nnotify-keyspace-events An\nclient-output-buffer-limit "
             "pubsub 1kb 2 3\n"
             "oom-score-adj-values -1 0 1\nlatency-tracking-info-percentiles "
             "\"\"\nrepl-diskless-load swapdb\n"
             "loglevel debug\nslowlog-log-slower-than -1\ncluster-link-sendbuf-limit "
             "18446744073709551615\n"
             "save \"\"\ndbfilename \"\"\n"),
        "");
    cr_assert(config_rewrite(r.config, true, error), "%s", error);
    rewrite(&r);
    cr_assert_str_eq(load(config, r.after), "");
    for (int i = 0; i < config_directive_count; i++)
        if (strcmp(config_directives[i].name, "dir") != 0)
            cr_assert_str_eq(shown(config, config_directives[i].name),
                             shown(r.config, config_directives[i].name));
    end(&r);
    config_free(config);
}

Test(config_rewrite, needs_a_file)
{
    struct config *config = config_new();
    char error[512];

    cr_assert(!config_rewrite(config, false, error));
    cr_assert_str_eq(error, "ERR The server is running without a config file");
    mem_free(config->file);
    config->file = config_copy_text(SPAN("/no/such/folder/a.conf"));
    cr_assert(!config_rewrite(config, false, error));
    cr_assert_str_eq(error, "ERR Rewriting config file: No such file or directory");
    config_free(config);
}
