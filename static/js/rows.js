// Tables of rows in a form: one more row when the last is begun, keys and paste as in Excel. The server decides.
"use strict";

for (const area of document.querySelectorAll("[data-rows]")) {
  const body = area.querySelector("tbody");
  const blank = area.querySelector("template").content;
  const most = Number(area.dataset.rows);
  const rows = () => [...body.rows];
  const cells = (row) => [...row.querySelectorAll("td input, td select")];
  const isBlank = (row) => cells(row).every((cell) => !cell.value.trim());
  const label = () =>
    rows().forEach((row, place) => {
      row.querySelector("th span").textContent = place + 1;
      for (const cell of cells(row)) cell.setAttribute("aria-label", `${cell.closest("td").dataset.label} ${place + 1}`);
    });
  const add = () => {
    if (rows().length >= most) return;
    body.append(blank.cloneNode(true));
    body.lastElementChild.querySelector("button").hidden = false;
    label();
  };
  const changed = () => area.dispatchEvent(new Event("input", { bubbles: true })); // for the draft
  const put = (cell, text) => {
    if (cell.tagName !== "SELECT") cell.value = text;
    else cell.value = [...cell.options].find((option) => option.text.trim() === text || option.value === text)?.value ?? "";
  };

  area.addEventListener("input", () => {
    if (!isBlank(rows().at(-1))) add();
  });

  area.addEventListener("click", (event) => {
    const button = event.target.closest(".delete button");
    if (!button) return;
    const place = rows().indexOf(button.closest("tr"));
    rows()[place].remove();
    if (!rows().length) add();
    label();
    cells(rows()[Math.min(place, rows().length - 1)])[0].focus();
    changed();
  });

  const go = (row, column) => {
    const cell = rows()[row] && cells(rows()[row])[column];
    cell?.focus();
    cell?.select?.();
    return Boolean(cell);
  };
  area.addEventListener("keydown", (event) => {
    const cell = event.target;
    if (!cell.matches("td input, td select") || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows().indexOf(cell.closest("tr"));
    const column = cells(rows()[row]).indexOf(cell);
    if (event.key === "Enter") {
      go(row + (event.shiftKey ? -1 : 1), column);
      event.preventDefault(); // Enter never sends a half-typed sheet
    } else if (cell.tagName === "INPUT" && ((event.key === "ArrowDown" && go(row + 1, column)) || (event.key === "ArrowUp" && go(row - 1, column)))) {
      event.preventDefault();
    }
  });

  area.addEventListener("paste", (event) => {
    const cell = event.target;
    const text = event.clipboardData?.getData("text") ?? "";
    if (!cell.matches("td input, td select") || !/[\t\n]/.test(text.trimEnd())) return;
    event.preventDefault();
    event.stopPropagation(); // what the page does with a paste of several lines elsewhere
    const first = rows().indexOf(cell.closest("tr"));
    const column = cells(rows()[first]).indexOf(cell);
    const lines = text.trimEnd().split(/\r?\n/).map((line) => line.split("\t"));
    while (rows().length < first + lines.length && rows().length < most) add();
    lines.forEach((line, place) => {
      const targets = rows()[first + place] ? cells(rows()[first + place]).slice(column) : [];
      targets.forEach((target, at) => at < line.length && put(target, line[at].trim()));
    });
    changed();
  });

  for (const button of body.querySelectorAll("button")) button.hidden = false;
}
