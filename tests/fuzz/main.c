/* SPDX-License-Identifier: ISC */
/*
 * Goes through a fuzz target's corpus without a fuzzer: each file as it is,
 * cut off and with bytes changed, the same ones each time. For "make check";
 * "make fuzz" does not use it.
 *
 * usage: TARGET [-n CHANGES] FILE...
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Marsaglia's xorshift: the same numbers everywhere. */
static uint32_t
next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* A copy of exactly this size, so that reading past it is noticed. */
static void
try(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if ((copy = malloc(size > 0 ? size : 1)) == NULL)
		err(1, NULL);
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

/* A few bytes changed, doubled or taken away. Returns the new size. */
static size_t
change(uint8_t *data, size_t size, uint32_t *state)
{
	static const uint8_t likely[] = "\"\\{}[],:\0\n\r\x80\xff \t0-.eE+/;=";

	for (uint32_t n = next(state) % 4 + 1; n > 0; n--) {
		size_t at;

		if (size == 0)
			return 0;
		at = next(state) % size;
		switch (next(state) % 5) {
		case 0:
			data[at] ^= (uint8_t)(1u << next(state) % 8);
			break;
		case 1:
			data[at] = likely[next(state) % sizeof(likely)];
			break;
		case 2:
			memmove(data + at, data + at + 1, size - at - 1);
			size--;
			break;
		case 3:
			if (size < INPUT_MAX) {
				memmove(data + at + 1, data + at, size - at);
				size++;
			}
			break;
		default:
			size = at;
		}
	}
	return size;
}

static size_t
read_file(const char *path, uint8_t *data)
{
	FILE *f;
	size_t size;

	if ((f = fopen(path, "rb")) == NULL)
		err(1, "%s", path);
	size = fread(data, 1, INPUT_MAX, f);
	if (ferror(f))
		err(1, "%s", path);
	fclose(f);
	return size;
}

int
main(int argc, char **argv)
{
	uint8_t *data, *changed;
	uint32_t state = 2463534242;
	long long changes = 200;
	const char *bad;
	int c;

	while ((c = getopt(argc, argv, "n:")) != -1) {
		if (c != 'n')
			return 2;
		changes = strtonum(optarg, 0, 1000000, &bad);
		if (bad != NULL)
			errx(2, "-n %s: %s", optarg, bad);
	}
	if ((data = malloc(INPUT_MAX)) == NULL ||
	    (changed = malloc(INPUT_MAX)) == NULL)
		err(1, NULL);
	try(data, 0);
	for (int i = optind; i < argc; i++) {
		size_t size = read_file(argv[i], data);

		try(data, size);
		for (long long n = 0; n < changes; n++) {
			memcpy(changed, data, size);
			try(changed, change(changed, size, &state));
		}
	}
	free(data);
	free(changed);
	return 0;
}
