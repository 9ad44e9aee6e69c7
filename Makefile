# weightbench: see README.md. `make help` lists the targets and the variables.
#
# Everything below is found by wildcard: a new app/<room>/x.c, lua/bind/x.c, tests/unit/test_x.c,
# tests/golden/test_x.c, tests/tui/test_x.c, tests/check/x.sh or tests/bench/x.c joins without a
# change here.

CC       ?= cc
CFLAGS   ?= -O2 -g
CPPFLAGS ?=
LDFLAGS  ?=
LDLIBS   ?=
AR       ?= ar
PREFIX   ?= /usr/local
DESTDIR  ?=
BUILD    ?= build
SAN      ?=
WERROR   ?=
JOBS     ?= $(shell nproc 2>/dev/null || echo 2)
# Of a make within this one: as many jobs as the user asked for, else one a processor.
PARALLEL  = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))

ifeq ($(origin CC),default)
CC := cc
endif

# ---- flags: ours apart from the user's, who may set CFLAGS and friends to anything ----

PACKAGES := lua5.4 openblas lapacke libcjson libxxhash libcrypto libpcre2-8 libutf8proc
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null || echo -I/usr/include/lua5.4)
PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null || \
                echo -llua5.4 -lopenblas -llapacke -lcjson -lxxhash -lcrypto -lpcre2-8 -lutf8proc)
CMOCKA_LIBS := $(shell pkg-config --libs cmocka 2>/dev/null || echo -lcmocka)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
WB_CPPFLAGS := -D_GNU_SOURCE -I. $(PKG_CFLAGS)
WB_CFLAGS   := -std=c11 -ffp-contract=off $(WARNINGS)
WB_LDFLAGS  :=
ifneq ($(strip $(WERROR)),)
WB_CFLAGS += -Werror
endif
ifneq ($(strip $(SAN)),)
WB_CFLAGS  += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
WB_LDFLAGS += -fsanitize=$(SAN)
endif

COMPILE = $(CC) $(WB_CPPFLAGS) $(CPPFLAGS) $(WB_CFLAGS) $(CFLAGS)
LINK    = $(CC) $(WB_CFLAGS) $(CFLAGS) $(WB_LDFLAGS) $(LDFLAGS)
LIBS    = $(LDLIBS) $(PKG_LIBS) -lm -lpthread

# ---- sources ----

