// The live comparison: cards, player and charts, drawn in place and fed by polling the server for what is new.
import { Board } from "./board.js";
import { RunData, unpack } from "./series.js";

// Milliseconds between two questions to the server: while numbers come, and before the first has.
const POLL = 100;
const FIRST = 30;

const loaded = {};
export function script(url) {
  loaded[url] ??= new Promise((resolve, reject) => {
    const tag = Object.assign(document.createElement("script"), { src: url, onload: resolve, onerror: reject });
    document.head.append(tag);
  });
  return loaded[url];
}

// Called at every run of the page: the first time it builds the board, later it only hands over what changed.
export async function mount(component, base) {
  const root = component.parentElement.querySelector(".gclip");
  await script(new URL("gclip/plotly/plotly.min.js", base));
  clearTimeout(root.closing);
  root.live ??= new Live(root, base);
  root.live.update(component.data, component.setTriggerValue);
  return root;
}

export function unmount(root) {
  root.closing = setTimeout(() => { root.live?.close(); root.live = null; }, 500);
}

// Old numbers may stand in for new ones only where they mean the same.
function shape(data) {
  return JSON.stringify([data.total, data.groups.length, data.tensors, Object.keys(data.charts), data.target]);
}

class Live {
  constructor(root, base) {
    this.root = root;
    this.base = base;
    this.runs = [];
    this.board = new Board(root, (run, value) => this.trigger("threshold", { run, value, at: Date.now() }));
    root.querySelector("[data-stop]").onclick = () => this.trigger("stop", Date.now());
    root.querySelector("[data-again]").onclick = () => this.trigger("again", Date.now());
  }

  update(data, trigger) {
    this.trigger = trigger;
    const name = (group) => group.keys.join(".");
    const held = new Map(this.runs.map((run) => [run.keys.join("."), run]));
    const stale = (run) => ["failed", "stopped"].includes(run.info.state);
    this.runs = data.groups.map((group, i) => {
      const same = held.get(name(group));
      if (same && !stale(same)) return same;
      const shapeKept = this.data && shape(this.data) === shape(data);
      return new RunData(group.keys, shapeKept ? this.runs[i] : null);
    });
    this.data = data;
    this.board.update(data, this.runs);
    clearTimeout(this.timer);
    this.generation = (this.generation ?? 0) + 1;
    this.poll(this.generation);
  }

  async poll(generation) {
    const missing = this.runs.filter((run) => !run.info.final);
    if (!missing.length || document.hidden) {
      this.setState(missing.length ? "hidden" : "final");
      if (missing.length) this.timer = setTimeout(() => this.poll(generation), 5 * POLL);
      return;
    }
    this.setState("training");
    const started = performance.now();
    try {
      await this.fetch(generation);
      this.failures = 0;
    } catch (error) {
      this.failures = (this.failures ?? 0) + 1;
      this.board.say(this.failures > 5 ? "The server does not answer. The charts keep what they have; still trying." : "");
    }
    if (generation !== this.generation) return;
    const pace = missing.some((run) => !run.steps) ? FIRST : POLL;
    const wait = Math.max(10, pace * Math.min(20, 1 + (this.failures ?? 0)) - (performance.now() - started));
    this.timer = setTimeout(() => this.poll(generation), wait);
  }

  async fetch(generation) {
    const query = new URLSearchParams({ selected: this.board.selected });
    this.runs.forEach((run, i) => {
      query.append("run", run.keys.join("."));
      query.append("since", run.since.join("."));
      query.append("label", this.data.groups[i].label);
    });
    const answer = await fetch(new URL(`gclip/live?${query}`, this.base), { cache: "no-store" });
    if (generation !== this.generation) return;
    // The server has started anew and does not know these runs: let the page ask for them again. Not at once: while the
    // learner chooses others, they replace these before the page says so, and it would send its old settings along.
    if (answer.status === 404 && this.failures > 1) {
      // The question is lost while the page itself is not connected again: it is put every two seconds.
      if (Date.now() - (this.asked ?? 0) > 2000) this.trigger("again", (this.asked = Date.now()));
    }
    if (!answer.ok) throw new Error(await answer.text());
    const { header, arrays } = unpack(await answer.arrayBuffer());
    if (generation !== this.generation) return;
    this.runs.forEach((run, i) => {
      const own = Object.entries(arrays).filter(([name]) => name.startsWith(`${i}.`));
      run.append(header.runs[i], Object.fromEntries(own.map(([name, array]) => [name.slice(name.indexOf(".") + 1), array])));
    });
    this.board.say("");
    this.board.show(header.notes);
  }

  setState(state) {
    this.root.dataset.state = state;
    this.root.querySelector("[data-stop]").disabled = state !== "training";
    this.root.querySelector("[data-again]").hidden = !this.runs.some((run) => ["failed", "stopped"].includes(run.info.state));
  }

  close() {
    clearTimeout(this.timer);
    this.generation = -1;
    this.board.close();
  }
}
