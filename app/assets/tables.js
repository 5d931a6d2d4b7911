/* Tables are sorted by a click on a heading and filtered by words; both here, without the server. */
(function () {
  "use strict";

  const valueOf = (row, at) => row.children[at].dataset.value;

  function compared(one, other) {
    const [first, second] = [Number(one), Number(other)];
    const numbers = one !== "" && other !== "" && !(Number.isNaN(first) && Number.isNaN(second));
    if (!numbers) return one.localeCompare(other, undefined, { numeric: true });
    if (Number.isNaN(first)) return -1;
    return Number.isNaN(second) ? 1 : first - second;
  }

  /* Numbers begin with the largest, words with the first; a second click turns that round. */
  function sort(button) {
    const heading = button.closest("th");
    const table = button.closest("table");
    const at = Number(button.dataset.sort);
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const before = heading.getAttribute("aria-sort");
    const numeric = rows.some((row) => row.children[at].classList.contains("number"));
    const first = numeric ? "descending" : "ascending";
    const turned = first === "ascending" ? "descending" : "ascending";
    const now = before === first ? turned : first;
    table.querySelectorAll("th[aria-sort]").forEach((each) => each.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", now);
    const sign = now === "ascending" ? 1 : -1;
    rows.sort((one, other) => sign * compared(valueOf(one, at), valueOf(other, at)));
    body.append(...rows);
  }

  function filter(field) {
    const box = field.closest(".sorted-table");
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    box.querySelectorAll("tbody tr").forEach((row) => {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) shown += 1;
    });
    box.querySelector(".filter-count").textContent = `${shown.toLocaleString("en")} row${shown === 1 ? "" : "s"}`;
  }

  /* The field comes and goes with its table. */
  function fields() {
    document.querySelectorAll(".filter").forEach((place) => {
      if (place.querySelector("input")) return;
      const input = document.createElement("input");
      const label = document.createElement("label");
      input.type = "search";
      input.className = "filter-field";
      input.placeholder = "words, such as L2 higher";
      label.append("Filter ", input);
      place.prepend(label);
    });
  }
  new MutationObserver(fields).observe(document.documentElement, {
    subtree: true,
    childList: true,
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("[data-sort]");
    if (button) sort(button);
  });
  document.addEventListener("input", (event) => {
    const field = event.target.closest && event.target.closest(".filter-field");
    if (field) filter(event.target);
  });
})();
