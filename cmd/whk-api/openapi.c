/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "whk-api/api.h"

/* The file beside this one, not indented, as the assembler takes it in. */
__asm__(".pushsection .rodata\n"
	"openapi_begin:\n"
	".incbin \"openapi.json\"\n"
	"openapi_end:\n"
	".popsection\n");
extern const char openapi_begin[], openapi_end[];

int
openapi_write(struct buf *b)
{
	static const char mark[] = "@VERSION@";
	size_t len = (size_t)(openapi_end - openapi_begin);
	const char *at = memmem(openapi_begin, len, mark, sizeof(mark) - 1);

	if (at == NULL)
		return -1;
	buf_add(b, openapi_begin, (size_t)(at - openapi_begin));
	buf_text(b, WHK_VERSION);
	at += sizeof(mark) - 1;
	buf_add(b, at, (size_t)(openapi_end - at));
	return b->failed ? -1 : 0;
}
