# SPDX-License-Identifier: ISC
# whk: webhooks as Unix programs. "make help" says what there is to make.

VERSION = 0.1.0

# For the distribution or the user; ours are added to them, below.
CC ?= cc
CFLAGS ?= -O2 -g
CPPFLAGS ?=
LDFLAGS ?=
SANITIZE ?=

prefix = /usr/local
exec_prefix = $(prefix)
bindir = $(exec_prefix)/bin
datarootdir = $(prefix)/share
mandir = $(datarootdir)/man
docdir = $(datarootdir)/doc/whk
bashcompletiondir = $(datarootdir)/bash-completion/completions
zshcompletiondir = $(datarootdir)/zsh/site-functions
fishcompletiondir = $(datarootdir)/fish/vendor_completions.d
sysconfdir = $(prefix)/etc
systemdsystemunitdir = $(prefix)/lib/systemd/system
sysusersdir = $(prefix)/lib/sysusers.d
INSTALL = install
INSTALL_PROGRAM = $(INSTALL) -m 755
INSTALL_DATA = $(INSTALL) -m 644
STRIP = strip

# A sanitizer's objects live apart, so that both builds can stand.
comma = ,
B = build$(if $(SANITIZE),/$(subst $(comma),-,$(SANITIZE)))

# Asked once, and only when something is compiled.
once = $(eval $(1) := $(shell $(2)))$($(1))
PACKAGES = libcurl libpq jansson libbsd-overlay libevent libcrypto
PKG_CFLAGS = $(call once,PKG_CFLAGS,pkg-config --cflags $(PACKAGES))
PKG_LIBS = $(call once,PKG_LIBS,pkg-config --libs $(PACKAGES))

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wwrite-strings -Wformat=2 \
	$(if $(CI),-Werror)
HARDENING = -fstack-protector-strong -fstack-clash-protection -fPIE \
	$(if $(SANITIZE),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
SAN_FLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer \
	-fno-sanitize-recover=all)

# -iquote, as common/ has an err.h and <err.h> is another.
WHK_CPPFLAGS = -D_GNU_SOURCE -DWHK_VERSION='"$(VERSION)"' -iquote common \
	-iquote cmd -iquote $(B) $(PKG_CFLAGS)
WHK_CFLAGS = -std=gnu11 $(WARNINGS) $(HARDENING) $(SAN_FLAGS) \
	-ffunction-sections -fdata-sections
WHK_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed -Wl,--gc-sections \
	$(SAN_FLAGS)
COMPILE = $(CC) $(WHK_CPPFLAGS) $(CPPFLAGS) $(CFLAGS) $(WHK_CFLAGS)
LINK = $(CC) $(CFLAGS) $(WHK_LDFLAGS) $(LDFLAGS)

