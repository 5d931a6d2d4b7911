/* Live: a click puts a text of the archive into the box, or begins another text in it. */
(function () {
  "use strict";

  const box = () => document.getElementById("live-text");

  function fill(value) {
    window.dash_clientside.set_props("live-text", { value });
    const place = box();
    if (!place) return;
    place.focus();
    place.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("click", (event) => {
    const to = event.target.closest && event.target.closest("[data-go-to]");
    if (to) document.getElementById(to.dataset.goTo).scrollIntoView({ block: "start" });
    const button = event.target.closest && event.target.closest("[data-remix], [data-separator]");
    if (!button || !box()) return;
    if (button.dataset.remix !== undefined) {
      const choose = { sequence: button.dataset.sequence };
      window.dash_clientside.set_props("request", { data: { choose, at: Date.now() } });
      return fill(button.dataset.remix);
    }
    fill(`${box().value.replace(/\n*$/, "")}\n${button.dataset.separator}\n`);
  });

  /* Ctrl-Enter in the box runs the model. */
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    if (event.target !== box()) return;
    event.preventDefault();
    document.getElementById("live-run").click();
  });
})();
