// Search as you type, and keys: / searches, j and k go down and up, Enter opens.
"use strict";
const form = document.querySelector("form.filters");
const input = form?.elements.q;
let waiting = 0;
let last = 0;

async function show() {
  const number = ++last;
  const given = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  const address = given.size ? `/?${given}` : "/";
  const answer = await fetch(address);
  const text = await answer.text();
  if (number !== last) return; // a later one is under way
  const page = new DOMParser().parseFromString(text, "text/html");
  const results = page.querySelector("#results") ?? page.querySelector("main");
  document.querySelector("#results").replaceChildren(...results.childNodes);
  history.replaceState(null, "", address);
}

form?.addEventListener("input", (event) => {
  form.elements.status.disabled = Boolean(input.value.trim()); // a search looks at all of them
  clearTimeout(waiting);
  waiting = setTimeout(show, event.target === input ? 200 : 0);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "/" && input) {
    event.preventDefault();
    input.focus();
    input.select();
  }
  if (event.key !== "j" && event.key !== "k") return;
  const stops = [...document.querySelectorAll(".sessions .title, .message .anchor")];
  const here = stops.indexOf(document.activeElement);
  const next = here < 0 ? 0 : here + (event.key === "j" ? 1 : -1);
  stops[next]?.focus();
});
