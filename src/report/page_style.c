/* The page's style sheet and its few lines of script. */
#include <stdio.h>

#include "report/page.h"
#include "report/palette.h"

static const char base[] =
    "*{box-sizing:border-box}"
    "html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}"
    "body{margin:0;background:var(--paper);color:var(--ink);"
    "font:16px/1.6 system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif}"
    "main,header>div,footer{max-width:1240px;margin:0 auto;padding:0 20px}"
    "header{border-bottom:1px solid var(--grid);padding:44px 0 22px}"
    "h1{font-size:clamp(1.6rem,4.4vw,2.5rem);line-height:1.15;margin:0 0 "
    "10px;letter-spacing:-.02em}"
    "h2{font-size:1.45rem;letter-spacing:-.01em;margin:0 0 6px}"
    "h3{font-size:1.05rem;margin:26px 0 6px}"
    "section{padding:38px 0 8px}"
    "p,ul,ol{max-width:46em;margin:8px 0 14px}"
    "a{color:var(--sound)}"
    "code,.mono{font:.87em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;"
    "overflow-wrap:anywhere}"
    ".sub,.note,figcaption{color:var(--muted);font-size:.92rem}"
    "nav{display:flex;gap:4px 18px;flex-wrap:wrap;font-size:.92rem;margin-top:14px}"
    "nav a{text-decoration:none}nav a:hover{text-decoration:underline}";

static const char tiles[] =
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:14px;"
    "margin:18px 0}"
    ".tile{background:var(--card);border:1px solid var(--grid);border-top:4px solid var(--muted);"
    "border-radius:10px;padding:14px 18px}"
    ".tile b{font-size:2.1rem;line-height:1.1;font-weight:650;letter-spacing:-.02em;"
    "font-variant-numeric:tabular-nums}.tile i{font-style:normal;color:var(--muted)}"
    ".tile small{font-weight:400;color:var(--muted)}"
    ".tile p{margin:6px 0 0;font-size:.95rem;line-height:1.4}"
    ".tile.published{border-top-color:var(--published)}.tile.sound{border-top-color:var(--sound)}"
    ".tile.within{border-top-color:var(--within)}"
    ".says{padding-left:1.1em}.says li{margin:8px 0}";

static const char tables[] =
    ".bleed{width:min(100vw - 40px,1600px);margin-left:calc(50% - min(100vw - "
    "40px,1600px)/2)!important}"
    ".wide{overflow-x:auto;border:1px solid var(--grid);border-radius:10px;background:var(--card);"
    "margin:14px 0}"
    "table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums;width:100%}"
    "th,td{padding:3px 8px;line-height:1.4;text-align:right;white-space:nowrap;border-bottom:1px "
    "solid "
    "var(--grid)}"
    "tbody tr:last-child>*{border-bottom:0}tbody tr:hover>*{background:var(--hover)}"
    "thead th{font-weight:600;color:var(--muted);font-size:.82rem;vertical-align:bottom}"
    "thead .group th{color:var(--ink);text-align:center;border-bottom:2px solid var(--grid)}"
    "thead .group .published{border-bottom-color:var(--published)}"
    "thead .group .sound{border-bottom-color:var(--sound)}"
    "thead .group .within{border-bottom-color:var(--within)}"
    "th:first-child,td:first-child{text-align:left}"
    "th[scope=row],thead th:first-child{position:sticky;left:0;background:var(--card);z-index:1}"
    "th[scope=row]{font-weight:400;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"
    "monospace;"
    "font-size:.82rem}"
    "td.text{text-align:left}td small{color:var(--muted);font-size:.8em}"
    "button.sort{all:unset;cursor:pointer}button.sort:hover,button.sort:focus-visible"
    "{color:var(--ink);text-decoration:underline}"
    "th[aria-sort=descending] .sort::after{content:' \\2193'}"
    "th[aria-sort=ascending] .sort::after{content:' \\2191'}"
    ".pill{display:inline-block;min-width:6.2em;text-align:center;border-radius:99px;padding:0 6px;"
    "font-size:.74rem;line-height:1.6;border:1px solid var(--grid);color:var(--muted)}"
    ".pill.strong{background:var(--sound);border-color:var(--sound);color:var(--on-tile)}"
    ".pill.intermediate{border-color:var(--sound);color:var(--sound)}"
    ".pill.yes{background:var(--within);border-color:var(--within);color:var(--on-tile);min-width:"
    "3em}"
    ".pill.no{min-width:3em}"
    ".up{color:var(--within)}.down{color:var(--series-2)}";

