// Shows one step of the topology at a time. Without it, the rows below say the same.
"use strict";
(() => {
  const stage = document.querySelector(".stage");
  const steps = [...document.querySelectorAll(".steps > li")];
  if (!stage || steps.length < 2) return;
  const [screen, told] = [stage.querySelector(".screen"), stage.querySelector(".told")];
  const [button, slider] = [stage.querySelector("button"), stage.querySelector("input")];
  let timer = null;

  const show = () => {
    const step = steps[slider.value];
    const text = step.dataset.told;
    steps.forEach((each) => each.removeAttribute("aria-current"));
    step.setAttribute("aria-current", "step");
    screen.replaceChildren(step.querySelector("svg").cloneNode(true));
    slider.setAttribute("aria-valuetext", text);
    told.textContent = text;
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  };
  const advance = () => {
    slider.value = Number(slider.value) + 1;
    show();
    if (Number(slider.value) === steps.length - 1) stop();
  };
  const play = () => {
    if (Number(slider.value) === steps.length - 1) slider.value = 0;
    show();
    button.textContent = "Pause";
    timer = setInterval(advance, 1100);
  };

  slider.addEventListener("input", () => { stop(); show(); });
  button.addEventListener("click", () => (timer === null ? play() : stop()));
  stage.hidden = false;
  show();
})();
