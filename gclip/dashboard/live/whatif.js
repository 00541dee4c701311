// What if the threshold were elsewhere? The clip rate it would have given, from the norms that were seen.
import { format } from "./cards.js";

// The slider's places, as powers of ten: how far apart they are, and between which ends they lie at least.
const STEP = 0.02;
const USUAL = [-3, 4];

export class WhatIf {
  constructor(root, onChange, onThreshold) {
    this.value = null;
    this.onThreshold = onThreshold;
    this.element = document.createElement("div");
    this.element.className = "whatif";
    this.element.innerHTML = `<label>What if the threshold were <output></output>
      <input type="range" min="${USUAL[0]}" max="${USUAL[1]}" step="${STEP}" aria-label="What-if threshold, log scale"></label><table><thead><tr>
      <th>run</th><th>would clip</th><th>10 %</th><th>50 %</th><th>90 %</th><th>99 % are below</th></tr></thead><tbody></tbody></table>
      <button class="use"></button>`;
    this.slider = this.element.querySelector("input");
    this.slider.oninput = () => { this.value = 10 ** Number(this.slider.value); onChange(); };
  }

  // Start at the median of what the selected run measured, which is where half of its steps would be clipped.
  begin(run, head) {
    const seen = this.finite(run, head).sort((a, b) => a - b);
    if (seen.length < 5) return;
    this.value = 10 ** (Math.round(Math.log10(seen[seen.length >> 1]) / STEP) * STEP);
  }

  // Let the slider reach every norm that was seen, in whole powers of ten. Those of an exploded run count only while it
  // is chosen: they would press all others together.
  reach(runs, selected) {
    const counted = runs.filter((run, i) => i === selected || !run.info.diverged.length);
    let low = this.value, high = this.value;
    for (const run of counted) {
      for (const norm of this.finite(run, Infinity)) {
        low = Math.min(low, norm);
        high = Math.max(high, norm);
      }
    }
    // Rounded, so that an end of the slider is no further power of ten because of its last digit.
    const [from, to] = [low, high].map((norm) => Number(Math.log10(norm).toFixed(6)));
    Object.assign(this.slider, { min: Math.min(USUAL[0], Math.floor(from)), max: Math.max(USUAL[1], Math.ceil(to)) });
    this.slider.value = Math.log10(this.value);
  }

  // What was measured up to a step. A norm of 0 is below every threshold and an infinite one above; NaN tells nothing.
  measured(run, head) {
    const column = run.columns.measured;
    if (!column) return [];
    return [...column.data.subarray(0, Math.min(column.rows, head + 1))].filter((v) => !Number.isNaN(v));
  }

  // Those of them that have a place on the slider.
  finite(run, head) {
    return this.measured(run, head).filter((v) => Number.isFinite(v) && v > 0);
  }

  render(runs, groups, view) {
    const ready = runs.some((run) => run.info.final);
    if (!ready) return;
    for (const run of [runs[view.selected], ...runs]) if (this.value === null) this.begin(run, view.head);
    if (this.value === null) return;
    const state = JSON.stringify([this.value, view.selected, view.head, runs.map((r) => r.version), groups.map((g) => g.label)]);
    if (state === this.rendered) return;
    this.rendered = state;
    this.reach(runs, view.selected);
    this.element.querySelector("output").textContent = format(this.value);
    const list = this.element.querySelector("tbody");
    list.replaceChildren(...runs.map((run, i) => this.row(run, groups[i], view.head)));
    const button = this.element.querySelector(".use");
    const group = groups[view.selected];
    button.hidden = !group.movable;
    button.textContent = `Train “${group.label}” with ${format(this.value)}`;
    button.onclick = () => this.onThreshold(view.selected, Number(this.value.toPrecision(3)));
  }

  row(run, group, head) {
    const seen = this.measured(run, head).sort((a, b) => a - b);
    const above = seen.filter((v) => v > this.value).length;
    const rate = seen.length ? `${Math.round((1000 * above) / seen.length) / 10} %` : "–";
    const at = [0.1, 0.5, 0.9, 0.99].map((q) => format(seen[Math.floor(q * (seen.length - 1))]));
    const cells = [group.label, group.no_what_if || `${group.what_if}${rate} of ${seen.length} steps`, ...at];
    const row = document.createElement("tr");
    row.style.setProperty("--run", group.color);
    row.append(...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
    return row;
  }
}
