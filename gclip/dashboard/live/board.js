// The board: cards on top, then the player, then the charts, all showing the same moment.
import { cards } from "./cards.js";
import { furniture, traces } from "./draw.js";
import { Player } from "./player.js";
import { texts } from "./recurrent.js";
import { WhatIf } from "./whatif.js";

// Milliseconds of drawing in one frame: the charts take turns where all of them would hold the page up for longer.
const BUDGET = 120;
// How long a changed comparison waits for its first new number before the old ones are drawn faded.
const PATIENCE = 150;

// Charts whose line speaks of the last moment; the others' lines speak of the whole run.
const OF_THE_END = new Set(["elements", "flow", "ratio", "sample", "scatter", "text"]);

const CONFIG = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

export class Board {
  constructor(root, onThreshold) {
    this.root = root;
    this.charts = new Map();
    this.selected = 0;
    this.turn = 0;
    this.range = null;
    this.notes = {};
    this.player = new Player(root, () => this.schedule());
    // Slow motion ends where the chart does: at the end of what is zoomed in on.
    this.player.last = () => Math.min(this.player.total - 1, this.range ? Math.floor(this.range[1]) : Infinity);
    this.whatIf = new WhatIf(root, () => this.schedule(), onThreshold);
    this.visible = new Set();
    this.watch = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) this.visible[isIntersecting ? "add" : "delete"](target.dataset.chart);
      this.schedule();
    }, { root: root.closest("[data-testid=stMain]"), rootMargin: "100px" });
    root.querySelectorAll("[data-zoom]").forEach((button) => {
      button.onclick = () => this.zoom(this.zooms[button.dataset.zoom]);
    });
    // The theme may change without a word: Streamlit swaps its style variables.
    const place = root.querySelector("[data-charts]");
    this.size = new ResizeObserver(() => requestAnimationFrame(() => this.resize(place.clientWidth)));
    this.size.observe(place);
    this.theme = new MutationObserver(() => this.schedule());
    this.theme.observe(document.body, { attributes: true, subtree: false });
    this.theme.observe(document.documentElement, { attributes: true });
  }

  // Plotly follows the window, not its own place, which a side that opens or closes makes wider or narrower.
  resize(width) {
    if (!width || width === this.width) return;
    this.width = width;
    for (const chart of this.charts.values()) if (chart.ready && chart.plot.offsetParent) window.Plotly.Plots.resize(chart.plot);
  }

  update(data, runs) {
    if (this.data && this.data.total !== data.total) this.range = null;
    this.data = data;
    this.runs = runs;
    this.player.total = data.total;
    this.player.stepsPerEpoch = data.epochs ? data.steps_per_epoch : 0;
    this.zooms = { all: null, first: [-0.5, Math.min(20, data.total) - 0.5], epoch: [-0.5, data.steps_per_epoch - 0.5],
      bad: [data.bad_step - 15, data.bad_step + 45] };
    this.root.querySelector("[data-zoom=epoch]").hidden = !data.epochs;
    this.root.querySelector("[data-zoom=bad]").hidden = data.bad_step === null;
    this.selected = Math.min(this.selected, runs.length - 1);
    if (!this.started && data.slow) this.startSlow(data.slow);
    if (!this.started && data.selected !== undefined) this.selected = data.selected;
    this.started = true;
    const place = this.root.querySelector("[data-charts]");
    Object.keys(data.charts).forEach((id, i) => {
      if (!this.charts.has(id)) this.charts.set(id, this.build(place, id));
      this.charts.get(id).figure.style.order = i;
    });
    for (const chart of this.charts.values()) chart.drawn = "";
    this.patience = performance.now() + PATIENCE;
    this.show(this.notes);
  }

  startSlow(speed) {
    this.player.find("speed").value = String(speed);
    this.range = this.zooms.first;
    this.player.atEnd = () => { this.range = null; this.player.follow(); };
    this.player.play();
  }

  build(place, id) {
    const figure = document.createElement("figure");
    figure.dataset.chart = id;
    figure.append(...["figcaption", "div", "p"].map((tag) => document.createElement(tag)));
    const [caption, plot, note] = figure.children;
    if (id === "histogram") note.before(this.whatIf.element);
    plot.className = "plot";
    note.className = "note";
    place.append(figure);
    this.watch.observe(figure);
    return { id, figure, caption, plot, note, drawn: "", filled: false, ready: false };
  }

  zoom(range) {
    this.range = range;
    this.schedule();
  }

  say(text) {
    const place = this.root.querySelector("[data-say]");
    if (place.textContent !== text) place.textContent = text;
  }

  show(notes) {
    this.notes = notes;
    this.player.setAvailable(Math.max(0, ...this.runs.map((run) => run.steps)));
    this.schedule();
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => { this.frame = null; if (this.data) this.draw(); });
  }

  // A run that was asked for anew and has not answered yet: for a moment, its old picture may stay as it is.
  get waiting() {
    return performance.now() < this.patience && this.runs.some((run) => run.old);
  }

  draw() {
    const style = getComputedStyle(this.root);
    const groups = this.data.groups;
    const view = {
      head: this.player.shown, scrubbing: !this.player.live, range: this.range, selected: this.selected,
      stepsPerEpoch: this.data.steps_per_epoch, total: this.data.total, tensors: this.data.tensors, whatIf: this.whatIf.value,
      scales: groups.map((g) => g.scale), colors: groups.map((g) => g.color), symbols: groups.map((g) => g.symbol),
      buckets: this.runs.every((run) => run.info.final) ? 220 : 90,
      labels: groups.map((g) => g.label),
      tutorial: this.data.tutorial, target: this.data.target, alphabet: this.data.alphabet, badStep: this.data.bad_step, text: style.getPropertyValue("--st-text-color").trim() || "#333",
      background: style.getPropertyValue("--st-background-color").trim() || "#fff",
      font: style.fontFamily,
      grid: style.getPropertyValue("--st-border-color-light").trim() || "rgba(128,128,128,.2)",
    };
    cards(this, view);
    this.whatIf.render(this.runs, groups, view);
    if (this.waiting) setTimeout(() => this.schedule(), PATIENCE);
    else this.drawCharts(view);
    this.player.render();
    this.root.dataset.frames = Number(this.root.dataset.frames ?? 0) + 1;
  }

  // Draw what has changed, beginning where the last frame left off, until the frame's time is used up.
  drawCharts(view) {
    const charts = [...this.charts.values()];
    const until = performance.now() + BUDGET;
    for (let turns = 0; turns < charts.length; turns++) {
      const chart = charts[this.turn % charts.length];
      const spec = this.data.charts[chart.id];
      chart.figure.hidden = !spec;
      if (spec && (this.visible.has(chart.id) || !chart.filled)) this.react(chart, spec, view);
      this.turn = (this.turn + 1) % charts.length;
      // The first numbers fill every chart at once, in view or not: none is blank when it is scrolled to.
      // In slow motion and under the scrubber all charts show the same step, whatever it takes.
      const full = !view.scrubbing && charts.every((other) => other.filled || !this.data.charts[other.id]);
      if (full && performance.now() > until) return void (turns < charts.length - 1 && this.schedule());
    }
    this.turn = 0;
  }

  react(chart, spec, view) {
    const versions = this.runs.map((run) => `${run.version}${run.old ? "o" : ""}${run.info.diverged.length}`);
    const state = JSON.stringify([versions, view, this.player.available, spec.title]);
    const told = this.notes[chart.id] ?? "";
    const note = told && view.scrubbing ? `${OF_THE_END.has(chart.id) ? "At the end" : "Over the whole run"}: ${told}` : told;
    if (chart.note.textContent !== note) chart.note.textContent = note;
    if (chart.drawn === state) return;
    chart.drawn = state;
    if (chart.caption.dataset.text !== spec.title) {
      chart.caption.dataset.text = spec.title;
      chart.caption.replaceChildren(spec.title, Object.assign(document.createElement("small"), { textContent: spec.hint }));
    }
    const kind = { id: chart.id, linked: spec.linked, log: spec.log, loss: spec.loss, figure: spec.figure };
    if (chart.id === "text") {
      chart.filled = this.player.available > 0;
      return void texts(chart.plot, this.runs, view);
    }
    const layout = structuredClone(spec.figure.layout);
    this.dress(layout, kind, view);
    Object.assign(layout, furniture(kind, this.runs, view));
    window.Plotly.react(chart.plot, traces(kind, this.runs, view), layout, CONFIG);
    chart.figure.dataset.updates = Number(chart.figure.dataset.updates ?? 0) + 1;
    chart.filled = this.player.available > 0;
    if (!chart.ready) this.connect(chart, kind);
  }

  dress(layout, kind, view) {
    layout.font = { ...layout.font, color: view.text, family: view.font };
    for (const axis of [layout.xaxis, layout.yaxis]) Object.assign(axis, { gridcolor: view.grid, linecolor: view.grid });
    if (kind.linked) {
      layout.xaxis.range = view.range ?? [-0.01 * view.total, 1.01 * view.total];
      layout.xaxis.autorange = false;
      // Without this, plotly would take the range just set for the user's own zoom and keep it.
      layout.xaxis.uirevision = JSON.stringify(layout.xaxis.range);
    }
    layout.hoverlabel = { bgcolor: view.background, font: { color: view.text, size: 11 } };
  }

  connect(chart, kind) {
    chart.ready = true;
    if (!kind.linked) return;
    chart.plot.on("plotly_relayout", (change) => {
      const [from, to] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (from !== undefined) this.zoom([from, to]);
      else if (change["xaxis.autorange"]) this.zoom(null);
    });
    const others = () => [...this.charts.values()].filter((o) => o !== chart && o.ready && this.data.charts[o.id]?.linked);
    chart.plot.on("plotly_hover", ({ points, event }) => {
      if (!event || !points.length) return;
      for (const other of others()) if (this.visible.has(other.id)) this.hover(other, points[0].x);
    });
    chart.plot.on("plotly_unhover", ({ event }) => {
      if (event) for (const other of others()) window.Plotly.Fx.unhover(other.plot);
    });
  }

  hover(chart, x) {
    try { window.Plotly.Fx.hover(chart.plot, { xval: x }, "xy"); } catch { /* nothing is drawn there yet */ }
  }

  close() {
    this.player.close();
    this.watch.disconnect();
    this.theme.disconnect();
    this.size.disconnect();
    for (const chart of this.charts.values()) if (chart.ready) window.Plotly.purge(chart.plot);
  }
}
