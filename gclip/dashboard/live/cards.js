// A card per run: its verdict, its progress, and its numbers at the moment on show. Cards are the legend, too.

const SYMBOLS = { circle: "●", square: "■", diamond: "◆", "triangle-up": "▲", pentagon: "⬟", star: "★", x: "✕" };

export function format(value) {
  if (value === undefined) return "–";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : "Inf";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size < 1e-3 || size >= 1e6 ? value.toExponential(1) : Number(value.toPrecision(3)).toLocaleString("en");
}

export function cards(board, view) {
  const place = board.root.querySelector("[data-cards]");
  while (place.children.length > board.runs.length) place.lastChild.remove();
  while (place.children.length < board.runs.length) place.append(build(board, place.children.length));
  board.runs.forEach((run, i) => fill(place.children[i], run, board.data.groups[i], i, view));
}

function build(board, i) {
  const card = document.createElement("button");
  card.className = "card";
  card.innerHTML = `<span class="name"><b></b><span></span></span><strong></strong><span class="text"></span>
    <span class="progress"><i></i></span><dl><div><dt>loss</dt><dd></dd></div><div><dt>raw norm</dt><dd></dd></div>
    <div><dt>after clipping</dt><dd></dd></div></dl>`;
  card.onclick = () => { board.selected = i; board.schedule(); };
  return card;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// While an earlier moment is on show, a card tells no more than had happened by then.
function told(run, view) {
  const exploded = run.info.diverged.length && run.info.diverged[0] <= view.head;
  if (!view.scrubbing || exploded || view.head >= view.total - 1 || !run.steps) return run.info;
  return { tone: "training", title: `At step ${view.head}`, text: "Finite so far. The verdict is at the end: press Live." };
}

function fill(card, run, group, i, view) {
  const at = Math.min(view.head, run.steps - 1);
  const value = (name) => run.columns[name]?.data[at];
  card.style.setProperty("--run", group.color);
  card.dataset.state = run.info.state;
  card.setAttribute("aria-pressed", String(i === view.selected));
  card.title = group.detail;
  set(card.querySelector(".name b"), SYMBOLS[group.symbol] ?? "●");
  set(card.querySelector(".name span"), group.label);
  const verdict = told(run, view);
  card.dataset.tone = verdict.tone;
  set(card.querySelector("strong"), verdict.title);
  set(card.querySelector(".text"), verdict.text);
  card.querySelector(".progress i").style.width = `${(100 * run.info.done) / view.total}%`;
  const [loss, raw, clipped] = card.querySelectorAll("dd");
  set(loss, format(value("loss")));
  set(raw, format(value("total_norm")));
  set(clipped, format(value("clipped_norm")));
}
