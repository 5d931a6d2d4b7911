/* Step through training, or play it: every step came with the page, and the server is not asked.
   The address holds the step that is looked at; it is written when playing or dragging ends. */
(function () {
  "use strict";

  const EVERY = 800; /* milliseconds a step is shown while playing */

  let data = null;
  let place = null;
  let at = 0;
  let playing = 0;

  const graph = (name) => document.querySelector(`[id*='"panel":"${name}"'] .js-plotly-plot`);
  const last = () => data.steps.length - 1;

  function element(name, attributes, ...content) {
    const made = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    made.append(...content);
    return made;
  }

  const count = (sinks) => sinks.flat().reduce((sum, one) => sum + one, 0);

  function words() {
    const heads = count(data.sinks[at]);
    const sinks = heads === 1 ? "1 head has a sink" : `${heads} heads have a sink`;
    return `step ${data.steps[at].toLocaleString("en")} · ${sinks}`;
  }

  /* Heads whose sink appears at a step, as marks above the slider. */
  function marks() {
    const had = data.sinks[0].map((row) => row.map(() => 0));
    const found = [];
    data.sinks.forEach((layers, step) => {
      const heads = [];
      layers.forEach((row, layer) =>
        row.forEach((one, head) => {
          if (one && !had[layer][head]) heads.push(`L${layer}H${head}`);
          had[layer][head] = had[layer][head] || one;
        }),
      );
      if (!heads.length) return;
      const mark = element(
        "span",
        { class: "onset", title: `First sink of ${heads.join(", ")} at step ${data.steps[step]}` },
        heads.length > 2 ? `${heads.length} heads` : heads.join(" "),
      );
      mark.style.left = `${(100 * step) / Math.max(1, last())}%`;
      found.push(mark);
    });
    return found;
  }

  function build() {
    const play = element("button", { type: "button", class: "action play" }, "▶ Play");
    const slider = element("input", {
      type: "range", min: 0, max: last(), step: 1, "aria-label": "Training step",
    });
    slider.value = at;
    place.replaceChildren(
      play,
      element(
        "div",
        { class: "scrub-line" },
        element("div", { class: "onsets" }, ...marks()),
        slider,
      ),
      element("output", { class: "scrub-said" }),
    );
    play.addEventListener("click", () => (playing ? stop(true) : start()));
    slider.addEventListener("input", () => {
      stop(false);
      go(Number(slider.value));
    });
    slider.addEventListener("change", write);
  }

  function go(step) {
    at = Math.max(0, Math.min(step, last()));
    const slider = place.querySelector("input");
    slider.value = at;
    slider.setAttribute("aria-valuetext", words());
    place.querySelector(".scrub-said").textContent = words();
    draw();
  }

  function draw() {
    if (!data) return; /* the page was left before its figure was drawn */
    const map = graph(data.panel);
    if (map && map.data && map.data.length && map.data[0].z !== data.values[at]) {
      const text = data.sinks[at].map((row) => row.map((one) => (one ? "sink" : "")));
      window.Plotly.restyle(map, { z: [data.values[at]], text: [text] }, [0]);
      watch(map);
    }
    const lines = graph("history");
    if (!lines || !lines.layout || lines.lensStep === data.steps[at]) return;
    lines.lensStep = data.steps[at];
    const line = { color: "#5d48f9", width: 1.5, dash: "dot" };
    const ends = { x0: data.steps[at], x1: data.steps[at], y0: 0, y1: 1, yref: "paper" };
    window.Plotly.relayout(lines, { shapes: [{ type: "line", line, ...ends }] });
  }

  /* What is drawn anew, such as another head's mark, comes back at the last step. */
  function watch(map) {
    if (map.lensWatched) return;
    map.lensWatched = true;
    map.on("plotly_afterplot", () => data && place.isConnected && window.setTimeout(draw, 0));
  }

  function start() {
    if (at === last()) go(0);
    place.querySelector(".play").textContent = "❚❚ Pause";
    playing = window.setInterval(() => {
      if (!place.isConnected) return stop(false);
      go(at + 1);
      if (at === last()) stop(true);
    }, EVERY);
  }

  function stop(writes) {
    window.clearInterval(playing);
    playing = 0;
    const play = place.querySelector(".play");
    if (play) play.textContent = "▶ Play";
    if (writes) write();
  }

  function write() {
    const choose = { step: at === last() ? "last" : String(data.steps[at]) };
    window.dash_clientside.set_props("request", { data: { choose, walks: true, at: Date.now() } });
  }

  function asked() {
    const step = Number(new URLSearchParams(window.location.search).get("step"));
    const found = data.steps.indexOf(step);
    return new URLSearchParams(window.location.search).has("step") && found >= 0 ? found : last();
  }

  function arrived() {
    const now = document.querySelector("[data-scrub]");
    const same = now === place && (!now || now.lensScrub === now.dataset.scrub);
    if (same && (!now || now.children.length)) return;
    window.clearInterval(playing);
    playing = 0;
    place = now;
    data = null;
    if (!now) return;
    now.lensScrub = now.dataset.scrub;
    data = JSON.parse(now.dataset.scrub);
    at = asked();
    build();
    whenDrawn();
  }

  function whenDrawn() {
    const map = data && graph(data.panel);
    if (!data || !place.isConnected) return;
    if (!map || !map.data || !map.data.length) return void window.setTimeout(whenDrawn, 60);
    watch(map);
    go(at);
  }

  window.addEventListener("lens-query", () => {
    if (data && !playing && place.isConnected) go(asked());
  });
  new MutationObserver(arrived).observe(document.documentElement, {
    subtree: true,
    childList: true,
    attributeFilter: ["data-scrub"],
  });
})();
