(function () {
  "use strict";
  const config = JSON.parse(document.getElementById("config").textContent);
  const plots = Array.from(document.querySelectorAll(".plot"));
  const narrow = window.matchMedia("(max-width: 40rem)");
  const printed = 680;

  function draw(plot) {
    if (plot.dataset.drawn) return;
    plot.dataset.drawn = "yes";
    const source = document.getElementById(plot.id.replace(/-plot$/, "-data"));
    const figure = JSON.parse(source.textContent);
    const layout = figure.layout;
    if (narrow.matches && !plot.closest(".wide")) {
      layout.font = Object.assign({}, layout.font, { size: 11 });
      layout.margin = Object.assign({}, layout.margin, { l: 44, r: 6 });
    }
    Plotly.newPlot(plot, figure.data, layout, Object.assign({ responsive: true }, config));
  }

  const watcher = new IntersectionObserver(function (entries) {
    entries.filter((entry) => entry.isIntersecting).forEach(function (entry) {
      watcher.unobserve(entry.target);
      draw(entry.target);
    });
  }, { rootMargin: "600px" });
  plots.forEach((plot) => watcher.observe(plot));

  // What is in view comes first; the rest follows one by one, so that the page stays responsive.
  function drawNext() {
    const next = plots.find((plot) => plot.offsetParent && !plot.dataset.drawn);
    if (!next) return;
    draw(next);
    setTimeout(drawNext, 30);
  }
  setTimeout(drawNext, 200);

  window.addEventListener("beforeprint", function () {
    plots.filter((plot) => plot.offsetParent).forEach(function (plot) {
      draw(plot);
      Plotly.relayout(plot, { width: printed });
    });
  });
  window.addEventListener("afterprint", function () {
    plots.filter((plot) => plot.dataset.drawn).forEach(function (plot) {
      Plotly.relayout(plot, { width: null, autosize: true });
    });
  });
})();
