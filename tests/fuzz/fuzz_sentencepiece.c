#include "fuzz/tokenize.h"

/* The bytes are a SentencePiece model, read by its own options, as LlamaTokenizer's (the second
 * byte is odd), and as XLM-RoBERTa's, whose name it has. */
int rp_fuzz_one(const uint8_t *data, size_t n)
{
    static const char llama[] = "{\"tokenizer_class\":\"LlamaTokenizer\"}", none[] = "{}";
    bool odd = n > 1 && data[1] % 2;
    const char *dir =
        rp_fuzz_dir_file("tokenizer_config.json", (const uint8_t *)(odd ? llama : none),
                         odd ? sizeof llama - 1 : sizeof none - 1);
    rp_fuzz_dir_file("tokenizer.model", data, n);
    rp_fuzz_dir_file("sentencepiece.bpe.model", data, n);
    tokenize_file(dir, "tokenizer.model", data, n);
    tokenize_file(dir, "sentencepiece.bpe.model", data, n);
    return 0;
}
