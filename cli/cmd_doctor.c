/* rankprobe doctor: what was understood of a model, and whether it computes what it should. */
#include "cli/pairs.h"

static const char about[] =
    "Prints what was understood of a model: shapes, weights, score head, tokenizer, template, and "
    "the tokens of a sample pair, which is then run. With --reference, which "
    "tools/make_reference.py writes by way of transformers, it also compares tokens, scores and "
    "the activations of every layer and site; the last line is the verdict, and the exit code is 1 "
    "where something differs.";

int rp_cmd_doctor(int argc, char **argv)
{
    rp_doctor_options o;
    rp_error err = {0};
    char **operands;
    int n, code;

    rp_doctor_options_init(&o);
    const rp_opt options[] = {
        {"", 0, RP_OPT_FLAG, NULL, NULL, "what is looked at", NULL},
        RP_OPT_BASE(o),
        {"reference", 0, RP_OPT_STRING, &o.reference, "DIR",
         "reference dump of the same model, to compare with", NULL},
        {"query", 0, RP_OPT_STRING, &o.query, "TEXT", "query of the sample pair", NULL},
        {"document", 0, RP_OPT_STRING, &o.document, "TEXT", "document of the sample pair", NULL},
        RP_OPT_TEMPLATE(o.template_),
        {"", 0, RP_OPT_FLAG, NULL, NULL, "output", NULL},
        {"output", 'o', RP_OPT_STRING, &o.output, "FILE", "the report; - is standard output", NULL},
        {"memory", 0, RP_OPT_BYTES, &o.memory, "BYTES", "memory for the model's activations", NULL},
        {0},
    };
    const rp_usage usage = {
        .name = "doctor",
        .operands = "MODEL",
        .about = about,
        .example = "tools/make_reference.py rankllama reference\n"
                   "  rankprobe doctor rankllama --reference reference",
        .options = options,
        .min_operands = 1,
        .max_operands = 1,
    };

    code = rp_opt_parse(&usage, argc, argv, &operands, &n);
    if (code >= 0) return code;
    o.model = operands[0];
    o.threads = rp_cli_threads();
    return rp_cli_finish(rp_doctor(&o, rp_cli_host(), &err), &err);
}
