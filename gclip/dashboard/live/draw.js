// From the numbers to plotly traces: one drawing routine for each kind of line.
import { flow, flowRange, ratio, sample, scatter, target } from "./recurrent.js";
import { lastUpTo, thin } from "./series.js";

const LOW_DECADE = -10;
const BINS_PER_DECADE = 2;

// Every kind takes (run, trace template, view) and returns what to lay over the template.
const KINDS = { line, chosen, clipped, rate, layers, histogram, elements, flow, ratio, sample, scatter };

export function traces(chart, runs, view) {
  const drawn = [];
  if (chart.id === "flow") view.flowRange = flowRange(runs);
  for (const template of chart.figure.data) {
    const run = runs[template.meta.run];
    const shown = run.old ?? run;
    const faded = shown === run ? 1 : 0.35;
    const label = view.labels[template.meta.run];
    const name = template.meta.tensor ? `${label}: ${template.meta.tensor}` : label;
    const base = { ...template, name, opacity: (template.opacity ?? 1) * faded };
    for (const part of KINDS[template.meta.kind](shown, base, { ...view, chart, index: template.meta.run })) drawn.push(part);
  }
  if (chart.id === "epochs" && view.tutorial.length) drawn.push(stars(view));
  const ideal = target(chart, view);
  if (ideal) drawn.unshift(ideal);
  return drawn;
}

// What the tutorial printed, at the last step.
function stars(view) {
  return { type: "scatter", mode: "markers", name: "", x: view.tutorial.map(() => view.total - 1), y: view.tutorial.map((t) => t.value),
    text: view.tutorial.map((t) => t.text), hovertemplate: "%{text}", marker: { symbol: "star-open", size: 11, color: view.text } };
}

function window_(run, name, view) {
  const perEpoch = view.stepsPerEpoch;
  const epochs = name === "train_loss" || name === "test_loss";
  const rows = run.rows(name);
  const x = epochs ? (i) => (i + 1) * perEpoch - 1 : (i) => i;
  const seen = epochs ? Math.floor((view.head + 1) / perEpoch) : view.head + 1;
  const to = Math.max(0, Math.min(rows, seen));
  if (!view.range) return { x, from: 0, to };
  const scale = epochs ? perEpoch : 1;
  const from = Math.max(0, Math.floor(view.range[0] / scale) - 1);
  return { x, from: Math.min(from, to), to: Math.min(to, Math.ceil(view.range[1] / scale) + 2) };
}

function reader(run, name, view, offset = 0) {
  const column = run.columns[name];
  const scale = view.chart.loss ? view.scales[view.index] : 1;
  if (!column) return () => NaN;
  return (i) => column.data[i * column.width + offset] / scale;
}

// A line: finite values drawn, zeros (on a log axis) and non-finite values marked on rails, never left out silently.
function line(run, base, view, offset = 0) {
  const name = base.meta.series;
  const { x, from, to } = window_(run, name, view);
  const at = reader(run, name, view, offset);
  const points = thin(at, from, to, view.buckets);
  const log = view.chart.log;
  const fits = (v) => Number.isFinite(v) && (!log || v > 0);
  const xs = points.map(x);
  const ys = points.map((i) => { const v = at(i); return fits(v) ? v : null; });
  const single = ys.filter((y) => y !== null).length < 2;
  const drawn = [{ ...base, x: xs, y: ys, mode: single || to - from < 30 ? "lines+markers" : "lines",
    marker: { ...base.marker, symbol: view.symbols[view.index], size: 5 } }];
  if (name === "threshold") { drawn[0].mode = "lines"; return drawn; }
  const band = bandOf(run, base, view, points, x);
  if (band) drawn.unshift(band);
  drawn.push(rail(base, view, points, x, at, ys), cross(run, base, view, xs, ys));
  return drawn.filter(Boolean);
}

function bandOf(run, base, view, points, x) {
  const name = base.meta.series;
  if (!run.columns[`${name}.low`] || base.meta.tensor === "train" || base.meta.tensor === "raw") return null;
  const low = reader(run, `${name}.low`, view), high = reader(run, `${name}.high`, view);
  const fits = (i) => Number.isFinite(low(i)) && Number.isFinite(high(i)) && (!view.chart.log || low(i) > 0);
  const kept = points.filter(fits);
  const back = [...kept].reverse();
  return { ...base, x: [...kept, ...back].map(x), y: [...kept.map(high), ...back.map(low)], mode: "lines", fill: "toself",
    fillcolor: base.line.color, opacity: 0.16 * (base.opacity ?? 1), line: { width: 0 }, hoverinfo: "skip", hovertemplate: null };
}

