"""How an HTML export looks: on a phone, in the dark, on paper, in either direction."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root{color-scheme:light dark;--paper:#f6f7f9;--card:#fff;--ink:#1c2230;--soft:#5d6678;--line:#dfe3ea;--code:#f1f3f7;
--user:#2459c4;--assistant:#0b7a5b;--tool:#8a5a00;--system:#7a3ea8;--user-card:#eef3fd}
@media (prefers-color-scheme:dark){:root{--paper:#12151b;--card:#1b2029;--ink:#e4e8ef;--soft:#98a2b5;--line:#2e3542;
--code:#141821;--user:#86acff;--assistant:#4fd1a8;--tool:#e5b04f;--system:#cf9df2;--user-card:#1c2640}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:50rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.5rem;line-height:1.25;margin:.25rem 0 .75rem;overflow-wrap:anywhere}
.session+.session{border-top:3px solid var(--line);margin-top:3rem;padding-top:2rem}
dl.facts{display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;margin:0 0 1rem;font-size:.85rem}
dl.facts div{display:flex;gap:.35rem;min-width:0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.message{background:var(--card);border:1px solid var(--line);border-inline-start:4px solid var(--role,var(--line));
border-radius:.6rem;padding:.7rem 1rem .8rem;margin:.8rem 0}
.user{--role:var(--user);background:var(--user-card)}
.assistant{--role:var(--assistant)}
.tool{--role:var(--tool)}
.system,.developer{--role:var(--system)}
.message header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.15rem .7rem;font-size:.82rem;color:var(--soft);
margin-bottom:.35rem}
.role{color:var(--role);font-weight:650;font-size:.95rem}
.message time{margin-inline-start:auto;white-space:nowrap}
.number{color:inherit;text-decoration:none}
.text{white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:plaintext;text-align:start}
pre,code{font:.84rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
pre{background:var(--code);border:1px solid var(--line);border-radius:.4rem;margin:.5rem 0;padding:.6rem .75rem;
max-height:26rem;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere;tab-size:4}
.label{font-size:.82rem;color:var(--soft);margin:.6rem 0 0;overflow-wrap:anywhere}
.label code{color:var(--ink);font-weight:600}
.label .id{font-weight:400;color:var(--soft)}
.label+pre{margin-top:.25rem}
footer{font-size:.8rem;color:var(--soft);margin-top:.5rem}
details{margin:.5rem 0}
summary{cursor:pointer;font-size:.85rem;color:var(--soft)}
@media (max-width:34rem){main{padding:1rem .6rem 2rem}.message{padding:.6rem .7rem}.message time{margin-inline-start:0}}
@media print{details::details-content{content-visibility:visible}
:root{color-scheme:light;--paper:#fff;--card:#fff;--user-card:#fff;--code:#fff;--ink:#000;--soft:#444;
--line:#bbb}body{font-size:10.5pt}main{max-width:none;padding:0}pre{max-height:none;overflow:visible}
.message header,.label{break-after:avoid}.session+.session{break-before:page;border:0}}
"""

_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

#: Nothing but this style: no scripts, no pictures, no forms, nothing from the network.
POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"
