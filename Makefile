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
	-Wmissing-prototypes -Wvla -Wwrite-strings -Wformat=2 $(if $(CI),-Werror)
HARDENING = -fstack-protector-strong -fstack-clash-protection -fPIE \
	$(if $(SANITIZE),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
SAN_FLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer \
	-fno-sanitize-recover=all)

WHK_CPPFLAGS = -D_GNU_SOURCE -DWHK_VERSION='"$(VERSION)"' -Icommon -I$(B) \
	$(PKG_CFLAGS)
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
UNITS = $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*.c))
FUZZERS = $(patsubst %.c,%,$(filter-out tests/fuzz/main.c, \
	$(wildcard tests/fuzz/*.c)))

all: $(addprefix $(B)/,$(PROGRAMS))

# Every object depends on the commands that make one, so that another compiler
# or other flags build anew. What is missing on this machine is said first.
$(B)/flags: FORCE
	@CC='$(CC)' sh tests/deps -n build
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(COMPILE) $(LINK))' | \
		cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(COMPILE) $(LINK))' >$@

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(COMPILE) -MMD -MP -c -o $@ $<

$(B)/common.a: $(COMMON)
	@rm -f $@
	$(AR) rcs $@ $^

# The files of sql/ as one table of strings, for whk-init.
$(B)/schema-sql.c: $(SQL) common/sql2c.sh
	@mkdir -p $(@D)
	sh common/sql2c.sh $(SQL) >$@.tmp && mv $@.tmp $@
$(B)/schema-sql.o: $(B)/schema-sql.c $(B)/flags
	$(COMPILE) -Wno-overlength-strings -MMD -MP -c -o $@ $<

# cmd/whk-NAME.c, and what lies in cmd/whk-NAME/ where one file is not enough.
define program
$(B)/$(1): $(patsubst %.c,$(B)/%.o,cmd/$(1).c $(wildcard cmd/$(1)/*.c)) \
	$(B)/common.a
	$$(LINK) -o $$@ $$^ $$(PKG_LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/common.a
	$(LINK) -o $@ $^ -lcmocka $(PKG_LIBS)

# The fuzz targets as plain programs that go through their corpus.
$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/main.o $(B)/common.a
	$(LINK) -o $@ $^ $(PKG_LIBS)

deps:
	@sh tests/deps build

tests: all $(UNITS) $(addprefix $(B)/,$(FUZZERS))

clean:
	rm -rf build

.PHONY: all deps tests clean FORCE
.SECONDARY:
.DELETE_ON_ERROR:

-include $(shell find $(B) -name '*.d' 2>/dev/null)