// Zeros below a log axis and the first point of each non-finite stretch above it, as open triangles with their value.
function rail(base, view, points, x, at, ys) {
  const odd = [];
  let previous = "";
  for (const i of points) {
    const v = at(i);
    const kind = Number.isNaN(v) ? "NaN" : !Number.isFinite(v) ? "Inf" : v === 0 && view.chart.log ? "0" : "";
    if (kind && kind !== previous) odd.push([x(i), kind]);
    previous = kind;
  }
  if (!odd.length) return null;
  const finite = ys.filter((y) => y !== null);
  const low = finite.length ? Math.min(...finite) : 0.1, high = finite.length ? Math.max(...finite) : 1;
  const place = { 0: view.chart.log ? low / 3 : low, NaN: view.chart.log ? high * 3 : high, Inf: view.chart.log ? high * 3 : high };
  return { ...base, x: odd.map((o) => o[0]), y: odd.map((o) => place[o[1]]), text: odd.map((o) => `${o[1]} from step ${o[0]}`),
    mode: "markers", hovertemplate: "%{text}",
    marker: { ...base.marker, size: 9, symbol: odd.map((o) => (o[1] === "0" ? "triangle-down-open" : "triangle-up-open")) } };
}

function cross(run, base, view, xs, ys) {
  const diverged = run.info.diverged[0];
  if (diverged === undefined || diverged > view.head) return null;
  let last = ys.length - 1;
  while (last >= 0 && (ys[last] === null || xs[last] > diverged)) last -= 1;
  if (last < 0) return null;
  return { ...base, x: [xs[last]], y: [ys[last]], mode: "markers", hovertemplate: "last finite value %{y:.3~g}",
    marker: { color: base.line.color, size: 12, symbol: "x", line: { width: 1, color: view.background } } };
}

// Steps whose gradient was changed, as ticks on the raw norm: where there are many, the first of each bucket.
function clipped(run, base, view) {
  const { from, to } = window_(run, "clipped", view);
  const flag = reader(run, "clipped", view), norm = reader(run, "total_norm", view);
  const width = Math.max(1, Math.ceil((to - from) / 60));
  const xs = [], ys = [];
  for (let i = from, free = from; i < to; i++) {
    if (i < free || !(flag(i) > 0 && Number.isFinite(norm(i)) && norm(i) > 0)) continue;
    xs.push(i);
    ys.push(norm(i));
    // Buckets begin at multiples of their width, so that ticks stay where they are as the run grows.
    free = (Math.floor(i / width) + 1) * width;
  }
  return [{ ...base, x: xs, y: ys }];
}

// The share of clipped steps in a window of one epoch, or of more where points lie further apart: no step is passed over.
function rate(run, base, view) {
  const { from, to } = window_(run, "clipped", view);
  const stride = Math.max(1, Math.floor((to - from) / 300));
  const share = shares(run, reader(run, "clipped", view), to, Math.max(view.stepsPerEpoch, stride));
  const xs = [];
  for (let i = from; i < to; i += stride) xs.push(i);
  if (xs.length && xs.at(-1) < to - 1) xs.push(to - 1);
  return [{ ...base, x: xs, y: xs.map(share) }];
}

// Of the steps of seeds that have not diverged: after that a NaN stays a NaN, which would count as not clipped.
function shares(run, flag, to, span) {
  const seeds = run.keys.length, { diverged } = run.info;
  const clipped = new Float64Array(to + 1), alive = new Float64Array(to + 1);
  for (let i = 0, gone = 0; i < to; i++) {
    while (diverged[gone] <= i) gone++;
    const left = seeds - gone;
    clipped[i + 1] = clipped[i] + (left ? seeds * flag(i) : 0);
    alive[i + 1] = alive[i] + left;
  }
  return (i) => {
    const start = Math.max(0, i - span + 1);
    if (alive[i + 1] === alive[i]) return null;
    return Math.min(1, (clipped[i + 1] - clipped[start]) / (alive[i + 1] - alive[start]));
  };
}

// A line of the chosen run alone: what its rule measures has its own unit.
function chosen(run, base, view) {
  return view.index === view.selected ? line(run, base, view) : [];
}

function layers(run, base, view) {
  if (view.index !== view.selected) return [];
  return line(run, base, view, view.tensors.indexOf(base.meta.tensor));
}

