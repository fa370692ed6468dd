// The enrol grid: paste from Excel, keys as in Excel, and each row checked while it is typed. The server decides.
"use strict";

const grid = document.querySelector("form.grid");

if (grid) {
  const WAIT = 400; // milliseconds of rest after the last key
  const table = grid.querySelector("table");
  const blank = grid.querySelector("template").content;
  const headers = JSON.parse(document.getElementById("grid-headers").textContent);
  const short = grid.querySelector(".in-short");
  const most = Number(grid.dataset.most);
  const rows = () => [...table.tBodies];
  const cells = (row) => [...row.querySelectorAll("input")];
  const names = cells(blank.querySelector("tbody")).map((cell) => cell.name);
  const isBlank = (row) => cells(row).every((cell) => !cell.value.trim());

  const number = () => rows().forEach((row, place) => (row.querySelector("th").textContent = place + 1));
  const add = (count) => {
    const many = Math.min(count, most - rows().length);
    for (let place = 0; place < many; place++) {
      table.append(blank.cloneNode(true));
      table.tBodies[table.tBodies.length - 1].querySelector("button").hidden = false;
    }
    number();
  };
  const changed = () => grid.dispatchEvent(new Event("input", { bubbles: true })); // for the draft, and the check

  // --- Check ---
  let timer = 0;
  let asked = null;
  const check = async () => {
    asked?.abort();
    const mine = (asked = new AbortController());
    const checked = rows();
    try {
      const answer = await fetch(grid.dataset.check, { method: "POST", redirect: "manual", body: new URLSearchParams(new FormData(grid)), signal: mine.signal });
      if (!answer.ok) return;
      const said = await answer.json();
      short.textContent = said.short;
      said.rows.forEach((verdict, place) => {
        const row = checked[place];
        row.className = verdict.outcome;
        row.querySelector(".about").textContent = verdict.about;
        const says = row.querySelector(".says");
        says.hidden = !verdict.says;
        if (says.lastElementChild.innerHTML !== verdict.says) says.lastElementChild.innerHTML = verdict.says;
      });
    } catch {
      // Overtaken by a later key, or the network is away: the next key asks again.
    }
  };
  grid.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(check, WAIT);
    if (!isBlank(rows().at(-1))) add(1);
  });
  grid.addEventListener("draft:filled", check);

  // --- Rows ---
  grid.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches("[data-more]")) {
      const next = rows().length;
      add(10);
      cells(rows()[next] ?? rows().at(-1))[0].focus();
    } else if (button.closest(".delete")) {
      const all = rows();
      const place = all.indexOf(button.closest("tbody"));
      all[place].remove();
      if (all.length === 1) add(1);
      number();
      cells(rows()[Math.min(place, rows().length - 1)])[0].focus();
      changed();
    }
  });

  // --- Keys ---
  const go = (row, column, end) => {
    const cell = rows()[row] && cells(rows()[row])[column];
    if (!cell) return false;
    cell.focus();
    if (end === undefined) cell.select();
    else cell.setSelectionRange(end, end);
    return true;
  };
  grid.addEventListener("keydown", (event) => {
    const cell = event.target;
    if (!cell.matches("tbody input") || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows().indexOf(cell.closest("tbody"));
    const column = names.indexOf(cell.name);
    const atStart = cell.selectionStart === 0 && (cell.selectionEnd === 0 || cell.selectionEnd === cell.value.length);
    const atEnd = cell.selectionEnd === cell.value.length && (cell.selectionStart === cell.selectionEnd || cell.selectionStart === 0);
    const moved =
      (event.key === "Enter" && go(row + (event.shiftKey ? -1 : 1), column)) ||
      (event.key === "ArrowDown" && !cell.list && go(row + 1, column)) ||
      (event.key === "ArrowUp" && !cell.list && go(row - 1, column)) ||
      (event.key === "ArrowLeft" && !event.shiftKey && atStart && go(row, column - 1)) ||
      (event.key === "ArrowRight" && !event.shiftKey && atEnd && go(row, column + 1));
    if (moved || event.key === "Enter") event.preventDefault(); // Enter never sends a half-typed sheet
  });

  // --- Paste ---
  const spelling = (text) => text.normalize("NFKC").replace(/\s/g, "").replace(/^\*+|\*+$/g, "");

  // Excel copies cells with tabs and line ends; a cell that holds one itself stands in quotes.
  const parse = (text) => {
    const lines = [[""]];
    let quoted = false;
    for (let place = 0; place < text.length; place++) {
      const sign = text[place];
      const line = lines.at(-1);
      if (quoted) {
        if (sign !== '"') line[line.length - 1] += sign === "\n" ? " " : sign;
        else if (text[place + 1] === '"') line[line.length - 1] += text[++place];
        else quoted = false;
      } else if (sign === '"' && line.at(-1) === "") quoted = true;
      else if (sign === "\t") line.push("");
      else if (sign === "\n") lines.push([""]);
      else if (sign !== "\r") line[line.length - 1] += sign;
    }
    return lines.filter((line) => line.some((cell) => cell.trim()));
  };

  grid.addEventListener("paste", (event) => {
    const cell = event.target;
    const text = event.clipboardData?.getData("text") ?? "";
    if (!cell.matches("tbody input") || !/[\t\n]/.test(text.trimEnd())) return;
    event.preventDefault();
    event.stopPropagation();
    let lines = parse(text);
    const known = lines.slice(0, 3).findIndex((line) => line.filter((each) => spelling(each) in headers).length > 1);
    let columns = names.slice(names.indexOf(cell.name));
    if (known >= 0) {
      columns = lines[known].map((each) => headers[spelling(each)]);
      lines = lines.slice(known + 1);
    }
    const first = rows().indexOf(cell.closest("tbody"));
    if (first + lines.length > most) {
      short.textContent = grid.dataset.tooMany;
      return;
    }
    add(first + lines.length - rows().length);
    lines.forEach((line, place) => {
      const row = cells(rows()[first + place]);
      columns.forEach((name, column) => {
        if (name && column < line.length) row[names.indexOf(name)].value = line[column].trim();
      });
    });
    changed();
  });

  for (const button of grid.querySelectorAll("td.delete button, [data-more]")) button.hidden = false;
}
