/* The pattern in cells: one is chosen by a click or by arrow keys, and opened into finer ones.
   What is looked at is asked of the server; which cell is chosen is remembered only here. */
(function () {
  "use strict";

  const FAR = 8; /* cells that an arrow key goes with Shift */
  const STEP = 16; /* how much finer the next image is */
  const WHOLE = "whole";

  let place = null; /* the element of the image that is shown, or null */
  let cells = null; /* what it holds */
  let chosen = null; /* [row, column] */
  let sought = null; /* the query and key around which an image was asked for */
  let gone = null; /* the part that was written into the address last */
  let refocus = false; /* whether the next image gets what the keyboard acts on */
  let pressed = null; /* where a pointer went down */

  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const ask = (what, area) => set("pattern-asked", { data: { do: what, area, at: Date.now() } });
  const plot = () => place && place.querySelector(".js-plotly-plot");

  function numbers(encoded, Type) {
    const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    return new Type(bytes.buffer);
  }

  function read(source) {
    const given = JSON.parse(source);
    return {
      ...given,
      mean: numbers(given.mean, Float32Array),
      highest: numbers(given.highest, Float32Array),
      seen: numbers(given.seen, Int32Array),
      rows: given.queries.length - 1,
      columns: given.keys.length - 1,
    };
  }

  function written(number) {
    if (Number.isNaN(number)) return "–";
    if (number === 0) return "0";
    return number < 0.001 ? number.toExponential(2) : String(Number(number.toPrecision(3)));
  }

  function side(name, at) {
    const [start, stop] = [cells[name][at], cells[name][at + 1]];
    const [first, last] = cells[`${name}Named`][at];
    const what = name === "queries" ? "query" : "key";
    if (stop - start === 1) return `${what} ${start} “${first}”`;
    return `${name} ${start}–${stop - 1} (“${first}” to “${last}”)`;
  }

  function sentence([row, column]) {
    const at = row * cells.columns + column;
    const where = `${side("queries", row)} at ${side("keys", column)}`;
    const seen = cells.seen[at];
    if (!seen) return `${where}: no query here sees these keys.`;
    if (seen === 1) return `${where}: weight ${written(cells.mean[at])}.`;
    const both = `mean ${written(cells.mean[at])}, largest ${written(cells.highest[at])}`;
    return `${where}: ${both}, ${seen.toLocaleString("en")} pairs.`;
  }

  const isPair = ([row, column]) =>
    cells.queries[row + 1] - cells.queries[row] === 1 &&
    cells.keys[column + 1] - cells.keys[column] === 1;

  const span = (name) => cells[name][cells[name].length - 1] - cells[name][0];

  /* So many positions around the middle of some, within the text. */
  function around(start, stop, wide) {
    const size = Math.min(wide, cells.length);
    const first = Math.max(0, Math.min(Math.floor((start + stop - size) / 2), cells.length - size));
    return `${first}-${first + size}`;
  }

  function finer() {
    const [row, column] = chosen;
    const queries = [cells.queries[row], cells.queries[row + 1]];
    const keys = [cells.keys[column], cells.keys[column + 1]];
    if (isPair(chosen)) return `${queries.join("-")}.${keys.join("-")}`;
    const wide = (name) => Math.max(cells.side, Math.ceil(span(name) / STEP));
    return `${around(...queries, wide("queries"))}.${around(...keys, wide("keys"))}`;
  }

  function coarser() {
    const ends = (name) => [cells[name][0], cells[name][cells[name].length - 1]];
    if (Math.min(span("queries"), span("keys")) * STEP >= cells.length) return WHOLE;
    const wide = (name) => span(name) * STEP;
    return `${around(...ends("queries"), wide("queries"))}.${around(...ends("keys"), wide("keys"))}`;
  }

  const isWhole = () => span("queries") >= cells.length && span("keys") >= cells.length;

  /* What a button would show, or null where it has nothing to do. */
  function target(what) {
    if (!cells) return null;
    if (what !== "in") return isWhole() ? null : what === "whole" ? WHOLE : coarser();
    return chosen && cells.seen[chosen[0] * cells.columns + chosen[1]] ? finer() : null;
  }

  function show(spoken) {
    const box = place.parentElement;
    const said = chosen ? sentence(chosen) : "";
    box.querySelector(".pattern-said").textContent = said;
    if (spoken) box.querySelector(".pattern-spoken").textContent = said;
    box.querySelectorAll("[data-zoom]").forEach((button) => {
      button.disabled = target(button.dataset.zoom) === null;
      if (button.dataset.zoom !== "in") return;
      button.textContent = chosen && isPair(chosen) ? "Show the arithmetic" : "Zoom in";
    });
    mark();
  }

  function mark() {
    const drawn = plot();
    if (!drawn || !drawn._fullLayout || !drawn.on || !chosen) return;
    const [row, column] = chosen;
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--looked") || "#f0690a";
    const shape = {
      type: "rect",
      x0: cells.keys[column], x1: cells.keys[column + 1],
      y0: cells.queries[row], y1: cells.queries[row + 1],
      line: { color: ink.trim(), width: 2 },
    };
    window.Plotly.relayout(drawn, { shapes: [shape] });
  }

  function choose(row, column, spoken) {
    chosen = [
      Math.max(0, Math.min(row, cells.rows - 1)),
      Math.max(0, Math.min(column, cells.columns - 1)),
    ];
    show(spoken);
  }

  /* The part that the server shows after it was asked for is written into the address. */
  function follow() {
    const now = document.querySelector("[data-go]");
    const area = now ? now.dataset.go : gone;
    if (area === gone) return;
    gone = area;
    if (new URLSearchParams(window.location.search).get("area") === area) return;
    set("request", { data: { choose: { area }, at: Date.now() } });
  }

  /* A figure that is drawn anew has lost the mark of the chosen cell. */
  function hear() {
    const drawn = plot();
    if (!drawn || !drawn.on || drawn.lensHeard) return;
    drawn.lensHeard = true;
    drawn.on("plotly_afterplot", () => (drawn.layout.shapes || []).length || mark());
    mark();
  }

  function arrived() {
    const now = document.querySelector("[data-pattern]");
    if (now === place && (!now || now.lensPattern === now.dataset.pattern)) return;
    place = now;
    cells = chosen = null;
    if (!now) return;
    now.lensPattern = now.dataset.pattern;
    cells = read(now.dataset.pattern);
    choose(...first(), refocus);
    if (refocus) now.focus({ preventScroll: true });
    refocus = false;
  }

  const find = (edges, at) => edges.findIndex((edge, each) => edge <= at && at < edges[each + 1]);

  /* The cell that is chosen first: where the reader was, or the one with the largest mean. */
  function first() {
    const there = sought ? [find(cells.queries, sought[0]), find(cells.keys, sought[1])] : [-1];
    sought = null;
    if (!there.includes(-1)) return there;
    let best = 0;
    cells.mean.forEach((mean, at) => {
      if (!(mean <= cells.mean[best])) if (!Number.isNaN(mean)) best = at;
    });
    return [Math.floor(best / cells.columns), best % cells.columns];
  }

  function cellAt(event) {
    const drawn = plot();
    const ground = drawn && drawn.querySelector(".nsewdrag");
    if (!ground) return null;
    const box = ground.getBoundingClientRect();
    const { xaxis, yaxis } = drawn._fullLayout;
    const key = xaxis.p2d(event.clientX - box.left);
    const query = yaxis.p2d(event.clientY - box.top);
    const found = [find(cells.queries, query), find(cells.keys, key)];
    return found.includes(-1) ? null : found;
  }

  const inside = (event) => place && event.target.closest && event.target.closest("[data-pattern]");

  document.addEventListener("pointerdown", (event) => {
    pressed = inside(event) ? [event.clientX, event.clientY] : null;
  }, true);
  document.addEventListener("pointerup", (event) => {
    if (!pressed || !cells) return;
    const far = Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]);
    const cell = far < 6 ? cellAt(event) : null;
    pressed = null;
    if (!cell) return;
    place.focus({ preventScroll: true });
    choose(...cell, true);
  }, true);

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("[data-do], [data-zoom], [data-cell]");
    if (!button) return;
    if (button.dataset.do) return ask(button.dataset.do, button.dataset.area);
    if (!cells) return;
    if (button.dataset.cell) return choose(...button.dataset.cell.split(",").map(Number), true);
    go(button.dataset.zoom);
  });

  function go(what) {
    const area = target(what);
    if (area === null) return;
    const middle = (edges, at) => Math.floor((edges[at] + edges[at + 1]) / 2);
    sought = chosen && [middle(cells.queries, chosen[0]), middle(cells.keys, chosen[1])];
    refocus = true;
    ask("show", area);
  }

  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  document.addEventListener("keydown", (event) => {
    if (!cells || event.target !== place || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = ARROWS[event.key];
    if (!step && event.key !== "Enter" && event.key !== "Backspace") return;
    event.preventDefault();
    if (event.key === "Enter") return go("in");
    if (event.key === "Backspace") return go("out");
    const by = event.shiftKey ? FAR : 1;
    choose(chosen[0] + by * step[0], chosen[1] + by * step[1], true);
  });

  new MutationObserver(() => {
    follow();
    arrived();
    hear();
  }).observe(document.documentElement, {
    subtree: true,
    childList: true,
    attributeFilter: ["data-pattern", "data-go"],
  });
})();
