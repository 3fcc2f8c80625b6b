// How the page of `report` looks, beyond what all pages have (src/base/html.h).
//
// Made for 360 pixels of width and more; nothing may be wider than the page.
#pragma once

namespace backstitch::engine {

inline constexpr char kReportStyle[] = R"css(
:root{--soft:#f5f6f8;--full:#1d4fae;--diff:#0f7f74;--incr:#6f9fe0;
--copy:#8f57bd;--none:#c9ced5;--changed:#c3d6f3;--stored:#2f66c4;
--late:#a3172b24}
@media(prefers-color-scheme:dark){:root{--soft:#1b1f25;--full:#7fadff;
--diff:#45bfae;--incr:#4a73b4;--copy:#b98be3;--none:#3b434d;--changed:#2c4266;
--stored:#6f9eef;--late:#ff8c9333}}
body{font-size:15px;line-height:1.45;max-width:66rem;padding:1.25rem 1rem 3rem;
font-variant-numeric:tabular-nums}
h1{font-size:1.35rem;line-height:1.25;letter-spacing:-.01em}
h2{font-size:1.1rem;margin:0;display:flex;flex-wrap:wrap;gap:.2rem .6rem;
align-items:baseline}
a{color:inherit;text-decoration-color:var(--none);text-underline-offset:.15em}
a:hover{text-decoration-color:currentColor}
.muted,figcaption,.axis,summary,th{color:var(--muted)}
.sub{margin:0 0 1rem;color:var(--muted)}
.verdict{margin:0 0 1.5rem;padding:.7rem 1rem;background:var(--soft);
border-left:.25rem solid var(--good)}
.verdict.bad{border-color:var(--bad);color:inherit}
.verdict p{margin:.1rem 0}
.chip{font-size:.78rem;font-weight:600;white-space:nowrap;color:var(--muted)}
.chip:before{content:"";display:inline-block;width:.55em;height:.55em;
border-radius:50%;background:currentColor;margin-right:.4em}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
table{border-collapse:collapse;width:100%}
th{font-weight:400;font-size:.8rem;text-align:left}
td,th{padding:.35rem .75rem .35rem 0;vertical-align:middle;
border-bottom:1px solid var(--line)}
td:last-child,th:last-child{padding-right:0}
.n{text-align:right;white-space:nowrap}
.over .name{font-weight:600;max-width:16rem}
.over .days{width:13rem}.over .days svg{height:1.25rem}
.over td{font-size:.9rem}
svg{display:block;width:100%}
svg path{fill:none;stroke:currentColor}
.time path,.days path{vector-effect:non-scaling-stroke}
.time path{stroke-width:2px}.days path{stroke-width:4.5px}
svg .full{stroke:var(--full)}svg .differential{stroke:var(--diff)}
svg .incremental{stroke:var(--incr)}svg .copy{stroke:var(--copy)}
svg .none{stroke:var(--none)}svg .changed{stroke:var(--changed)}
svg .gone{stroke:var(--bad)}svg .stored{stroke:var(--stored)}svg .late{fill:var(--late)}
svg .line{stroke:var(--line);vector-effect:non-scaling-stroke;stroke-width:1px}
section{border-top:1px solid var(--line);margin-top:2rem;padding-top:1.25rem}
.problems{margin:.5rem 0 0;padding:0;list-style:none;color:var(--bad)}
.cols{display:flex;flex-wrap:wrap;gap:.75rem 2rem;margin:.75rem 0 0}
.cols div{flex:1 1 20rem;min-width:0}
.cols dl{margin:0;gap:.1rem 1rem;font-size:.9rem}
figure{margin:1rem 0 0;min-width:0}
figcaption{font-size:.8rem;display:flex;flex-wrap:wrap;gap:0 .9rem;
margin-bottom:.3rem}
figcaption b{color:var(--fg);font-weight:600}
.cols .screen{flex:0 1 18rem;margin:0}
.screen img{display:block;border-radius:.25rem;width:100%}
.screen figcaption{display:block;margin:.3rem 0 0}
.key:before{content:"";display:inline-block;width:.6em;height:.6em;
margin-right:.35em;background:currentColor}
.key.full:before{background:var(--full)}.key.copy:before{background:var(--copy)}
.key.differential:before{background:var(--diff)}
.key.incremental:before{background:var(--incr)}
.key.changed:before{background:var(--changed)}
.key.stored:before{background:var(--stored)}
.time svg{height:1.6rem;border-bottom:1px solid var(--none)}
.plot{position:relative;border-bottom:1px solid var(--none)}
.plot svg{height:7rem}
.plot span{position:absolute;left:0;font-size:.7rem;line-height:1.2;
color:var(--muted);background:var(--bg);padding-right:.3rem;
transform:translateY(50%)}
.axis{display:flex;white-space:nowrap;min-width:max-content;max-width:100%;justify-content:space-between;gap:1rem;font-size:.75rem;
margin-top:.15rem}
details{margin-top:.9rem}summary{font-size:.85rem;cursor:pointer}
.points{font-size:.8rem;margin-top:.4rem}
.points td,.points th{padding:.15rem .9rem .15rem 0}
footer{margin-top:2.5rem;font-size:.8rem;color:var(--muted)}
.over tr:last-child td{border:0}
@media(max-width:46rem){
.over thead{display:none}
.over,.over tbody{display:block}
.over tr{display:flex;flex-wrap:wrap;gap:.1rem .9rem;padding:.6rem 0;
align-items:baseline;border-bottom:1px solid var(--line)}
.over td{border:0;padding:0;font-size:.8rem;color:var(--muted)}
.over .name{flex:1 1 0;min-width:0;max-width:none;font-size:1rem;
color:var(--fg)}
.over .days{flex:1 0 100%;order:1;margin:.15rem 0}
.over .when,.over .n,.over .seen{order:2}
.over .unit:after{content:" points"}.over .unit.one:after{content:" point"}
.points td,.points th{padding-right:.5rem}.points .wide{display:none}
.cols .screen{flex-basis:100%}.axis .middle{display:none}
}
@media print{body{max-width:none}section{break-inside:avoid}}
)css";

}  // namespace backstitch::engine
