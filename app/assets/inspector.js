/* The bar that stands for the inspector where it is narrow opens and closes it. */
(function () {
  "use strict";

  const root = document.documentElement;

  function open(whether) {
    root.classList.toggle("inspector-open", whether);
    document.querySelectorAll("[data-inspector]").forEach((bar) => {
      bar.setAttribute("aria-expanded", String(whether));
    });
  }

  document.addEventListener("click", (event) => {
    const bar = event.target.closest && event.target.closest("[data-inspector]");
    if (bar) open(!root.classList.contains("inspector-open"));
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !root.classList.contains("inspector-open")) return;
    if (!event.target.closest || !event.target.closest(".inspector")) return;
    open(false);
    const bar = document.querySelector("[data-inspector]");
    if (bar) bar.focus();
  });
})();
