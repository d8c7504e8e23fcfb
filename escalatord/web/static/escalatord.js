// Keeps open pages true: counts down, shows times in the reader's zone, and fetches the page again when the server says
// that something changed. Every page works without this file.
"use strict";

const RELOAD_AFTER_MS = 120;
const RESYNC_MS = 30000;

const span = (seconds) => {
  const left = Math.max(0, Math.ceil(seconds));
  if (left === 0) return "now";
  const parts = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
  let rest = left;
  let text = "";
  for (const [size, unit] of parts) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) text += count + unit;
    if (size === 3600 && left >= 86400) break;
  }
  return text;
};

const localise = (root) => {
  for (const time of root.querySelectorAll("time[data-at]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const far = time.dataset.at === "day" || Math.abs(Date.now() - at) > 20 * 3600 * 1000;
    const shape = far
      ? { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }
      : { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    time.title = at.toISOString();
    time.textContent = at.toLocaleString(undefined, shape);
  }
};

// Seconds left are counted from when the page came, so a wrong clock on the phone does not matter.
const arm = (root) => {
  for (const count of root.querySelectorAll("[data-left]")) {
    count.dataset.end = String(performance.now() + Number(count.dataset.left) * 1000);
  }
};

const tick = () => {
  for (const count of document.querySelectorAll("[data-end]")) {
    count.textContent = span((Number(count.dataset.end) - performance.now()) / 1000);
  }
};

const toBottom = (root) => {
  for (const talk of root.querySelectorAll("[data-bottom]")) talk.scrollTop = talk.scrollHeight;
};

const refresh = async () => {
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" }, redirect: "error" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(part.id);
    if (!now || now.innerHTML === part.dataset.was) continue;
    if (part.contains(document.activeElement) && document.activeElement.matches("input, select")) continue;
    part.dataset.was = now.innerHTML;
    const open = [...part.querySelectorAll("details")].map((each) => each.open);
    part.replaceChildren(...now.cloneNode(true).childNodes);
    part.querySelectorAll("details").forEach((each, index) => { each.open = Boolean(open[index]); });
    localise(part);
    arm(part);
    if ("bottom" in part.dataset) part.scrollTop = part.scrollHeight;
  }
  if (fresh.title) document.title = fresh.title;
  tick();
};

let waiting = 0;
const soon = () => {
  if (waiting) return;
  waiting = setTimeout(() => { waiting = 0; refresh().catch(() => {}); }, RELOAD_AFTER_MS);
};

const listen = (url) => {
  const lost = document.getElementById("lost");
  const source = new EventSource(url);
  source.onopen = () => { lost.hidden = true; soon(); };
  source.onmessage = soon;
  source.onerror = () => { lost.hidden = false; };
  setInterval(soon, RESYNC_MS);
};

document.addEventListener("submit", (submitted) => {
  const form = submitted.target;
  if (!("quiet" in form.dataset)) return;
  submitted.preventDefault();
  const body = new URLSearchParams(new FormData(form, submitted.submitter));
  fetch(form.action, { method: "POST", body }).then(() => {
    for (const input of form.querySelectorAll("input[name=text]")) input.value = "";
  }).catch(() => { document.getElementById("lost").hidden = false; }).finally(soon);
});

localise(document);
arm(document);
toBottom(document);
tick();
setInterval(tick, 1000);
if (document.body.dataset.liveUrl) listen(document.body.dataset.liveUrl);
