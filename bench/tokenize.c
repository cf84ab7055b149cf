/* Encodes the texts of a collection with one thread: prints tokens and seconds. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/memory.h"
#include "tokenizer/tokenizer.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    rp_tokenizer *tok = NULL;
    rp_lines *lines = NULL;
    rp_text all = {0};
    rp_ids ids = {0};
    rp_error err = {0};
    rp_status status = RP_EARG;
    char *line = NULL;
    size_t len, tokens = 0;
    if (argc != 3) goto done;
    status = rp_tokenizer_open(&tok, argv[1], &err);
    if (!status) status = rp_lines_open(&lines, argv[2], &err);
    do {
        if (!status) status = rp_lines_next(lines, &line, &len, &err);
        if (!status && line) status = rp_text_append(&all, line, len + 1, &err); /* with its NUL */
    } while (!status && line);
    double start = now();
    for (size_t i = 0; i < all.len && !status; i += len + 1) {
        len = strlen(all.data + i);
        const char *tab = memchr(all.data + i, '\t', len), *text = tab ? tab + 1 : all.data + i;
        ids.n = 0;
        status = rp_tokenizer_encode(tok, &ids, text, strlen(text), &err);
        tokens += ids.n;
    }
    printf("%zu %.4f\n", tokens, now() - start);
done:
    if (status) fprintf(stderr, "tokenize TOKENIZER COLLECTION: %s\n", err.text);
    rp_ids_release(&ids);
    rp_text_release(&all);
    rp_lines_free(lines);
    rp_tokenizer_free(tok);
    return status != RP_OK;
}