ENGINE_SRC := $(wildcard $(addsuffix /*.c,$(addprefix app/,core tensor store arch graph infer probe job)))
BIND_SRC   := $(wildcard lua/bind/*.c)
CLI_SRC    := $(wildcard app/cli/*.c)
VIEW_SRC   := $(wildcard views/*.c)
TEST_SRC   := $(wildcard tests/unit/test_*.c tests/golden/test_*.c tests/tui/test_*.c)
HELPER_SRC := $(filter-out $(TEST_SRC),$(wildcard tests/unit/*.c tests/golden/*.c tests/tui/*.c))
BENCH_SRC  := $(wildcard tests/bench/*.c)
C_SRC      := app/main.c $(ENGINE_SRC) $(BIND_SRC) $(CLI_SRC) $(VIEW_SRC) $(TEST_SRC) $(HELPER_SRC) $(BENCH_SRC)
C_ALL      := $(C_SRC) $(wildcard app/*/*.h lua/bind/*.h views/*.h tests/*/*.h)
LUA_DIRS   := lua plugins
CHECKS     := $(wildcard tests/check/*.sh tests/golden/test_*.sh tests/unit/test_*.sh tests/tui/test_*.sh)

ifneq ($(VIEW_SRC),)
PKG_LIBS += $(shell pkg-config --libs ncursesw 2>/dev/null || echo -lncursesw -ltinfo)
endif

# ./weightbench is the plain build; other build directories keep their program to themselves.
PROGRAM := $(if $(filter build,$(BUILD)),weightbench,$(BUILD)/weightbench)
ENGINE  := $(BUILD)/libweightbench.a
BIND    := $(BUILD)/liblua_bind.a
CLI     := $(BUILD)/libcli.a
VIEWS   := $(if $(VIEW_SRC),$(BUILD)/libviews.a)
HELPERS := $(if $(HELPER_SRC),$(BUILD)/libtest_helpers.a)
TESTS   := $(TEST_SRC:%.c=$(BUILD)/%)
BENCHES := $(BENCH_SRC:%.c=$(BUILD)/%)
ARCHIVES := $(CLI) $(VIEWS) $(BIND) $(ENGINE)

objects = $(patsubst %.c,$(BUILD)/%.o,$(1))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

all: $(PROGRAM)

# ---- compiling and linking ----

# Holds the compiler and the flags; rewritten, and everything with it, only when they change.
$(BUILD)/flags: force
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(COMPILE) | $(LINK) $(LIBS))' >$@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi

$(BUILD)/prefix: force
	@mkdir -p $(@D)
	@printf '%s\n' '$(PREFIX)' >$@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(COMPILE) -MMD -MP -c -o $@ $<

$(BUILD)/lua/bind/vm.o: $(BUILD)/prefix
$(BUILD)/lua/bind/vm.o: WB_CPPFLAGS += -DWB_SHARE_DIR='"$(PREFIX)/share/weightbench"'

$(ENGINE): $(call objects,$(ENGINE_SRC))
$(BIND): $(call objects,$(BIND_SRC))
$(CLI): $(call objects,$(CLI_SRC))
$(BUILD)/libviews.a: $(call objects,$(VIEW_SRC))
$(BUILD)/libtest_helpers.a: $(call objects,$(HELPER_SRC))
$(BUILD)/%.a:
	@rm -f $@
	$(AR) rcs $@ $^

$(PROGRAM): $(BUILD)/app/main.o $(ARCHIVES)
	$(LINK) -o $@ $^ $(LIBS)

$(TESTS): $(BUILD)/%: $(BUILD)/%.o $(HELPERS) $(ARCHIVES)
	$(LINK) -o $@ $^ $(CMOCKA_LIBS) $(LIBS)

$(BENCHES): $(BUILD)/%: $(BUILD)/%.o $(HELPERS) $(ARCHIVES)
	$(LINK) -o $@ $^ $(CMOCKA_LIBS) $(LIBS)

-include $(patsubst %.c,$(BUILD)/%.d,$(C_SRC))

# ---- the two commands of the README, and the tests ----

setup:
	@tests/setup.sh check

demo:
	@tests/setup.sh build
	@+$(MAKE) --no-print-directory -s $(PARALLEL) all
	@WEIGHTBENCH='$(CURDIR)/$(PROGRAM)' tests/data/demo/demo.sh

check:
	@tests/setup.sh check
	@+$(MAKE) --no-print-directory $(PARALLEL) all tests benches
	@+$(MAKE) --no-print-directory run-tests

run-tests:
	@WEIGHTBENCH='$(CURDIR)/$(PROGRAM)' BUILD='$(BUILD)' SAN='$(SAN)' tests/run.sh -j $(JOBS) $(TESTS) $(CHECKS)

tests: $(TESTS)

sanitize:
	@+$(MAKE) --no-print-directory BUILD=$(BUILD)-asan SAN=address,undefined check

# ---- measuring ----

benches: $(BENCHES)

bench:
	@tests/setup.sh build
	@+$(MAKE) --no-print-directory -s $(PARALLEL) all benches
	@WEIGHTBENCH='$(CURDIR)/$(PROGRAM)' BUILD='$(BUILD)' tests/bench/bench.sh

bench-peers: all benches
	@WEIGHTBENCH='$(CURDIR)/$(PROGRAM)' BUILD='$(BUILD)' tests/peers/bench_peers.sh

bench-forward: all benches
	@BUILD='$(BUILD)' tests/peers/bench_forward.sh

# Put the tables of the last `make bench`, `make bench-peers` and `make bench-forward` into the README.
readme-tables:
	@for name in bench bench-peers bench-forward; do \
	    [ ! -e $(BUILD)/$$name.md ] || \
	    sed -i -e "/<!-- $$name -->/,/<!-- end of $$name -->/{//!d}" \
	           -e "/<!-- $$name -->/r $(BUILD)/$$name.md" README.md; \
	done

# Pictures and captures of every screen, for the README.
screenshots: all
	@WEIGHTBENCH='$(CURDIR)/$(PROGRAM)' tests/screenshots.sh

peers: all $(BUILD)/tests/golden/test_forward $(BUILD)/tests/golden/test_tokenizers
	@WEIGHTBENCH='$(CURDIR)/$(PROGRAM)' BUILD='$(BUILD)' tests/peers/load_outputs.sh
	@BUILD='$(BUILD)' tests/peers/tiny_models.sh
	@BUILD='$(BUILD)' tests/peers/tokenizers.sh

# ---- installing ----

SHARE := $(DESTDIR)$(PREFIX)/share

install: all
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/weightbench
	find $(LUA_DIRS) -name '*.lua' -exec install -D -m 644 '{}' '$(SHARE)/weightbench/{}' ';'
	install -D -m 644 app/cli/weightbench.1 $(SHARE)/man/man1/weightbench.1
	install -D -m 644 app/cli/weightbench.bash $(SHARE)/bash-completion/completions/weightbench
	install -D -m 644 app/cli/_weightbench $(SHARE)/zsh/site-functions/_weightbench
	install -D -m 644 LICENSE $(SHARE)/doc/weightbench/LICENSE

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/weightbench $(SHARE)/man/man1/weightbench.1
	rm -f $(SHARE)/bash-completion/completions/weightbench $(SHARE)/zsh/site-functions/_weightbench
	rm -rf $(SHARE)/weightbench $(SHARE)/doc/weightbench

# ---- keeping house ----

format:
	@tests/setup.sh lint
	clang-format -i $(C_ALL)

format-check:
	@tests/setup.sh lint
	clang-format --dry-run -Werror $(C_ALL)

TIDY_SRC := $(filter-out tests/%,$(C_SRC))

lint: compile_commands.json
	@tests/setup.sh lint
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr --enable=warning,performance,portability \
	    --suppress=missingIncludeSystem -j $(JOBS) -D_GNU_SOURCE -I. \
	    --library=tests/check/cppcheck.cfg $(TIDY_SRC)
	printf '%s\n' $(TIDY_SRC) | xargs -P $(JOBS) -n 1 clang-tidy --quiet --warnings-as-errors='*' -p .
	tests/check/luacheck.sh
	tests/check/shellcheck.sh

compile_commands.json: Makefile $(C_SRC)
	@{ echo '['; first=1; for f in $(C_SRC); do \
	    [ -e "$$f" ] || continue; [ -n "$$first" ] || echo ','; first=; \
	    printf '{"directory": "%s", "file": "%s", "command": "%s -c %s"}' '$(CURDIR)' "$$f" \
	        '$(subst ",\",$(COMPILE))' "$$f"; \
	  done; echo; echo ']'; } >$@

clean:
	rm -rf build $(BUILD) $(BUILD)-asan weightbench compile_commands.json

help:
	@echo 'make                the program, ./weightbench'
	@echo 'make demo           installs what is missing, builds, opens the workbench on the bundled models'
	@echo 'make check          installs what is missing, builds, runs every test'
	@echo 'make sanitize       the same under AddressSanitizer and UBSan, in $(BUILD)-asan'
	@echo 'make setup          only installs what building and testing need (apt-get)'
	@echo 'make bench          speed and memory, as ratios to cp and cat; ~32 GB under $$WB_BENCH_DIR'
	@echo 'make bench-peers    side by side with mergekit (PyPI)'
	@echo 'make bench-forward  the forward pass side by side with transformers (PyPI)'
	@echo 'make readme-tables  puts the tables of both into README.md'
	@echo 'make screenshots    captures of every screen into README.md and views/pictures'
	@echo 'make peers          loads outputs with transformers; tiny models and tokenizers against it (PyPI)'
	@echo 'make install        PREFIX=$(PREFIX) DESTDIR=$(DESTDIR); also uninstall'
	@echo 'make lint           clang-tidy, cppcheck, luacheck, shellcheck'
	@echo 'make format         clang-format; also format-check'
	@echo 'make compile_commands.json, clean, help'
	@echo
	@echo 'variables: CC CFLAGS CPPFLAGS LDFLAGS LDLIBS PREFIX DESTDIR BUILD SAN WERROR JOBS'
	@echo '  make BUILD=b-tsan SAN=thread check     make CC=clang BUILD=b-clang WERROR=1 check'

.PHONY: all setup demo check run-tests tests sanitize benches bench bench-peers bench-forward readme-tables screenshots peers install uninstall \
        format format-check lint clean help force
