// A sweep as it trains: progress, suggestion and charts, drawn in place from small answers of the server.
import { script } from "./live.js";

// Milliseconds between two questions to the server.
const POLL = 250;
const CONFIG = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "toImage"] };

// Called at every run of the page: the first time it builds the view, later it only hands over what changed.
export async function mount(component, base) {
  const root = component.parentElement.querySelector(".gclip");
  await script(new URL("gclip/plotly/plotly.min.js", base));
  clearTimeout(root.closing);
  root.view ??= new View(root, base);
  root.view.update(component.data, component.setTriggerValue);
  return root;
}

export function unmount(root) {
  root.closing = setTimeout(() => { root.view?.close(); root.view = null; }, 500);
}

function items(texts) {
  return texts.map((text) => Object.assign(document.createElement("li"), { textContent: text }));
}

class View {
  constructor(root, base) {
    this.root = root;
    this.base = base;
    this.charts = new Map();
    this.find = (name) => root.querySelector(`[data-${name}]`);
    this.find("stop").onclick = () => this.trigger("stop", Date.now());
    this.find("again").onclick = () => this.trigger("again", Date.now());
    const place = this.find("charts");
    this.size = new ResizeObserver(() => requestAnimationFrame(() => this.resize(place.clientWidth)));
    this.size.observe(place);
    // The theme may change without a word: Streamlit swaps its style variables.
    this.theme = new MutationObserver(() => requestAnimationFrame(() => this.draw()));
    this.theme.observe(document.body, { attributes: true });
    this.theme.observe(document.documentElement, { attributes: true });
  }

  resize(width) {
    if (!width || width === this.width) return;
    this.width = width;
    this.draw(true);
  }

  update(data, trigger) {
    this.trigger = trigger;
    const same = this.data?.query === data.query;
    const running = same && this.data.attempt === data.attempt && !this.answer?.final;
    this.data = data;
    if (same && this.answer?.state === "done") return;
    if (!same) {
      this.answer = null;
      this.failures = 0;
      this.root.dataset.state = "empty";
      this.find("when").textContent = data.start;
      for (const id of this.charts.keys()) if (!data.charts[id]) this.remove(id);
      this.draw();
    }
    if (!running) this.begun = null;
    clearTimeout(this.timer);
    this.generation = (this.generation ?? 0) + 1;
    this.poll(this.generation);
  }

  async poll(generation) {
    const started = performance.now();
    if (!document.hidden) {
      try {
        await this.fetch(generation);
        this.failures = 0;
      } catch (error) {
        this.failures = (this.failures ?? 0) + 1;
        if (this.failures > 5) this.say("The server does not answer. The charts keep what they have; still trying.");
      }
    }
    if (generation !== this.generation || (this.answer?.final && !this.failures)) return;
    const wait = POLL * Math.min(20, 1 + (this.failures ?? 0)) - (performance.now() - started);
    this.timer = setTimeout(() => this.poll(generation), Math.max(10, wait));
  }

  async fetch(generation) {
    const query = [this.data.query, `since=${this.answer?.version ?? ""}`].filter(Boolean).join("&");
    const answer = await fetch(new URL(`gclip/sweep?${query}`, this.base), { cache: "no-store" });
    if (generation !== this.generation) return;
    if (!answer.ok) throw new Error(await answer.text());
    if (answer.status === 204) return this.progress();
    const told = await answer.json();
    if (generation !== this.generation) return;
    if (told.unknown) this.miss(told.unknown);
    this.answer = told;
    if (told.done) this.begun ??= { at: performance.now(), done: told.done };
    this.draw();
  }

  // The server has started anew and does not know these runs: let the page ask for them again. Not at once: while the
  // learner chooses another sweep, its runs replace these before the page says so, and a request now would send the
  // page's old settings along.
  miss(why) {
    if (this.failures > 1 && Date.now() - (this.asked ?? 0) > 2000) this.trigger("again", (this.asked = Date.now()));
    throw new Error(why);
  }

  say(text) {
    const place = this.find("say");
    if (place.textContent !== text) place.textContent = text;
  }

  progress() {
    const { done, final, state, say } = this.answer;
    const share = Math.round(100 * done);
    const bar = this.root.querySelector(".progress");
    bar.setAttribute("aria-valuenow", share);
    bar.firstElementChild.style.width = `${share}%`;
    this.root.dataset.state = final ? "final" : "training";
    this.root.dataset.outcome = state;
    this.find("stop").disabled = final;
    this.find("again").hidden = !["failed", "stopped"].includes(state);
    const text = state === "done" ? "All runs are trained." : `${share} % of all steps${this.left()}`;
    const place = this.find("when");
    if (place.textContent !== text) place.textContent = text;
    this.say(say);
  }

  // The time left at the speed so far, once there is enough of it to tell.
  left() {
    const { done, final } = this.answer;
    const gained = this.begun ? done - this.begun.done : 0;
    if (final || gained < 0.03) return "";
    const seconds = ((performance.now() - this.begun.at) / 1000) * (1 - done) / gained;
    return ` · about ${Math.max(1, Math.round(seconds))} s left`;
  }

  draw(anew = false) {
    if (!this.data) return;
    if (this.answer) this.progress();
    this.suggest(this.answer?.suggestion ?? null);
    for (const [id, spec] of Object.entries(this.data.charts)) this.react(this.chart(id), spec, this.answer?.charts[id], anew);
  }

