# make            build/rankprobe and build/librankprobe.a
# make check      install what is missing, build, run the tests
# make demo       install what is missing, build, run the study of demo/study.yaml
# make lint       formatting, layers, names, shell scripts
# make install    into $(DESTDIR)$(PREFIX)
# MPI=            without Open MPI, though it is installed
# SAN=1           address and undefined-behaviour sanitizers (with CC=clang), in build-san/

PREFIX  ?= /usr/local
CC      ?= cc
ARCH    ?= -march=native
BUILD   ?= build$(if $(SAN),-san)
OPT     ?= $(if $(SAN),-O1 -fno-omit-frame-pointer,-O3)

VERSION := $(shell sed -n 's/^\#define RP_VERSION "\(.*\)"/\1/p' include/rankprobe.h)
MODULES := base data retrieve feature measure tensor store tokenizer model run solver probe report study
LIBRARY := $(foreach m,$(MODULES),$(sort $(wildcard src/$(m)/*.c src/$(m)/*/*.c)))
CLI     := $(sort $(wildcard cli/*.c))
TESTS   := $(sort $(wildcard tests/*/test_*.c))
FUZZ    := $(sort $(wildcard tests/fuzz/fuzz_*.c))

PKG     := jansson libpcre2-8 libutf8proc zlib libzstd libxxhash libcyaml yaml-0.1
PKG_CF   = $(shell pkg-config --cflags $(PKG) 2>/dev/null)
PKG_LIB  = $(shell pkg-config --libs $(PKG) 2>/dev/null)

# Open MPI where it is installed.
MPI     ?= $(shell pkg-config --exists ompi-c 2>/dev/null && echo ompi-c)
MPI_CF   = $(if $(MPI),-DRP_MPI $(patsubst -I%,-isystem%,$(shell pkg-config --cflags $(MPI))))
MPI_LIB  = $(if $(MPI),$(shell pkg-config --libs $(MPI)))

WARN    := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror -Wstrict-prototypes -Wmissing-prototypes
SANFLAG := $(if $(SAN),-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=undefined)
CFLAGS  ?= -g
override CFLAGS += -std=c11 -D_GNU_SOURCE $(OPT) $(ARCH) -fno-math-errno -ffp-contract=on -fopenmp $(WARN) $(SANFLAG) \
           -Iinclude -Isrc -Itests -I. $(PKG_CF) $(MPI_CF)
override LDLIBS += -lstemmer -lopenblas -llapacke $(PKG_LIB) $(MPI_LIB) -lm

LIBOBJ  := $(LIBRARY:%.c=$(BUILD)/%.o)
CLIOBJ  := $(CLI:%.c=$(BUILD)/%.o)
SUPPORT := $(BUILD)/tests/support/support.o
FUZZER  := $(BUILD)/tests/support/fuzz.o
TESTBIN := $(TESTS:%.c=$(BUILD)/%)
FUZZBIN := $(FUZZ:%.c=$(BUILD)/%)

.PHONY: all deps check tests lint demo install clean
.PRECIOUS: $(BUILD)/%.o

all: $(BUILD)/rankprobe

$(BUILD)/rankprobe: $(CLIOBJ) $(BUILD)/librankprobe.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/librankprobe.a: $(LIBOBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(FUZZER) $(BUILD)/librankprobe.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(SUPPORT) $(BUILD)/librankprobe.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

$(BUILD)/bench/%: bench/%.c $(BUILD)/librankprobe.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The dependencies come first, in a make of their own, so that pkg-config finds them.
deps:
	@tools/setup.sh

check: deps
	@$(MAKE) --no-print-directory tests

tests: $(BUILD)/rankprobe $(TESTBIN) $(FUZZBIN)
	@BUILD=$(BUILD) tests/run.sh $(TESTBIN) $(FUZZBIN)

demo: deps
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) demo/run.sh

lint: all
	@BUILD=$(BUILD) tools/lint.sh

install: all
	install -Dm755 $(BUILD)/rankprobe $(DESTDIR)$(PREFIX)/bin/rankprobe
	install -Dm644 $(BUILD)/librankprobe.a $(DESTDIR)$(PREFIX)/lib/librankprobe.a
	install -Dm644 include/rankprobe.h $(DESTDIR)$(PREFIX)/include/rankprobe.h
	install -Dm644 man/rankprobe.1 $(DESTDIR)$(PREFIX)/share/man/man1/rankprobe.1
	@mkdir -p $(DESTDIR)$(PREFIX)/lib/pkgconfig
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s| *@MPI@|$(MPI:%= %)|' rankprobe.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/rankprobe.pc

clean:
	rm -rf build build-san

-include $(LIBOBJ:.o=.d) $(CLIOBJ:.o=.d) $(TESTBIN:=.d) $(FUZZBIN:=.d) $(SUPPORT:.o=.d) $(FUZZER:.o=.d)