PROGRAMS = $(patsubst cmd/%.c,%,$(wildcard cmd/whk-*.c))
COMMON = $(patsubst %.c,$(B)/%.o,$(wildcard common/*.c)) $(B)/schema-sql.o
SQL = $(sort $(wildcard sql/*.sql))
PAGES = $(wildcard man/*.[1-9])
SERVICES = $(notdir $(wildcard etc/*.service etc/*.socket etc/*.timer))
UNITS = $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*.c))
FUZZERS = $(patsubst %.c,%,$(filter-out tests/fuzz/main.c, \
	$(wildcard tests/fuzz/*.c)))
METERS = $(patsubst %.c,$(B)/%,$(wildcard tests/bench/*.c))

all: $(addprefix $(B)/,$(PROGRAMS))

# The commands themselves only with V=1.
Q = $(if $(V),,@)
say = $(if $(V),:,@printf '  %-5s %s\n') '$(1)' '$(2)'

# Every object depends on the commands that make one, so that another compiler
# or other flags build anew. What is missing on this machine is said first.
$(B)/flags: FORCE
	@CC='$(CC)' sh tests/deps -n build
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(COMPILE) $(LINK))' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -MMD -MP -c -o $@ $<

$(B)/common.a: $(COMMON)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

# The files of sql/ as one table of strings, for whk-init.
$(B)/schema-sql.c: $(SQL) common/sql2c.sh
	@mkdir -p $(@D)
	$(call say,SQL,$@)
	$(Q)sh common/sql2c.sh $(SQL) >$@.tmp && mv $@.tmp $@
$(B)/schema-sql.o: $(B)/schema-sql.c $(B)/flags
	$(call say,CC,$<)
	$(Q)$(COMPILE) -Wno-overlength-strings -MMD -MP -c -o $@ $<

# What a source takes in that is no header.
$(B)/cmd/whk-api/openapi.o: $(B)/openapi.json
$(B)/cmd/whk-api/openapi.o: private WHK_CPPFLAGS += -Wa,-I$(B)
$(B)/openapi.json: cmd/whk-api/openapi.json # a quarter of it is indentation
	$(Q)mkdir -p $(@D) && sed 's/^[[:space:]]*//' $< >$@

# cmd/whk-NAME.c, and what lies in cmd/whk-NAME/ where one file is not enough.
define program
$(B)/$(1): $(patsubst %.c,$(B)/%.o,cmd/$(1).c $(wildcard cmd/$(1)/*.c)) \
	$(B)/common.a
	$$(call say,LD,$$@)
	$$(Q)$$(LINK) -o $$@ $$^ $$(PKG_LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/common.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ -lcmocka $(PKG_LIBS)

$(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/common.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS)

# The fuzz targets as plain programs that go through their corpus.
$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/main.o $(B)/common.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS)

# What users and tests call. JOBS is how many things are done at once, unless
# -j says it.
JOBS = $(shell nproc)
SUBFLAGS = --no-print-directory \
	$(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

tests: all $(UNITS) $(addprefix $(B)/,$(FUZZERS))

deps:
	@CC='$(CC)' sh tests/deps build

demo:
	@CC='$(CC)' sh tests/deps build demo
	@$(MAKE) $(SUBFLAGS) -s all
	@KEEP='$(KEEP)' WHK_BUILD='$(abspath $(B))' sh tests/demo

# CASES, COUNT, SMOKE, BASE and so on: tests/bench/run says what they mean.
bench:
	@CC='$(CC)' sh tests/deps build demo bench
	@$(MAKE) $(SUBFLAGS) all $(METERS) build/elasticmq/.done
	@WHK_BUILD='$(abspath $(B))' tests/bench/run

# TESTS chooses some; VALGRIND=1 runs each program under valgrind.
TESTED = $(if $(VALGRIND),build/valgrind,$(B))
TESTS = $(UNITS:$(B)/%=$(TESTED)/%) $(sort $(wildcard tests/*.t))
SLOW = $(SANITIZE)$(VALGRIND)
check:
	@CC='$(CC)' sh tests/deps build demo check
	@$(MAKE) $(SUBFLAGS) check-run

check-run: tests build/venv/.done build/elasticmq/.done \
		$(if $(VALGRIND),build/valgrind/.done)
	@WHK_BUILD='$(abspath $(TESTED))' CMOCKA_MESSAGE_OUTPUT=TAP \
		WHK_TEST_BIN='$(abspath $(B))' MAKEFLAGS=' -- $(MAKEOVERRIDES)' \
		$(if $(SLOW),WHK_TEST_WAIT=100 WHK_TEST_SLOW=1 \
			WHK_TEST_TIMEOUT=900) \
		prove -j$(JOBS) --timer -e tests/run $(PROVE_FLAGS) $(TESTS)

# The tests that need root, an engine for containers, and minutes.
SYSTEM_TESTS = $(sort $(wildcard tests/system/*.t))
check-system:
	@CC='$(CC)' sh tests/deps build demo check system deb
	@$(MAKE) $(SUBFLAGS) all build/venv/.done build/elasticmq/.done
	@WHK_BUILD='$(abspath $(B))' WHK_TEST_TIMEOUT=900 \
		prove --timer -e tests/run $(PROVE_FLAGS) $(SYSTEM_TESTS)

# Without a network the tests that need these are skipped; not so in CI.
build/venv/.done: tests/requirements.txt
	@echo "whk: making a Python environment in build/venv"
	@rm -rf build/venv
	@python3 -m venv build/venv && build/venv/bin/pip install -q \
		--disable-pip-version-check -r $< && touch $@ || \
		{ echo "whk: no Python packages"; [ -z "$(CI)" ]; }

build/elasticmq/.done: tests/elasticmq/pom.xml
	@echo "whk: fetching ElasticMQ's jars to build/elasticmq"
	@rm -rf $(@D) && mkdir -p $(@D)
	@mvn -q -B -f $< dependency:copy-dependencies -DincludeScope=runtime \
		-DoutputDirectory='$(CURDIR)/$(@D)' >$(@D)/log && touch $@ || \
		{ cat $(@D)/log; echo "whk: no ElasticMQ"; [ -z "$(CI)" ]; }

# In place of each program, a script of its name that runs it under valgrind.
UNDER_VALGRIND = valgrind -q --error-exitcode=99 --leak-check=full \
	--log-file="$${WHK_TEST_LOG:-/tmp}/valgrind.%p"
build/valgrind/.done: tests
	@rm -rf $(@D) && mkdir -p $(@D)/tests/unit $(@D)/tests/fuzz
	@for p in $(PROGRAMS) $(UNITS:$(B)/%=%) $(FUZZERS); do \
		printf '#!/bin/sh\nexec %s %s "$$@"\n' '$(UNDER_VALGRIND)' \
			'$(abspath $(B))'/"$$p" >$(@D)/$$p && \
		chmod +x $(@D)/$$p || exit 1; \
	done
	@touch $@

# Real fuzzing: each target for FUZZ_TIME seconds, by clang's libFuzzer. What
# it finds is kept in build/fuzz; a crash's input belongs in tests/fuzz/corpus.
FUZZ_TIME = 60
fuzz:
	@sh tests/deps build check
	@$(MAKE) $(SUBFLAGS) CC=clang \
		SANITIZE=fuzzer-no-link,address,undefined fuzz-run

fuzz-run: $(addprefix $(B)/fuzz/,$(notdir $(FUZZERS)))
	@for f in $(notdir $(FUZZERS)); do \
		echo "whk: fuzzing $$f for $(FUZZ_TIME) s"; \
		mkdir -p build/fuzz/$$f tests/fuzz/corpus/$$f && \
		$(B)/fuzz/$$f -max_total_time=$(FUZZ_TIME) -timeout=10 \
			-print_final_stats=0 -verbosity=0 \
			-artifact_prefix=build/fuzz/$$f- \
			build/fuzz/$$f tests/fuzz/corpus/$$f || exit 1; \
	done

$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(B)/common.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(LINK) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS)

# N faults at random, the same for the same SEED; see tests/chaos/chaos.py.
N = 1000
chaos: all
	@WHK_BUILD='$(abspath $(B))' WHK_TEST_FAULTS='$(N)' \
		WHK_TEST_SEED='$(SEED)' sh tests/chaos.t

lint:
	@sh tests/deps build lint
	@CC='$(CC)' CPPFLAGS='$(subst ','\'',$(WHK_CPPFLAGS))' sh tests/lint

# The size of each program as a distribution would strip it.
size: all
	@for p in $(PROGRAMS); do \
		$(STRIP) -o $(B)/stripped $(B)/$$p && \
		printf '%7d %s\n' "$$(stat -c %s $(B)/stripped)" $$p; \
	done; rm -f $(B)/stripped

# What a .deb or a user puts in place, and takes away again; beside it whk.env,
# which is the administrator's once it differs from the sample.
CONFIG = $(sysconfdir)/whk/whk.env
INSTALLED = \
	$(addprefix $(bindir)/,$(PROGRAMS)) \
	$(foreach p,$(notdir $(PAGES)), \
		$(mandir)/man$(subst .,,$(suffix $(p)))/$(p)) \
	$(addprefix $(bashcompletiondir)/,$(PROGRAMS)) \
	$(addprefix $(zshcompletiondir)/_,$(PROGRAMS)) \
	$(addsuffix .fish,$(addprefix $(fishcompletiondir)/,$(PROGRAMS))) \
	$(addprefix $(systemdsystemunitdir)/,$(SERVICES)) \
	$(sysusersdir)/whk.conf \
	$(docdir)/README

install: all $(PROGRAMS:%=install-%) install-etc
	@for p in $(PAGES); do $(INSTALL_DATA) -D $$p \
		'$(DESTDIR)$(mandir)'/man$${p##*.}/$${p##*/} || exit 1; done
	@$(INSTALL_DATA) -D README '$(DESTDIR)$(docdir)'/README
	@echo 'whk: $(words $(PROGRAMS)) programs are in $(DESTDIR)$(bindir)'

# One program, and its completions as it prints them itself.
c = $(B)/$*.complete
install-whk-%: $(B)/whk-%
	@$(INSTALL_PROGRAM) -D $< '$(DESTDIR)$(bindir)'/whk-$*
	@$< --completion bash >$(c)
	@$(INSTALL_DATA) -D $(c) '$(DESTDIR)$(bashcompletiondir)'/whk-$*
	@$< --completion zsh >$(c)
	@$(INSTALL_DATA) -D $(c) '$(DESTDIR)$(zshcompletiondir)'/_whk-$*
	@$< --completion fish >$(c)
	@$(INSTALL_DATA) -D $(c) '$(DESTDIR)$(fishcompletiondir)'/whk-$*.fish
	@rm -f $(c)

# Units and the sample say where the programs and the configuration are.
$(B)/etc/%: etc/% FORCE
	@mkdir -p $(@D)
	@cat $< $(if $(filter %.service,$@),etc/sandbox.conf) | \
		sed -e 's,/usr/bin/whk,$(bindir)/whk,g' \
			-e 's,/etc/whk/,$(sysconfdir)/whk/,g' >$@

install-etc: $(addprefix $(B)/etc/,$(SERVICES) whk.env)
	@for u in $(SERVICES); do $(INSTALL_DATA) -D $(B)/etc/$$u \
		'$(DESTDIR)$(systemdsystemunitdir)'/$$u || exit 1; done
	@$(INSTALL_DATA) -D etc/sysusers.conf \
		'$(DESTDIR)$(sysusersdir)'/whk.conf
	@[ -e '$(DESTDIR)$(CONFIG)' ] || \
		$(INSTALL) -m 600 -D $(B)/etc/whk.env '$(DESTDIR)$(CONFIG)'

install-strip:
	@$(MAKE) $(SUBFLAGS) install \
		INSTALL_PROGRAM='$(INSTALL) -s --strip-program=$(STRIP) -m 755'

uninstall: $(B)/etc/whk.env
	@for f in $(INSTALLED); do rm -f "$(DESTDIR)$$f" || exit 1; done
	@! cmp -s $< '$(DESTDIR)$(CONFIG)' || rm '$(DESTDIR)$(CONFIG)'
	@for d in $(docdir) $(dir $(CONFIG)); do \
		rmdir "$(DESTDIR)$$d" 2>/dev/null || :; done

# A package for Debian, built by its own tools in a directory of its own. Its
# maintainer is who builds it, if they say who they are, as to dch(1); its date
# that of the source, so that the same source makes the same package.
SOURCE_DATE = $$(git log -1 --format=%cD 2>/dev/null || date -R)
MAINTAINER = $${DEBFULLNAME:-whk} <$${DEBEMAIL:-nobody@example.org}>
deb:
	@CC='$(CC)' sh tests/deps build deb
	@rm -rf $(B)/deb && mkdir -p $(B)/deb/whk
	@cp -R etc/debian $(B)/deb/whk
	@for f in control changelog; do \
		sed -e 's/@VERSION@/$(VERSION)/' -e "s/@DATE@/$(SOURCE_DATE)/" \
			-e "s/@MAINTAINER@/$(MAINTAINER)/" etc/debian/$$f.in \
			>$(B)/deb/whk/debian/$$f || exit 1; \
	done
	@cd $(B)/deb/whk && TOP='$(CURDIR)' MAKEFLAGS= MAKEOVERRIDES= \
		dpkg-buildpackage -b -us -uc >../log 2>&1 || \
		{ tail -n 20 ../log; exit 1; }
	@echo whk: $(B)/deb/whk_*.deb

clean:
	rm -rf build

help:
	@echo 'make              builds the programs in build/'
	@echo 'make deps         installs what that needs (apt-get)'
	@echo 'make demo         shows the whole at work; KEEP=1 leaves it up'
	@echo 'make check        all tests; TESTS=... some; VALGRIND=1, JOBS=N'
	@echo 'make check-system the same in containers; needs root'
	@echo 'make lint         what the linters say'
	@echo 'make bench        how fast and how large it is; CASES=... some;'
	@echo '                  BASE=FILE compares; SMOKE=1 is short; MINUTES, SCALE'
	@echo 'make chaos        N=1000 faults at random, SEED=... the same again'
	@echo 'make fuzz         fuzzes, FUZZ_TIME seconds (60) for each target'
	@echo 'make install      prefix, bindir, mandir, DESTDIR ... say where'
	@echo 'make uninstall    removes what that put there'
	@echo 'make deb          builds a package for Debian'
	@echo 'make size         bytes of each program, stripped'
	@echo 'make clean        removes build/'
	@echo
	@echo 'CC=clang, SANITIZE=address,undefined, CFLAGS=... go with each;'
	@echo 'V=1 shows the commands.'

.PHONY: all tests deps demo bench chaos check check-run check-system fuzz \
	fuzz-run lint size install install-etc install-strip uninstall deb \
	clean help FORCE
.SECONDARY:
.DELETE_ON_ERROR:

-include $(wildcard $(B)/*.d $(B)/*/*.d $(B)/cmd/*/*.d $(B)/tests/*/*.d)