  // A suggestion stands under the curve that it was read off, never without it.
  suggest(suggestion) {
    const place = this.find("suggestion");
    place.hidden = !suggestion;
    if (!suggestion) return;
    this.chart("curve").figure.after(place);
    const state = JSON.stringify(suggestion);
    if (place.dataset.told === state) return;
    place.dataset.told = state;
    place.querySelector("strong").textContent = `Suggested threshold: ${suggestion.threshold}`;
    for (const name of ["reasons", "limits"]) place.querySelector(`[data-${name}]`).replaceChildren(...items(suggestion[name]));
  }

  chart(id) {
    if (!this.charts.has(id)) this.charts.set(id, this.build(id));
    return this.charts.get(id);
  }

  build(id) {
    const figure = document.createElement("figure");
    figure.dataset.chart = id;
    figure.append(...["figcaption", "div", "ul"].map((tag) => document.createElement(tag)));
    const [caption, plot, note] = figure.children;
    plot.className = "plot";
    note.className = "note";
    const [title, hint] = ["span", "small"].map((tag) => document.createElement(tag));
    const saves = ["PNG", "SVG"].map((kind) => {
      const button = Object.assign(document.createElement("button"), { textContent: kind, title: `Save this chart as ${kind}` });
      button.onclick = () => this.save(id, kind.toLowerCase());
      return button;
    });
    title.append(document.createElement("b"), hint);
    caption.append(title, ...saves);
    this.find("charts").append(figure);
    return { id, figure, title: title.firstChild, hint, plot, note, drawn: "" };
  }

  remove(id) {
    const { figure, plot } = this.charts.get(id);
    window.Plotly.purge(plot);
    figure.remove();
    this.charts.delete(id);
  }

  react(chart, spec, numbers, anew) {
    const look = this.look();
    const state = JSON.stringify([this.title(spec), numbers, look]);
    if (!anew && chart.drawn === state) return;
    chart.drawn = state;
    chart.title.textContent = this.title(spec);
    chart.hint.textContent = spec.hint;
    chart.plot.style.height = `${spec.height}px`;
    const notes = numbers?.notes ?? [];
    chart.note.replaceChildren(...items(notes));
    const ready = Boolean(chart.plot._fullLayout);
    const { data, layout } = this.filled(spec, numbers, look);
    window.Plotly.react(chart.plot, data, layout, CONFIG);
    if (anew && ready) window.Plotly.Plots.resize(chart.plot);
    if (!ready) chart.plot.on("plotly_click", (event) => this.open(event));
    if (numbers) chart.figure.dataset.filled = Number(chart.figure.dataset.filled ?? 0) + 1;
  }

  title({ title }) {
    return this.answer?.when ? `${title}, ${this.answer.when}` : title;
  }

  // The server's numbers laid over the templates of the traces, in the colours of the theme.
  filled(spec, numbers, look) {
    const data = spec.figure.data.map((template) => {
      const update = numbers?.traces[template.meta] ?? {};
      const marker = update.marker ? { ...template.marker, ...update.marker } : template.marker;
      return { ...template, ...update, ...(marker ? { marker } : {}), x: update.x ?? [], y: update.y ?? [] };
    });
    const layout = structuredClone(spec.figure.layout);
    const { ranges = {}, ...across } = numbers?.layout ?? {};
    Object.assign(layout, across, { autosize: true });
    for (const [axis, range] of Object.entries(ranges)) if (range) layout[axis].range = range;
    Object.assign(layout.font, { color: look.text, family: look.font });
    layout.hoverlabel = { bgcolor: look.background, font: { color: look.text, size: 11 }, align: "left" };
    for (const [name, axis] of Object.entries(layout)) {
      if (/^[xy]axis/.test(name)) Object.assign(axis, { gridcolor: look.grid, linecolor: look.grid });
    }
    return { data, layout };
  }

  look() {
    const style = getComputedStyle(this.root);
    const read = (name, other) => style.getPropertyValue(name).trim() || other;
    return {
      text: read("--st-text-color", "#333"), background: read("--st-background-color", "#fff"),
      grid: read("--st-border-color-light", "rgba(128,128,128,.2)"), font: style.fontFamily,
    };
  }

  // Go to a cell's runs on the page that shows them side by side. One new entry of the history, and Streamlit takes it as it takes Forward:
  // its own way of changing the page leaves entries behind that Back would stumble over.
  open({ points }) {
    const at = points.map((point) => point.customdata).find((data) => Array.isArray(data) && data.length === 2);
    const cell = at && this.data.cells[at[1]][at[0]];
    if (!cell) return;
    history.pushState(null, "", new URL(cell, this.base));
    window.dispatchEvent(new PopStateEvent("popstate"));
  }

  save(id, kind) {
    const { plot } = this.charts.get(id);
    const layout = { ...plot.layout, paper_bgcolor: this.look().background, title: { text: this.title(this.data.charts[id]), x: 0.02, font: { size: 14 } } };
    layout.margin = { ...layout.margin, t: 48 };
    window.Plotly.downloadImage({ data: plot.data, layout }, {
      format: kind, filename: `gclip-sweep-${id}`, width: plot.clientWidth, height: plot.clientHeight + 26, scale: kind === "png" ? 2 : 1,
    });
  }

  close() {
    clearTimeout(this.timer);
    this.generation = -1;
    this.theme.disconnect();
    this.size.disconnect();
    for (const { plot } of this.charts.values()) window.Plotly.purge(plot);
  }
}
