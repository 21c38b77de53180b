"""How a page looks: on a phone, in the dark, on paper."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root{color-scheme:light dark;--paper:#f6f7f9;--card:#fff;--ink:#1c2230;--soft:#5d6678;--line:#dfe3ea;--good:#0b7a5b;
--bad:#b3261e;--s0:#2a6fdb;--s1:#e07a1f;--s2:#1f9d78;--s3:#b8408f;--s4:#8a6d1d;--s5:#5b5bd6;--s6:#c2483d;--s7:#7c8698}
@media (prefers-color-scheme:dark){:root{--paper:#12151b;--card:#1b2029;--ink:#e4e8ef;--soft:#98a2b5;--line:#2e3542;
--good:#4fd1a8;--bad:#ff8a80;--s0:#6ea8ff;--s1:#ffab5c;--s2:#4fd1a8;--s3:#f08cc8;--s4:#d9b95c;--s5:#a3a3ff;--s6:#ff8f85;
--s7:#9aa5b8}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:64rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.6rem;line-height:1.2;margin:.25rem 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:0 0 .6rem}
p{margin:.4rem 0}
.soft{color:var(--soft);font-size:.88rem;overflow-wrap:anywhere}
section{background:var(--card);border:1px solid var(--line);border-radius:.7rem;padding:1rem 1.1rem;margin:1rem 0}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.7rem;margin:1rem 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:.7rem;padding:.7rem .9rem}
.card b{display:block;font-size:1.35rem;font-weight:650;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.up,.down,.same{font-size:.82rem;color:var(--soft)}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;margin:.3rem 0 .6rem;padding:0;font-size:.85rem}
.legend li{overflow-wrap:anywhere}
.chip{display:inline-block;width:.8em;height:.8em;border-radius:.2em;margin-inline-end:.4em}
.s0{background:var(--s0)}.s1{background:var(--s1)}.s2{background:var(--s2)}.s3{background:var(--s3)}
.s4{background:var(--s4)}.s5{background:var(--s5)}.s6{background:var(--s6)}.s7{background:var(--s7)}
svg{display:block;width:100%;height:auto;stroke-linejoin:round;stroke-linecap:butt}
svg text{font-family:inherit}
.narrow{display:none}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{text-align:start;padding:.35rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600;white-space:nowrap}
td.n,th.n{text-align:end;white-space:nowrap}
td.t{overflow-wrap:anywhere;min-width:8rem;unicode-bidi:plaintext}
details{margin-top:.6rem}
summary{cursor:pointer;font-size:.85rem;color:var(--soft)}
@media (max-width:40rem){main{padding:1rem .6rem 2rem}section{padding:.8rem .7rem}.wide{display:none}
.narrow{display:block}}
@media print{details::details-content{content-visibility:visible}
:root{color-scheme:light;--paper:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--s0:#2a6fdb;--s1:#e07a1f;--s2:#1f9d78;
--s3:#b8408f;--s4:#8a6d1d;--s5:#5b5bd6;--s6:#c2483d;--s7:#7c8698}
body{font-size:10pt}main{max-width:none;padding:0}section,.card{break-inside:avoid}.wide{display:block}.narrow{display:none}
.scroll{overflow:visible}*{print-color-adjust:exact}}
"""

_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

#: Nothing but this style: no scripts, no pictures, no forms, nothing from the network.
POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"

#: Colours that series have, each with a class and a variable of its number.
SERIES = 8
