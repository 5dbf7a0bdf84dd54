# pando. Targets: all (default), install, unit, fuzz, command-fuzz, sim, bench, tidy, soak, clean.
#   make race         x_race.c, threads against each other, and I/O threads, under ThreadSanitizer
#   make SAN=1        address and undefined-behaviour sanitizers, no jemalloc, in build/san
#   make CC=clang     another compiler
#   make BUILD=dir    another build folder
# Floors, lowest first; tools/layers.txt says who may include whom.
FLOORS  := base ds io proto rdb journal store repl persist check cmd server
CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
SAN     ?= 0
ifeq ($(SAN),1)
BUILD   ?= build/san
else
BUILD   ?= build
endif
PREFIX  ?= /usr/local
REDIS_LINKS ?= yes
VERSION := $(shell cat VERSION)

WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
CFLAGS  ?=
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -g -Isrc -I$(BUILD)/gen $(WARN) -fno-strict-aliasing \
           -pthread -DPANDO_VERSION='"$(VERSION)"'
LIBS    := -lcrypto -llzf -lisal -lsystemd -lm -pthread
ifeq ($(SAN),thread)
ALL_CFLAGS += -O1 -fno-omit-frame-pointer -fsanitize=thread -DPANDO_NO_JEMALLOC
LDFLAGS += -fsanitize=thread
else ifeq ($(SAN),1)
ALL_CFLAGS += -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -DPANDO_NO_JEMALLOC
LDFLAGS += -fsanitize=address,undefined
else
ALL_CFLAGS += -O2
LIBS    += -ljemalloc
ifneq ($(LTO),no)
ifneq ($(findstring gcc,$(CC)),)
ALL_CFLAGS += -flto=auto -fno-fat-lto-objects
LDFLAGS += -flto=auto -O2
endif
endif
endif
SOURCES := $(filter-out %_test.c %_fuzz.c %_bench.c %_race.c,$(foreach f,$(FLOORS),$(wildcard src/$(f)/*.c)))
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/obj/%.o)
MAIN    := $(BUILD)/obj/server/main.o
CHECKS  := $(BUILD)/obj/check/check_rdb.o $(BUILD)/obj/check/check_aof.o
LIBRARY := $(filter-out $(MAIN) $(CHECKS),$(OBJECTS))
PROGRAMS := $(BUILD)/pando-server $(BUILD)/pando-check-rdb $(BUILD)/pando-check-aof
TESTS   := $(foreach f,$(FLOORS),$(wildcard src/$(f)/*_test.c))
FUZZERS := $(foreach f,$(FLOORS),$(wildcard src/$(f)/*_fuzz.c))
BENCHES := $(foreach f,$(FLOORS),$(wildcard src/$(f)/*_bench.c))
GENERATED := $(BUILD)/gen/commands.inc

.DELETE_ON_ERROR:
.PHONY: all install unit tidy clean fuzz race sim sim-test bench soak command-fuzz check-libraries

all: $(PROGRAMS) $(BUILD)/faults.so

# Faults under system calls, for the wire tests (tests/faults/plan.h): preloaded, never installed or linked.
FAULTS := $(wildcard tests/faults/*.c)
$(BUILD)/faults.so: $(FAULTS) tests/faults/plan.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE -g -O1 $(WARN) -fPIC -fvisibility=hidden -shared -o $@ $(FAULTS) -ldl

# One line that says what to install, instead of a compiler's page of errors.
check-libraries: $(BUILD)/libraries.ok
$(BUILD)/libraries.ok: tools/check-libraries
	@tools/check-libraries "$(CC)" "$(SAN)"
	@mkdir -p $(@D) && touch $@

$(BUILD)/pando-server: $(LIBRARY) $(MAIN)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

# What the programs beside the server are made of: no commands, no server.
CHECK_LIBRARY := $(filter-out $(BUILD)/obj/cmd/% $(BUILD)/obj/server/% $(BUILD)/obj/repl/%,$(LIBRARY))
$(BUILD)/pando-check-%: $(BUILD)/obj/check/check_%.o $(CHECK_LIBRARY)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/obj/%.o: src/%.c $(GENERATED) | $(BUILD)/libraries.ok
	@mkdir -p $(@D)
	@echo "  cc $<"; $(CC) $(ALL_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gen/commands.inc: $(wildcard src/cmd/commands.def) $(wildcard src/cmd/*.def) tools/commands.py | $(BUILD)/libraries.ok
	@mkdir -p $(@D)
	python3 tools/commands.py src/cmd $(BUILD)/gen

# Unit tests: every x_test.c beside its x.c, one program (Criterion).  make unit ONLY='table*' runs some.
$(BUILD)/unit-tests: $(LIBRARY) $(TESTS:src/%.c=$(BUILD)/obj/%.o)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcriterion
unit: $(BUILD)/unit-tests
	$(BUILD)/unit-tests $(if $(ONLY),--filter '$(ONLY)') --timeout 120

# Micro benchmarks: x_bench.c has its own main.
$(BUILD)/bench/%: $(BUILD)/obj/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

# Fuzzers: x_fuzz.c has LLVMFuzzerTestOneInput; built by clang with the sanitizers.
FUZZ_BUILD := build/fuzz
SECONDS ?= 20
fuzz:
	@$(MAKE) --no-print-directory BUILD=$(FUZZ_BUILD) SAN=1 CC=clang CFLAGS="-fsanitize=fuzzer-no-link" fuzzers
	tools/run-fuzzers $(FUZZ_BUILD) $(SECONDS) $(FUZZERS:src/%.c=%)
fuzzers: $(FUZZERS:src/%.c=$(BUILD)/fuzz/%)
$(BUILD)/fuzz/%: $(BUILD)/obj/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

# Races: x_race.c has its own main, a test by threads. (Criterion does not run under ThreadSanitizer.)
RACES := $(foreach f,$(FLOORS),$(wildcard src/$(f)/*_race.c))
race:
	@$(MAKE) --no-print-directory BUILD=build/tsan SAN=thread races build/tsan/pando-server
	PANDO_SERVER=build/tsan/pando-server PANDO_TEST_PATIENCE=4 /usr/bin/python3 -m pytest -q tests/test_io_threads.py
	@set -e; for r in $(RACES:src/%.c=build/tsan/race/%); do $$r $(SECONDS); done
races: $(RACES:src/%.c=$(BUILD)/race/%)
$(BUILD)/race/%: $(BUILD)/obj/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

# Simulation: seeded runs of whole nodes on a simulated network (tests/sim/sim.h).
SEED ?= 1
RUNS ?= 1
SEEDS ?= 300
SIM_OBJECTS := $(patsubst tests/%.c,$(BUILD)/tests/%.o,$(wildcard tests/sim/*.c))
SIM_FLOORS  := base ds io proto rdb journal store repl persist
SIM_LIBRARY := $(filter $(foreach f,$(SIM_FLOORS),$(BUILD)/obj/$(f)/%.o),$(LIBRARY)) $(BUILD)/obj/cmd/unit.o
$(BUILD)/tests/%.o: tests/%.c | $(BUILD)/libraries.ok
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(CFLAGS) -Itests/sim -MMD -MP -c -o $@ $<
$(BUILD)/sim: $(SIM_OBJECTS) $(SIM_LIBRARY)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
sim: $(BUILD)/sim
	$(BUILD)/sim $(SEED) $(RUNS)
# What ./test runs: so many seeds, some of them twice, and every broken rule found out.
sim-test: $(BUILD)/sim
	$(BUILD)/sim 1 $(SEEDS)
	$(BUILD)/sim --replay 1 30
	$(BUILD)/sim --mutations $(SEEDS)

install: $(PROGRAMS)
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 $(PROGRAMS) "$(DESTDIR)$(PREFIX)/bin"
ifneq ($(REDIS_LINKS),no)
	ln -sf pando-server "$(DESTDIR)$(PREFIX)/bin/redis-server"
	ln -sf pando-check-rdb "$(DESTDIR)$(PREFIX)/bin/redis-check-rdb"
	ln -sf pando-check-aof "$(DESTDIR)$(PREFIX)/bin/redis-check-aof"
endif

# Random commands to Debian's redis-server and to pando: replies, data, events, streams (tests/differential/command_fuzz.py).
# ONLY=set,hash chooses families; REPLAY=file runs what a difference has printed.
COMMANDS ?= 100000
command-fuzz: all
	PANDO_SERVER=$(abspath $(BUILD))/pando-server /usr/bin/python3 tests/differential/command_fuzz.py --seed $(SEED) \
	    --commands $(COMMANDS) $(if $(ONLY),--only $(ONLY)) $(if $(REPLAY),--replay $(REPLAY))

# Every figure beside Debian's redis-server (bench/compare.py); BENCH='--quick' for the plain rows, '--only speed' for a group.
bench: all $(BUILD)/bench/rate_load
	/usr/bin/python3 bench/compare.py --server $(BUILD)/pando-server --generator $(BUILD)/bench/rate_load $(BENCH)
$(BUILD)/bench/rate_load: bench/rate_load.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE -g -O2 $(WARN) -o $@ $<

# The long runs: ten minutes of each fuzzer, ten thousand simulated seeds, thread checks, every wire test under sanitizers.
soak: all
	$(MAKE) fuzz SECONDS=600
	$(MAKE) sim SEED=1 RUNS=10000
	$(MAKE) command-fuzz SEED=soak COMMANDS=3000000
	$(MAKE) race SECONDS=60
	$(MAKE) SAN=1 build/san/pando-server
	PANDO_SOAK=1 PANDO_SERVER=build/san/pando-server PANDO_TEST_PATIENCE=4 /usr/bin/python3 -m pytest -q tests

tidy:
	python3 tools/tidy.py

clean:
	rm -rf build

-include $(shell find $(BUILD)/obj $(BUILD)/tests -name '*.d' 2>/dev/null)
