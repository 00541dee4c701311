// The moment on show: live, played in slow motion, stepped, or scrubbed. All charts follow it together.

const TICK = 50;

export class Player {
  constructor(root, onChange) {
    this.root = root;
    this.onChange = onChange;
    this.live = true;
    this.head = 0;
    this.available = 0;
    this.carry = 0;
    this.timer = null;
    this.last = () => this.total - 1;
    this.atEnd = null;
    this.find = (name) => root.querySelector(`[data-player=${name}]`);
    this.find("play").onclick = () => (this.timer ? this.pause() : this.play());
    this.find("back").onclick = () => this.seek(this.shown - 1);
    this.find("forward").onclick = () => this.seek(this.shown + 1);
    this.find("start").onclick = () => this.seek(0);
    this.find("live").onclick = () => this.follow();
    this.find("speed").onchange = () => (this.speed === Infinity ? this.follow() : this.play());
    this.find("scrubber").oninput = (event) => this.seek(Number(event.target.value));
  }

  get speed() {
    return Number(this.find("speed").value) || Infinity;
  }

  get shown() {
    return this.live ? Math.max(0, this.available - 1) : this.head;
  }

  setAvailable(steps) {
    this.available = steps;
  }

  play() {
    clearInterval(this.timer);
    if (this.speed === Infinity) this.find("speed").value = "10";
    if (this.live || this.head >= this.last()) this.head = 0;
    this.live = false;
    this.timer = setInterval(() => this.tick(), TICK);
    this.changed();
  }

  tick() {
    this.carry += (this.speed * TICK) / 1000;
    const steps = Math.floor(this.carry);
    if (!steps) return;
    this.carry -= steps;
    const end = this.last();
    this.head = Math.min(this.head + steps, Math.max(0, this.available - 1), end);
    if (this.head < end) return this.changed();
    this.pause();
    this.atEnd?.();
    this.atEnd = null;
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    if (this.live) { this.head = this.shown; this.live = false; }
    this.changed();
  }

  seek(step) {
    clearInterval(this.timer);
    this.timer = null;
    this.live = false;
    this.head = Math.max(0, Math.min(step, this.available - 1));
    this.changed();
  }

  follow() {
    clearInterval(this.timer);
    this.timer = null;
    this.live = true;
    this.find("speed").value = "";
    this.changed();
  }

  changed() {
    this.render();
    this.onChange();
  }

  render() {
    const scrubber = this.find("scrubber");
    scrubber.max = Math.max(0, this.total - 1);
    scrubber.value = this.shown;
    this.find("play").textContent = this.timer ? "❚❚ Pause" : "▶ Slow motion";
    this.find("live").classList.toggle("on", this.live);
    const epoch = this.stepsPerEpoch ? ` · epoch ${(this.shown / this.stepsPerEpoch).toFixed(1)}` : "";
    this.find("where").textContent = this.available ? `step ${this.shown} of ${this.total - 1}${epoch}` : "no step yet";
  }

  close() {
    clearInterval(this.timer);
  }
}
