// The numbers of the runs on show: arrays that grow as the server sends more.

// Unpack the wire format: header length, JSON header, then raw arrays.
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const { arrays: entries, ...header } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  for (const { name, offset, shape } of entries) {
    const count = shape.reduce((a, b) => a * b, 1);
    const data = new Float32Array(buffer, 4 + length + offset, count);
    arrays[name] = { data, rows: shape[0], width: shape[0] ? count / shape[0] : 0 };
  }
  return { header, arrays };
}

// An array [rows, width] with room to grow.
class Column {
  constructor(width) {
    this.width = width;
    this.rows = 0;
    this.data = new Float32Array(1024 * width);
  }

  append({ data, rows }) {
    const need = (this.rows + rows) * this.width;
    if (need > this.data.length) {
      const grown = new Float32Array(Math.max(need, 2 * this.data.length));
      grown.set(this.data);
      this.data = grown;
    }
    this.data.set(data, this.rows * this.width);
    this.rows += rows;
  }
}

// One run as far as it has come; `old` is shown, faded, until the first number of a new one arrives.
export class RunData {
  constructor(keys, old) {
    this.keys = keys;
    this.old = old && old.steps ? old : old?.old;
    this.columns = {};
    this.info = { tone: "training", title: "Starting", text: "", state: "waiting", final: false, done: 0, diverged: [] };
    this.version = 0;
  }

  append(info, arrays) {
    this.info = info;
    for (const [name, array] of Object.entries(arrays)) {
      if (!array.rows) continue;
      this.columns[name] ??= new Column(array.width);
      this.columns[name].append(array);
      this.version += 1;
    }
    if (this.steps) this.old = null;
  }

  rows(name) {
    return this.columns[name]?.rows ?? 0;
  }

  get steps() {
    return this.rows("loss");
  }

  get since() {
    return [this.steps, this.rows("test_loss"), this.rows("mark_step")];
  }
}

// Which of `count` points to draw between positions `from` and `to`: all, or the smallest and largest of each
// bucket, and always the first, the last, and the first point of every stretch that is not finite.
export function thin(at, from, to, buckets) {
  const keep = [];
  const count = to - from;
  if (count <= 2 * buckets) {
    for (let i = from; i < to; i++) keep.push(i);
    return keep;
  }
  const width = count / buckets;
  for (let b = 0; b < buckets; b++) {
    const start = Math.floor(from + b * width);
    const stop = Math.min(to, Math.floor(from + (b + 1) * width));
    let low = -1, high = -1, odd = -1;
    for (let i = start; i < stop; i++) {
      const value = at(i);
      if (!Number.isFinite(value)) { if (odd < 0) odd = i; continue; }
      if (low < 0 || value < at(low)) low = i;
      if (high < 0 || value > at(high)) high = i;
    }
    const chosen = new Set([b === 0 ? from : -1, low, high, odd, b === buckets - 1 ? to - 1 : -1]);
    keep.push(...[...chosen].filter((i) => i >= 0).sort((a, c) => a - c));
  }
  return keep;
}

// The last of `steps` (sorted) that is not after `head`, or -1.
export function lastUpTo(steps, count, head) {
  let low = 0, high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= head) low = middle + 1; else high = middle;
  }
  return low - 1;
}
