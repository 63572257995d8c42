// Follows the log of a running deployment. Without this script the page shows the log as of its loading.
"use strict";
const log = document.getElementById("log");
const following = document.getElementById("following");
const source = new EventSource(log.dataset.events);

function add(level, text) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  for (const line of text.split("\n")) {
    const span = document.createElement("span");
    span.className = level;
    span.textContent = line + "\n";
    log.append(span);
  }
  if (atEnd) log.scrollTop = log.scrollHeight;
}

following.textContent = "Following live.";
source.onmessage = (message) => {
  const { event, data } = JSON.parse(message.data);
  if (event === "message") add(data.level, data.text);
  else if (event === "output") add("output", data.text);
  else if (event === "stage-started") add("stage", data.name);
  else if (event === "failed") add("error", data.message);
};
source.addEventListener("end", () => {
  source.close();
  location.reload();
});
source.onerror = () => { following.textContent = "The connection was lost; trying again."; };
source.onopen = () => { following.textContent = "Following live."; };
