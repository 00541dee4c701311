// What the tests and the benchmark ask of the page; put there before the page's own scripts.
window.probe = {
  get root() { return document.querySelector(".gclip"); },
  get state() { return this.root?.dataset.state ?? "none"; },
  get frames() { return Number(this.root?.dataset.frames ?? 0); },
  get say() { return this.root?.querySelector("[data-say]").textContent ?? ""; },
  get where() { return this.root?.querySelector("[data-player=where]").textContent ?? ""; },
  get head() { return Number(/step (\d+)/.exec(this.where)?.[1] ?? -1); },
  get figures() { return [...(this.root?.querySelectorAll("figure[data-chart]:not([hidden])") ?? [])]; },
  get names() { return this.cards().map((card) => card.name); },

  figure(name) { return this.root?.querySelector(`figure[data-chart="${name}"]`); },
  updates(name) { return Number(this.figure(name)?.dataset.updates ?? 0); },
  // The chart of texts is none of plotly's.
  ready(count) {
    return this.figures.length === count && this.figures.every((f) => f.querySelector(".plot").data ?? f.querySelector("pre"));
  },
  get texts() {
    return [...(this.figure("text")?.querySelectorAll("pre") ?? [])].map((pre) => ({
      name: pre.querySelector("b").textContent, written: pre.dataset.text }));
  },

  cards() {
    return [...(this.root?.querySelectorAll(".card") ?? [])].map((card) => {
      const [name, title, text] = [".name span", "strong", ".text"].map((part) => card.querySelector(part).textContent);
      const numbers = [...card.querySelectorAll("dd")].map((place) => place.textContent);
      return { name, title, text, numbers, tone: card.dataset.tone, state: card.dataset.state };
    });
  },

  charts() {
    const drawn = this.figures.filter((figure) => figure.querySelector(".plot").data);
    return Object.fromEntries(drawn.map((figure) => {
      const { data, layout } = figure.querySelector(".plot");
      return [figure.dataset.chart, {
        updates: this.updates(figure.dataset.chart),
        linked: layout.meta.linked,
        range: layout.xaxis.range,
        bands: (layout.shapes ?? []).filter((shape) => shape.type === "rect").map((shape) => shape.x0),
        lines: (layout.shapes ?? []).filter((shape) => shape.type === "line" && shape.xref === "x").map((shape) => shape.x0),
        labels: (layout.annotations ?? []).map((label) => label.text),
        traces: data.map((trace) => this.trace(trace)),
      }];
    }));
  },

  trace({ x = [], y = [], z, meta = {}, marker = {}, mode, fill, line = {}, name, hovertemplate }) {
    const drawn = [...y].filter((value) => value !== null).length;
    return { ...meta, name, mode, fill, color: line.color, symbol: marker.symbol, drawn, points: x.length, at: x[0],
      end: x.length ? Math.max(...x) : -1, says: hovertemplate,
      cells: z?.flat().filter((value) => value !== null).length, rows: z?.length, sum: z?.flat().reduce((a, b) => a + b, 0) };
  },

  // From the next release of a key, take the time until the loss chart shows numbers of a run with another name.
  arm(run) {
    const plot = this.figure("loss").querySelector(".plot");
    const line = () => plot.data.find((trace) => trace.meta?.run === run && trace.mode.includes("lines") && !trace.fill);
    const before = line().name;
    this.timed = new Promise((done) => {
      const release = () => {
        const released = performance.now();
        // While the old run stands in for the new one, it is drawn pale.
        const look = () => {
          const { name, opacity, x } = line();
          if (name !== before && opacity === 1 && x.length) done(performance.now() - released);
          else requestAnimationFrame(look);
        };
        look();
      };
      addEventListener("keyup", release, { once: true, capture: true });
    });
  },

  // Resolves after so many seconds to the updates a second of each chart.
  async rates(seconds) {
    const count = () => Object.fromEntries(this.figures.map((f) => [f.dataset.chart, this.updates(f.dataset.chart)]));
    const [before, started] = [count(), performance.now()];
    await new Promise((done) => setTimeout(done, 1000 * seconds));
    const [after, took] = [count(), (performance.now() - started) / 1000];
    return Object.fromEntries(Object.keys(after).map((name) => [name, (after[name] - before[name]) / took]));
  },

  // Resolves when what has happened is drawn: no new drawing for three frames, or, in a run, after twelve.
  quiet() {
    return new Promise((done) => {
      let [same, frames, last] = [0, 0, -1];
      const look = () => {
        same = this.frames === last ? same + 1 : 0;
        last = this.frames;
        if (same === 3 || ++frames === 12) done(); else requestAnimationFrame(look);
      };
      look();
    });
  },

  // From now on, count at every frame the charts in view that are blank, and those that are other nodes than now.
  watch() {
    const parts = (figure) => [figure, figure?.querySelector(".plot"), figure?.querySelector(".main-svg")];
    const held = new Map(this.figures.map((figure) => [figure.dataset.chart, parts(figure)]));
    this.seen = { frames: 0, blank: [], remounted: [] };
    const look = () => {
      this.seen.frames += 1;
      for (const [name, before] of held) {
        const now = parts(this.figure(name));
        const other = before.findIndex((node, i) => node !== now[i] || !node);
        if (other >= 0) this.seen.remounted.push(`${this.root ? ["figure", "plot", "drawing"][other] : "board"} of ${name}`);
        const { top, bottom } = now[0]?.getBoundingClientRect() ?? { top: 0, bottom: 1 };
        if (top > innerHeight || bottom < 0) continue;
        if (!now[1]?.data?.some((trace) => trace.x?.length) || !now[2]?.querySelector(".trace")) this.seen.blank.push(name);
      }
      requestAnimationFrame(look);
    };
    look();
  },
};

// The first answer of the live route since this was last set to null: what it tells of each run.
window.probe.first = null;
const fetched = window.fetch;
window.fetch = async (...request) => {
  const answer = await fetched(...request);
  if (window.probe.first || !answer.ok || !String(request[0]).includes("/gclip/live?")) return answer;
  const bytes = await answer.clone().arrayBuffer();
  const header = new Uint8Array(bytes, 4, new DataView(bytes).getUint32(0, true));
  window.probe.first ??= JSON.parse(new TextDecoder().decode(header)).runs;
  return answer;
};
