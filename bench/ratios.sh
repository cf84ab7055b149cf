#!/bin/sh
# Medians and ranges of ratios, peer over ours.
#
#     bench/ratios.sh FILE
#
# A line a round: ours wall, user, system; the peer's wall, CPU, and, where it reads and prepares
# within its wall time, wall without that (seconds).
awk '
function line(name, x,    i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && x[j] < x[j - 1]; j--) { t = x[j]; x[j] = x[j - 1]; x[j - 1] = t }
    printf "%-34s %8.1f  (%.1f to %.1f in %d rounds)\n", name,
        (x[int((n + 1) / 2)] + x[int(n / 2) + 1]) / 2, x[1], x[n], n
}
{
    n++; wall[n] = $4 / $1; cpu[n] = $5 / ($2 + $3); ours[n] = $1; peer[n] = $4
    if (NF > 5) { core[n] = $6 / $1; reads = 1 }
}
END {
    line("ours, seconds", ours)
    line("peer, seconds", peer)
    line("ratio, wall", wall)
    line("ratio, CPU", cpu)
    if (reads) line("ratio, peer without its reading", core)
}' "$1"
