# Helper of probe_peer.py: glmnet on matrices left in a folder by it.
#
#     Rscript probe_glmnet.R DIR lasso|path rows columns problems thresh threads
#
# DIR/x is f64 by columns, DIR/y f64 a problem after another, DIR/folds int32 from 1. lasso: a = .1,
# reached along a short path, as glmnet's manual advises. path: cv.glmnet, 100 penalties down to a
# thousandth. Prints wall (divided by threads) and CPU seconds of the fits alone; writes DIR/w and
# DIR/penalty.
suppressMessages({library(glmnet); library(parallel)})
word <- commandArgs(TRUE)
dir <- word[1]
size <- as.numeric(word[3:5])
thresh <- as.numeric(word[6])
x <- matrix(readBin(file.path(dir, "x"), "double", size[1] * size[2]), size[1], size[2])
y <- matrix(readBin(file.path(dir, "y"), "double", size[1] * size[3]), size[1], size[3])
folds <- readBin(file.path(dir, "folds"), "integer", size[1])

fixed <- function(p) {
    most <- max(abs(crossprod(x, y[, p]))) / size[1]
    path <- if (most > .1) exp(seq(log(most), log(.1), length.out = 10)) else .1
    fit <- glmnet(x, y[, p], lambda = path, standardize = FALSE, intercept = FALSE,
                  thresh = thresh, maxit = 1e7)
    list(w = as.numeric(fit$beta[, length(fit$lambda)]), penalty = .1)
}
chosen <- function(p) {
    fit <- cv.glmnet(x, y[, p], foldid = folds, nlambda = 100, lambda.min.ratio = 1e-3,
                     standardize = FALSE, intercept = FALSE, thresh = thresh)
    list(w = as.numeric(coef(fit, s = "lambda.min"))[-1], penalty = fit$lambda.min)
}

clocked <- function(p) {
    before <- proc.time()
    found <- if (word[2] == "lasso") fixed(p) else chosen(p)
    spent <- proc.time() - before
    c(found, wall = spent[["elapsed"]], cpu = spent[["user.self"]] + spent[["sys.self"]])
}
threads <- as.integer(word[7])
found <- mclapply(seq_len(size[3]), clocked, mc.cores = threads, mc.preschedule = FALSE)
writeBin(unlist(lapply(found, `[[`, "w")), file.path(dir, "w"))
writeBin(vapply(found, `[[`, 0, "penalty"), file.path(dir, "penalty"))
cat(sum(vapply(found, `[[`, 0, "wall")) / threads, sum(vapply(found, `[[`, 0, "cpu")), "\n")
