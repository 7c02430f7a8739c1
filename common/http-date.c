/* SPDX-License-Identifier: ISC */
#include <curl/curl.h>
#include <string.h>
#include <time.h>

#include "http.h"

int64_t
http_retry_after(const char *value, int64_t now_ms)
{
	int64_t seconds = 0;
	time_t at;

	if (value[0] == '\0')
		return -1;
	if (value[strspn(value, "0123456789")] == '\0') {
		for (; *value != '\0' && seconds < INT32_MAX; value++)
			seconds = seconds * 10 + (*value - '0');
		return seconds * 1000;
	}
	at = curl_getdate(value, NULL);
	if (at == (time_t)-1)
		return -1;
	return at * INT64_C(1000) > now_ms ? at * INT64_C(1000) - now_ms : 0;
}
