/* tiktoken's files: a line is the base64 of a piece's bytes, a space and its rank, which is its id.
 */
#include "base/number.h"
#include "tokenizer/open.h"

#define LLAMA3_PATTERN                                                                             \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"                      \
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LLAMA3_SPECIAL 256 /* tokens behind the pieces */

/* ---- the lines ---- */

typedef struct line {
    const char *text; /* base64 [len] */
    size_t len;
    size_t rank;
} line;

/* The line at data[size] without its end; false when it is not of this kind. *next: behind it. */
static bool read_line(line *l, const char *data, size_t size, size_t *next)
{
    const char *newline = memchr(data, '\n', size), *space;
    size_t len = newline ? (size_t)(newline - data) : size;
    char number[16];
    *next = len + (newline != NULL);
    if (len && data[len - 1] == '\r') len--;
    space = memchr(data, ' ', len);
    if (!space) return false;
    size_t digits = len - (size_t)(space - data) - 1;
    if (!digits || digits >= sizeof number) return false;
    memcpy(number, space + 1, digits);
    number[digits] = '\0';
    *l = (line){data, (size_t)(space - data), 0};
    return rp_number_size(number, &l->rank);
}

bool rp_tiktoken_is(const char *data, size_t size)
{
    line l;
    size_t next;
    rp_text bytes = {0};
    bool is = read_line(&l, data, size, &next) && l.len && rp_base64_decode(&bytes, l.text, l.len);
    rp_text_release(&bytes);
    return is;
}

/* One line's piece, appended to text in visible bytes with a NUL behind it; where it begins goes to
 * at[rank], plus one. */
static rp_status add_piece(const line *l, size_t *at, size_t n, rp_text *text, rp_text *bytes,
                           size_t number, const char *path, rp_error *err)
{
    bytes->len = 0;
    if (!l->len || !rp_base64_decode(bytes, l->text, l->len))
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: '%.*s' is not base64", path, number,
                       l->len > 100 ? 100 : (int)l->len, l->text);
    if (l->rank >= n)
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: rank %zu is not below the number of lines",
                       path, number, l->rank);
    if (at[l->rank])
        return rp_fail(err, RP_EFORMAT, "'%s' line %zu: rank %zu is another piece's, too", path,
                       number, l->rank);
    at[l->rank] = text->len + 1;
    rp_status status = rp_byte_chars(text, bytes->data, bytes->len, err);
    return status ? status : rp_text_append(text, "", 1, err);
}

static size_t count_lines(const char *data, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) n += data[i] == '\n';
    return n + (size && data[size - 1] != '\n');
}

/* The pieces by rank, spelled in visible bytes that lie in text; both are the caller's. */
static rp_status read_pieces(rp_piece **piece, size_t *n, rp_text *text, const char *data,
                             size_t size, const char *path, rp_error *err)
{
    rp_text bytes = {0};
    size_t number = 0, *at = NULL;
    rp_status status = RP_OK;
    *n = count_lines(data, size);
    *piece = NULL;
    if (*n > RP_PIECE_LIMIT)
        return rp_fail(err, RP_ENOMEM, "'%s': there are more than %zu lines", path, RP_PIECE_LIMIT);
    at = rp_alloc(*n, sizeof *at);
    *piece = rp_alloc(*n, sizeof **piece);
    if (!at || !*piece) status = rp_fail_memory(err, *n * sizeof **piece);
    for (size_t i = 0, next; i < size && !status; i += next) {
        line l;
        number++;
        if (!read_line(&l, data + i, size - i, &next))
            status =
                rp_fail(err, RP_EFORMAT, "'%s' line %zu is not a piece and its rank", path, number);
        else
            status = add_piece(&l, at, *n, text, &bytes, number, path, err);
    }
    for (size_t i = 0; i < *n && !status; i++) {
        const char *p = text->data + at[i] - 1;
        (*piece)[i] = (rp_piece){p, strlen(p), 0, RP_PIECE_NORMAL};
    }
    rp_text_release(&bytes);
    free(at);
    return status;
}

/* ---- Llama 3 ---- */

/* The names that transformers' conversion gives to the tokens behind the pieces. */
static json_t *llama3_tokens(void)
{
    static const char *const first[] = {"begin_of_text",
                                        "end_of_text",
                                        "reserved_special_token_0",
                                        "reserved_special_token_1",
                                        "finetune_right_pad_id",
                                        "reserved_special_token_2",
                                        "start_header_id",
                                        "end_header_id",
                                        "eom_id",
                                        "eot_id",
                                        "python_tag"};
    const size_t named = sizeof first / sizeof *first;
    json_t *list = json_array();
    for (size_t i = 0; i < LLAMA3_SPECIAL; i++) {
        char name[64];
        if (i < named)
            snprintf(name, sizeof name, "<|%s|>", first[i]);
        else
            snprintf(name, sizeof name, "<|reserved_special_token_%zu|>", i - named + 3);
        if (json_array_append_new(list, rp_recipe_token(name, strlen(name), true))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static rp_status check_bytes(const rp_lexicon *lexicon, const char *path, rp_error *err)
{
    for (unsigned b = 0; b < 256; b++) {
        char c[4];
        size_t n = rp_utf8_put(c, rp_byte_char((unsigned char)b));
        if (rp_dict_id(&lexicon->pieces, c, n) < 0)
            return rp_fail(err, RP_EFORMAT, "'%s': there is no piece for the byte 0x%02x", path, b);
    }
    return RP_OK;
}

rp_status rp_recipe_from_tiktoken(rp_recipe *recipe, const char *data, size_t size,
                                  const rp_settings *settings, rp_error *err)
{
    static const char *const roles[RP_NROLES] = {
        [RP_BOS] = "<|begin_of_text|>", [RP_EOS] = "<|end_of_text|>"};
    const rp_derive_options options = {.bytes = true, .ignore_merges = true, .by_left = true};
    rp_piece *piece;
    rp_text text = {0};
    size_t n;
    rp_class class;
    rp_status status = rp_class_find(&class, settings, err);
    if (status) return status;
    if (*class.name && strcmp(class.name, "LlamaTokenizer"))
        return rp_class_fail(&class, "a tiktoken model", err);
    status = read_pieces(&piece, &n, &text, data, size, settings->path, err);
    if (!status) status = rp_bpe_derive(&recipe->lexicon, piece, n, &options, settings->path, err);
    free(piece);
    rp_text_release(&text);
    if (!status) status = check_bytes(recipe->lexicon, settings->path, err);
    if (!status)
        status = rp_recipe_set(recipe, "pre_tokenizer",
                               json_pack("{s:s, s:[{s:s, s:{s:s}, s:s}, {s:s, s:b, s:b}]}", "type",
                                         "Sequence", "pretokenizers", "type", "Split", "pattern",
                                         "Regex", LLAMA3_PATTERN, "behavior", "Isolated", "type",
                                         "ByteLevel", "add_prefix_space", 0, "use_regex", 0),
                               err);
    if (!status) status = rp_recipe_llama_template(recipe, settings, err);
    if (status) return status;
    recipe->bytes = true;
    rp_recipe_set_roles(recipe, settings, roles);
    /* a list in tokenizer_config.json takes the place of Llama 3's */
    bool listed = json_object_get(settings->config, "added_tokens_decoder") != NULL;
    return rp_recipe_add_tokens(recipe, listed ? json_array() : llama3_tokens(), settings, err);
}
