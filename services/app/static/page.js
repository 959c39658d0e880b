"use strict";
// One button, "next day", wired in four ways. The full page load needs no script: the form does it.

const answer = document.getElementById("answer");
const feedback = document.getElementById("feedback");

/** The address of the next day's orders, which cost the server 2 ms of CPU and 20 ms of waiting. */
function next() {
  return `/page/orders?day=${Number(answer.dataset.day) + 1}&cpu=2&io=20`;
}

function show(orders) {
  answer.dataset.day = Number(answer.dataset.day) + 1;
  answer.innerHTML = orders;
  feedback.textContent = "";
}

async function fetchAndShow() {
  const response = await fetch(next());
  if (response.ok) show(await response.text());
  else feedback.textContent = `The server answered ${response.status}.`;
}

const wirings = {
  // The browser paints this while the request is under way.
  "feedback-first": () => {
    feedback.textContent = "Loading …";
    return fetchAndShow();
  },
  // Nothing changes until the answer is there, but the page stays alive meanwhile.
  "nothing-until-answer": fetchAndShow,
  // A synchronous request: nothing at all happens in the page until the answer is there.
  blocking: () => {
    const request = new XMLHttpRequest();
    request.open("GET", next(), false);
    request.send();
    if (request.status === 200) show(request.responseText);
    else feedback.textContent = `The server answered ${request.status}.`;
  },
};

for (const [id, clicked] of Object.entries(wirings)) document.getElementById(id).addEventListener("click", clicked);