static const char figures[] =
    "figure{margin:14px 0 22px}"
    "figure svg{display:block;width:100%;height:auto;overflow:visible}"
    "figcaption{max-width:52em;margin-top:8px}"
    ".card{background:var(--card);border:1px solid var(--grid);border-radius:10px;padding:10px}"
    ".panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));"
    "gap:12px}"
    ".scroll{overflow-x:auto}.scroll svg{margin:0 auto}"
    ".key{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:.9rem;margin:4px 0 6px;"
    "list-style:none;padding:0}"
    ".key li::before{content:'';display:inline-block;width:10px;height:10px;border-radius:50%;"
    "margin-right:7px;background:var(--c)}.key .diamond::before{border-radius:0;"
    "transform:rotate(45deg) scale(.85)}"
    ".tabs>input{position:absolute;opacity:0;pointer-events:none}"
    ".tabs>label{display:inline-block;padding:5px 15px;border:1px solid var(--grid);"
    "border-radius:99px;font-size:.9rem;cursor:pointer;margin:8px 8px 12px 0;color:var(--muted)}"
    ".tabs>input:checked+label{background:var(--sound);border-color:var(--sound);"
    "color:var(--on-tile)}"
    ".tabs>input:focus-visible+label{outline:2px solid var(--ink);outline-offset:2px}"
    ".tabs>div{display:none}"
    "details{margin:12px 0}summary{cursor:pointer;font-weight:600}"
    "dl{display:grid;grid-template-columns:minmax(7em,max-content) 1fr;gap:4px 18px;"
    "font-size:.9rem}dt{color:var(--muted)}dd{margin:0;min-width:0;overflow-wrap:anywhere}"
    "footer{color:var(--muted);font-size:.88rem;padding:30px 20px 50px}"
    "@media(max-width:620px){section{padding:28px 0 4px}header{padding:28px 0 16px}"
    "main,header>div{padding:0 14px}dl{grid-template-columns:1fr}dd{margin-bottom:8px}"
    ".card{padding:6px}.bleed{width:auto;margin-left:0!important}th[scope=row]{max-width:10.5em;"
    "overflow:hidden;text-overflow:ellipsis}"
    "th,td{padding:5px 8px}}"
    "@media print{.tabs>div{display:block!important}nav,.tabs>label{display:none}"
    ".wide,.scroll{overflow:visible}}";

static void put_colours(rp_html *html, bool dark)
{
    const rp_colour *colour;
    char text[48];
    for (size_t i = 0; (colour = rp_palette_at(i)); i++) {
        snprintf(text, sizeof text, "%s:#%06x;", colour->variable,
                 dark ? colour->dark : colour->light);
        rp_html_put(html, "%h", text);
    }
    rp_html_put(html, "%h",
                dark ? "--paper:#11151c;--card:#171c25;--hover:#1f2631;--ink:#e6eaf0"
                     : "--paper:#fafbfc;--card:#fff;--hover:#f2f5f9;--ink:#1b212b");
}

void rp_page_put_style(rp_html *html)
{
    rp_html_put(html, "<style>:root{color-scheme:light dark;");
    put_colours(html, false);
    rp_html_put(html, "}@media(prefers-color-scheme:dark){:root{");
    put_colours(html, true);
    rp_html_put(html, "}}%h%h%h%h", base, tiles, tables, figures);
    /* The n-th radio button of a group shows its n-th block. */
    for (size_t i = 1; i <= 8; i++)
        rp_html_put(html, ".tabs>input:nth-of-type(%z):checked~div:nth-of-type(%z){display:block}",
                    i, i);
    rp_html_put(html, "</style>\n");
}

void rp_page_put_script(rp_html *html)
{
    static const char script[] =
        "<script>document.querySelectorAll('button.sort').forEach(function(b){"
        "b.addEventListener('click',function(){var h=b.parentNode,r=h.parentNode,"
        "t=h.closest('table'),n=[].indexOf.call(r.children,h),"
        "d=h.getAttribute('aria-sort')=='descending'?1:-1,k=t.tBodies[0],"
        "v=function(x){return x.children[n].getAttribute('data-v')};"
        "[].forEach.call(r.children,function(x){x.removeAttribute('aria-sort')});"
        "h.setAttribute('aria-sort',d<0?'descending':'ascending');"
        "[].slice.call(k.rows).sort(function(x,y){var p=v(x),q=v(y),i=parseFloat(p),"
        "j=parseFloat(q);if(p===''||q==='')return(p==='')-(q==='');"
        "return isNaN(i)||isNaN(j)?d*p.localeCompare(q):d*(i-j)})"
        ".forEach(function(x){k.appendChild(x)})})})</script>\n";
    rp_html_put(html, "%h", script);
}
