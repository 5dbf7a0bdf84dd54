#include "repl/actions.h"
#include "repl/events.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

static void add(struct repl_events *events, enum repl_event_kind kind, bool as_primary,
                const char *reason)
{
    struct repl_event event = {.kind = kind, .as_primary = as_primary};
    snprintf(event.reason, sizeof(event.reason), "%s", reason);
    repl_events_add(events, 1000, &event);
}

Test(repl_events, keeps_the_newest_and_counts_back)
{
    struct repl_events events;
    char reason[16];
    repl_events_init(&events);
    events.silent = true;
    events.unix_minus_now = 5000;
    cr_assert_eq(repl_events_count(&events), 0);
    cr_assert(repl_events_at(&events, 0) == NULL);
    for (int i = 0; i < 300; i++) {
        snprintf(reason, sizeof(reason), "%d", i);
        add(&events, REPL_EVENT_LINK_DOWN, false, reason);
    }
    cr_assert_eq(repl_events_count(&events), REPL_EVENTS_KEPT);
    cr_assert(eq(str, (char *)repl_events_at(&events, 0)->reason, "299"));
    cr_assert(eq(str, (char *)repl_events_at(&events, 127)->reason, "172"));
    cr_assert(repl_events_at(&events, 128) == NULL);
    cr_assert_eq(repl_events_at(&events, 0)->unix_ms, 6000);
}

Test(repl_events, the_last_sync_error_stands_until_that_side_succeeds)
{
    struct repl_events events;
    repl_events_init(&events);
    events.silent = true;
    add(&events, REPL_EVENT_FULL_SYNC_FAILED, false, "torn");
    cr_assert(eq(str, events.last_sync_error, "torn"));
    add(&events, REPL_EVENT_FULL_SYNC_DONE, true, "");
    cr_assert(eq(str, events.last_sync_error, "torn"));
    add(&events, REPL_EVENT_LINK_DOWN, false, "cut");
    cr_assert(eq(str, events.last_sync_error, "cut"));
    add(&events, REPL_EVENT_PARTIAL_SYNC_DONE, false, "");
    cr_assert(eq(str, events.last_sync_error, ""));
}

Test(repl_events, every_kind_and_every_action_has_a_name)
{
    for (int kind = 0; kind < REPL_EVENT_KINDS; kind++)
        cr_assert_gt(strlen(repl_event_name((enum repl_event_kind)kind)), 3);
    for (int kind = 0; kind <= REPL_ROLE; kind++)
        cr_assert_gt(strlen(repl_action_name((enum repl_action_kind)kind)), 2);
}

Test(repl_actions, texts_and_ranges_stay_apart)
{
    struct repl_actions actions = {0};
    const struct span input = SPAN("0123456789");
    for (int i = 0; i < 100; i++) {
        repl_act_text(&actions, REPL_SEND, 7, "text %d", i);
        struct repl_action *action = repl_act(&actions, REPL_APPLY, REPL_LINK_ID);
        action->from_input = true;
        action->at = 3;
        action->len = 4;
    }
    cr_assert_eq(actions.count, 200);
    cr_assert(span_equal(repl_action_bytes(&actions, &actions.items[198], input), SPAN("text 99")));
    cr_assert(span_equal(repl_action_bytes(&actions, &actions.items[199], input), SPAN("3456")));
    repl_actions_clear(&actions);
    cr_assert_eq(actions.count, 0);
    repl_actions_release(&actions);
}
