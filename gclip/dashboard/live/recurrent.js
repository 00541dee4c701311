// What only recurrent networks show: the gradient at every time step, and what the network answers at this moment.
import { lastUpTo } from "./series.js";

// Norms below this are drawn as this: a gradient of 0 has no logarithm, but it is the point of the chart.
const FLOOR = 1e-12;
// Beyond these powers of ten all norms have one colour: an explosion must not take the others' colours away.
const RANGE = [-9, 3];

function marksUpTo(run, view) {
  const steps = run.columns.mark_step;
  return run.columns.flow && steps ? lastUpTo(steps.data, Math.min(steps.rows, run.rows("flow")), view.head) + 1 : 0;
}

// The chosen run's norms of dL/dh_t: training steps to the right, time steps upwards, colour by log10.
export function flow(run, base, view) {
  if (view.index !== view.selected) return [];
  const count = marksUpTo(run, view);
  const width = run.columns.flow?.width ?? 0;
  const z = Array.from({ length: width }, () => []);
  for (let mark = 0; mark < count; mark++) {
    for (let t = 0; t < width; t++) {
      const norm = run.columns.flow.data[mark * width + t];
      z[t].push(Number.isFinite(norm) ? Math.log10(Math.max(norm, FLOOR)) : null);
    }
  }
  const x = [...(run.columns.mark_step?.data.subarray(0, count) ?? [])];
  const [zmin, zmax] = view.flowRange;
  return [{ ...base, x, y: z.map((_, t) => t), z, zmin, zmax }];
}

// One range of colours for all runs, so that they can be compared: from the smallest to the largest norm of any.
export function flowRange(runs) {
  let low = Infinity, high = -Infinity;
  for (const run of runs) {
    for (const norm of run.columns.flow?.data.subarray(0, run.rows("flow") * run.columns.flow.width) ?? []) {
      if (!Number.isFinite(norm)) continue;
      low = Math.min(low, norm);
      high = Math.max(high, norm);
    }
  }
  const [bottom, top] = RANGE.map((exponent) => 10 ** exponent);
  return [Math.max(low, bottom), Math.min(Math.max(high, bottom), top)].map((norm) => Math.log10(norm));
}

// How much of the gradient at the last time step reaches the first: above 1 it grows on its way back, below 1 it fades.
export function ratio(run, base, view) {
  const count = marksUpTo(run, view);
  const { data, width } = run.columns.flow ?? { data: [], width: 1 };
  const xs = [], ys = [];
  for (let mark = 0; mark < count; mark++) {
    const value = data[mark * width] / data[(mark + 1) * width - 1];
    xs.push(run.columns.mark_step.data[mark]);
    ys.push(Number.isFinite(value) ? Math.max(value, FLOOR) : null);
  }
  return [{ ...base, x: xs, y: ys, mode: xs.length < 30 ? "lines+markers" : "lines",
    marker: { ...base.marker, symbol: view.symbols[view.index], size: 5 } }];
}

// The answers at the last evaluation before the moment on show, or null.
function answers(run, view) {
  const column = run.columns.sample;
  const row = Math.min(column?.rows ?? 0, Math.floor((view.head + 1) / view.stepsPerEpoch)) - 1;
  return row < 0 ? null : [...column.data.subarray(row * column.width, (row + 1) * column.width)];
}

export function sample(run, base, view) {
  const values = answers(run, view) ?? [];
  const marker = { ...base.marker, symbol: view.symbols[view.index], size: 5 };
  return [{ ...base, x: values.map((_, t) => t), y: values.map(finite), mode: "lines", marker }];
}

export function scatter(run, base, view) {
  const values = answers(run, view) ?? [];
  const marker = { ...base.marker, symbol: view.symbols[view.index], size: 7 };
  return [{ ...base, x: view.target, y: values.map(finite), mode: "markers", marker, hovertemplate: "sum %{x:.3~g}: answered %{y:.3~g}" }];
}

function finite(value) {
  return Number.isFinite(value) ? value : null;
}

// What the network should have answered, in the colour of the text: a line for a wave, the diagonal for sums.
export function target(chart, view) {
  if (!view.target.length) return null;
  const shared = { type: "scatter", mode: "lines", name: "target", line: { color: view.text, width: 1.4, dash: "dot" }, hovertemplate: "%{y:.3~g}" };
  if (chart.id === "sample") return { ...shared, x: view.target.map((_, t) => t), y: view.target };
  const ends = [Math.min(...view.target), Math.max(...view.target)];
  return chart.id === "scatter" ? { ...shared, x: ends, y: ends, hoverinfo: "skip", hovertemplate: null } : null;
}

function letters(written, alphabet) {
  if (written.some(Number.isNaN)) return "NaN: there is nothing to draw a letter from";
  return written.map((id) => alphabet[id]).join("").replaceAll("\n", "↵\n");
}

// The text that each run's network writes by itself at this moment.
export function texts(place, runs, view) {
  while (place.children.length > runs.length) place.lastChild.remove();
  while (place.children.length < runs.length) place.append(document.createElement("pre"));
  runs.forEach((run, i) => {
    const written = answers(run.old ?? run, view);
    const text = written ? letters(written, view.alphabet) : "(nothing yet)";
    const pre = place.children[i];
    pre.style.setProperty("--run", view.colors[i]);
    if (pre.dataset.text === text && pre.title === view.labels[i]) return;
    pre.dataset.text = text;
    pre.title = view.labels[i];
    pre.replaceChildren(Object.assign(document.createElement("b"), { textContent: view.labels[i] }), `\n${text}`);
  });
}
