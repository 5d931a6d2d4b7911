/* A loop around points of the scatter marks the same heads in the map, the list and the lines.
   The address names them; the server is not needed to mark them. */
(function () {
  "use strict";

  const MOST = 128;
  const graph = (name) => document.querySelector(`[id*='"panel":"${name}"'] .js-plotly-plot`);
  const nameOf = ({ layer, head }) => `L${layer}H${head}`;
  let heads = new Set();

  function asked() {
    const said = new URLSearchParams(window.location.search).get("brush") || "none";
    return new Set(/^L\d/.test(said) ? said.split("_") : []);
  }

  function take(points) {
    const found = points.map((point) => point.customdata).filter((place) => place && "layer" in place);
    const brush = [...new Set(found.map(nameOf))].slice(0, MOST).join("_") || "none";
    if (brush === ([...heads].join("_") || "none")) return;
    window.dash_clientside.set_props("request", { data: { choose: { brush }, at: Date.now() } });
  }

  function listen(plot) {
    if (plot.lensBrush) return;
    plot.lensBrush = true;
    plot.on("plotly_selected", (event) => event && take(event.points || []));
    plot.on("plotly_deselect", () => take([]));
    plot.on("plotly_afterplot", later);
  }

  function markPoints(plot) {
    const points = plot.data[0] && plot.data[0].customdata;
    if (!points) return;
    const chosen = points.flatMap((place, at) => (heads.has(nameOf(place)) ? [at] : []));
    const due = heads.size ? chosen : null;
    if (JSON.stringify(plot.data[0].selectedpoints ?? null) === JSON.stringify(due)) return;
    window.Plotly.restyle(plot, { selectedpoints: [due] }, [0]);
  }

  function markMap(plot) {
    const cells = plot.data[0] && plot.data[0].z;
    const shape = plot.lensShape || sizes();
    if (!cells || !shape) return;
    const text = [...Array(shape[0]).keys()].map((layer) =>
      [...Array(shape[1]).keys()].map((head) => (heads.has(nameOf({ layer, head })) ? "●" : "")),
    );
    const now = heads.size ? JSON.stringify(text) : "";
    if ((plot.data[0].lensMarks || "") === now) return;
    plot.data[0].lensMarks = now;
    window.Plotly.restyle(plot, { text: [heads.size ? text : null], texttemplate: "%{text}" }, [0]);
  }

  function sizes() {
    const held = JSON.parse(document.querySelector("[data-sizes]")?.dataset.sizes || "{}");
    return held[new URLSearchParams(window.location.search).get("run")] || Object.values(held)[0];
  }

  /* The lines of other heads of the layer are one trace, with gaps between its heads. */
  function markLines(plot) {
    const others = plot._fullData.find((trace) => trace.meta && trace.meta.heads);
    const own = plot.data.findIndex((trace) => trace.meta === "brushed");
    const layer = Number(new URLSearchParams(window.location.search).get("layer") || 0);
    const wanted = others
      ? others.meta.heads.flatMap((head, at) => (heads.has(nameOf({ layer, head })) ? [at] : []))
      : [];
    const key = `${layer} ${wanted.join()}`;
    if (own >= 0 && plot.data[own].name === key) return;
    if (own >= 0) window.Plotly.deleteTraces(plot, own);
    if (!wanted.length) return;
    const size = others.x.length / others.meta.heads.length;
    const part = (values) =>
      wanted.flatMap((at) => [...Array.from(values).slice(at * size, (at + 1) * size)]);
    window.Plotly.addTraces(plot, {
      type: "scatter", mode: "lines", x: part(others.x), y: part(others.y), name: key,
      meta: "brushed", line: { color: "#5d48f9", width: 1.6 }, hoverinfo: "skip", showlegend: false,
    });
  }

  function markList() {
    document.querySelectorAll(".finder a[data-choose]").forEach((link) => {
      const said = new URLSearchParams(link.dataset.choose);
      const name = nameOf({ layer: said.get("layer"), head: said.get("head") });
      link.closest("tr").classList.toggle("brushed", heads.has(name));
    });
    const note = document.querySelector(".brush-said");
    if (!note) return;
    const names = [...heads].slice(0, 12).join(", ") + (heads.size > 12 ? ", …" : "");
    const words = heads.size ? `${heads.size} marked: ${names}.` : "";
    if (note.textContent !== words) note.textContent = words;
  }

  const drawn = (plot) => plot && plot.data && plot.data.length && plot._fullLayout;

  function mark() {
    waits = 0;
    if (!document.querySelector(`[id*='"panel":"head-scatter"']`)) return;
    const scatter = graph("head-scatter");
    heads = asked();
    markList();
    if (!drawn(scatter)) return later();
    listen(scatter);
    markPoints(scatter);
    [["head-map", markMap], ["head-spans", markLines]].forEach(([name, show]) => {
      const plot = graph(name);
      if (!drawn(plot)) return;
      if (!plot.lensBrushed) plot.on("plotly_afterplot", later);
      plot.lensBrushed = true;
      show(plot);
    });
  }

  let waits = 0;
  function later() {
    if (!waits) waits = window.setTimeout(mark, 60);
  }

  ["lens-query", "lens-filled"].forEach((name) => window.addEventListener(name, later));
})();