// Shares of steps by size of what the rule measures, in bins that are equal on a log axis.
function histogram(run, base, view) {
  const at = reader(run, base.meta.series, view);
  const to = Math.min(run.rows(base.meta.series), view.head + 1);
  const bins = new Map();
  let total = 0;
  for (let i = 0; i < to; i++) {
    const v = at(i);
    if (!(v > 0) || !Number.isFinite(v)) continue;
    const bin = Math.floor(Math.log10(v) * 10);
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
    total += 1;
  }
  if (total < 30) return [ticks(base, run.columns[base.meta.series]?.data.subarray(0, to) ?? [])];
  const keys = [...bins.keys()].sort((a, b) => a - b);
  const xs = [], ys = [];
  for (let bin = keys[0]; bin <= keys.at(-1) && keys.length; bin++) {
    xs.push(10 ** (bin / 10), 10 ** ((bin + 1) / 10));
    const share = (bins.get(bin) ?? 0) / total;
    ys.push(share, share);
  }
  const fill = view.index === view.selected ? "tozeroy" : undefined;
  return [{ ...base, x: xs, y: ys, fill, fillcolor: `${base.line.color}22`, hovertemplate: "%{y:.1%} of steps" }];
}

function ticks(base, values) {
  const xs = [...values].filter((v) => v > 0 && Number.isFinite(v));
  return { ...base, x: xs, y: xs.map(() => 0), mode: "markers", hovertemplate: "one step: %{x:.3~g}",
    marker: { color: base.line.color, size: 14, symbol: "line-ns-open", line: { width: 2 } } };
}

// The elements of the gradient at the last mark before the head, all layers together.
function elements(run, base, view) {
  const counts = run.columns.histogram, steps = run.columns.mark_step;
  const mark = steps ? lastUpTo(steps.data, steps.rows, view.head) : -1;
  if (mark < 0 || !counts) return [{ ...base, x: [], y: [] }];
  const bins = counts.width / view.tensors.length;
  const sums = new Array(bins).fill(0);
  for (let j = 0; j < counts.width; j++) sums[j % bins] += counts.data[mark * counts.width + j];
  const total = sums.reduce((a, b) => a + b, 0) || 1;
  const xs = sums.map((_, i) => LOW_DECADE + (i - 0.5) / BINS_PER_DECADE);
  return [{ ...base, x: xs, y: sums.map((n) => n / total), line: { ...base.line, shape: "hvh" },
    hovertemplate: `%{y:.1%} at step ${steps.data[mark]}` }];
}

// Pale bands and labels for runs that diverged, and the moment on show.
export function furniture(chart, runs, view) {
  const shapes = [], annotations = [];
  if (chart.linked) {
    runs.forEach((run, i) => {
      const steps = run.info.diverged;
      if (!steps.length || run.old || steps[0] > view.head) return;
      const color = view.colors[i];
      shapes.push({ type: "rect", xref: "x", yref: "paper", x0: steps[0], x1: view.total, y0: 0, y1: 1, line: { width: 0 },
        fillcolor: color, opacity: 0.07, layer: "below" });
      const many = run.keys.length > 1 ? `${steps.length}/${run.keys.length} seeds, from ` : "";
      annotations.push({ xref: "x", yref: "paper", x: steps[0], y: 1, xanchor: "left", yanchor: "top", yshift: -16 * i,
        text: `✕ diverged: ${many}step ${steps[0]}`, showarrow: false, font: { color, size: 11 } });
    });
    if (view.badStep !== null && view.badStep <= view.head) {
      shapes.push({ type: "line", xref: "x", yref: "paper", x0: view.badStep, x1: view.badStep, y0: 0, y1: 1,
        line: { width: 1.5, dash: "dot", color: view.text } });
      annotations.push({ xref: "x", yref: "paper", x: view.badStep, y: 1, xanchor: "right", yanchor: "top", text: "bad batch ",
        showarrow: false, font: { color: view.text, size: 11 } });
    }
    if (view.scrubbing) shapes.push({ type: "line", xref: "x", yref: "paper", x0: view.head, x1: view.head, y0: 0, y1: 1,
      line: { width: 1, color: view.text } });
  }
  if (chart.id === "ratio") shapes.push({ type: "line", xref: "paper", yref: "y", x0: 0, x1: 1, y0: 1, y1: 1,
    line: { width: 1, dash: "dot", color: view.text } });
  if (chart.id === "histogram" && view.whatIf) shapes.push({ type: "line", xref: "x", yref: "paper", x0: view.whatIf,
    x1: view.whatIf, y0: 0, y1: 1, line: { width: 2, dash: "dash", color: view.text } });
  return { shapes, annotations };
}
