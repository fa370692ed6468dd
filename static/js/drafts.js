// Keeps what is typed into a long form as a draft on the server, and fills the form from it when it is opened again.
"use strict";

const form = document.querySelector("form[data-draft]");
const keeper = document.getElementById("draft-keeper");

if (form && keeper) {
  const WAIT = 800; // milliseconds of rest after the last key
  const AT_LATEST = 5000; // however long somebody goes on typing
  const says = document.createElement("output");
  says.className = "draft-says";
  form.querySelector(".form-actions").append(says);
  let timer = 0;
  let since = 0; // of the first change that is not kept yet; 0: everything is kept
  let sending = false;
  let running = Promise.resolve();

  const fill = (fields) => {
    for (const [name, values] of Object.entries(fields)) {
      const controls = [...form.elements].filter((control) => control.name === name);
      controls.forEach((control, place) => {
        if (control.type === "checkbox" || control.type === "radio") control.checked = values.includes(control.value);
        else if (place < values.length) control.value = values[place];
        if (control.value && control.type !== "hidden") control.closest("details")?.setAttribute("open", "");
      });
    }
    for (const box of form.querySelectorAll("input[type=checkbox]")) if (!(box.name in fields)) box.checked = false;
    // What follows the fields (a number that says something, a grid that checks) hears of it once their files have run.
    addEventListener("DOMContentLoaded", () => {
      for (const name of Object.keys(fields)) form.elements.namedItem(name)?.dispatchEvent?.(new Event("input"));
      form.dispatchEvent(new CustomEvent("draft:filled"));
    });
  };

  const token = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];

  const typed = () => {
    const fields = {};
    for (const [name, value] of new FormData(form)) {
      if (typeof value === "string" && name !== "csrfmiddlewaretoken") (fields[name] ??= []).push(value);
    }
    return fields;
  };

  // Resolves to whether the server could be asked: false when the session is over.
  const send = async (leaving) => {
    clearTimeout(timer);
    if (!since) return true;
    const begun = since;
    since = 0;
    sending = true;
    try {
      const answer = await fetch(keeper.dataset.save, {
        method: "POST", redirect: "manual", keepalive: leaving,
        headers: { "Content-Type": "application/json", "X-CSRFToken": token() ?? "" },
        body: JSON.stringify({ user: keeper.dataset.user, form: location.pathname, fields: typed() }),
      });
      if (answer.type === "opaqueredirect" || answer.status === 403) {
        since ||= begun;
        says.classList.add("over");
        says.innerHTML = keeper.querySelector("template").innerHTML;
        return false;
      }
      const said = await answer.json();
      says.classList.toggle("over", Boolean(said.refused));
      says.textContent = said.refused ?? keeper.dataset.saved.replace("00:00", said.saved);
    } catch {
      since ||= begun; // the network is away: the next key, or coming back, tries again
    } finally {
      sending = false;
    }
    return true;
  };
  const keep = (leaving = false) => (running = running.then(() => send(leaving)));

  const changed = () => {
    since ||= Date.now();
    clearTimeout(timer);
    timer = setTimeout(keep, Math.max(0, Math.min(WAIT, since + AT_LATEST - Date.now())));
  };
  form.addEventListener("input", changed);
  form.addEventListener("change", changed);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) keep(true);
    else if (since) changed(); // perhaps back from signing in again in another tab
  });

  // Sent only once everything is kept: if the session is over, the page stays as it is and says so.
  form.addEventListener("submit", async (event) => {
    form.elements.csrfmiddlewaretoken.value = token() ?? form.elements.csrfmiddlewaretoken.value; // new after signing in again
    if (!since && !sending) return;
    event.preventDefault();
    event.stopPropagation();
    if (!(await keep())) return;
    since = 0; // without a network the browser itself says so
    form.requestSubmit(event.submitter);
  });

  const restored = document.getElementById("draft");
  if (restored) fill(JSON.parse(restored.textContent));
}
