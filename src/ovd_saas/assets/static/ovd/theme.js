/* Theme: dark or light as the person chose, else as the machine is set; before the first paint. */
(function () {
  "use strict";
  var machine = window.matchMedia("(prefers-color-scheme: dark)");
  function chosen() {
    try { return window.localStorage.getItem("ovd-theme"); } catch (error) { return null; }
  }
  function apply() {
    document.documentElement.setAttribute("data-bs-theme", chosen() || (machine.matches ? "dark" : "light"));
    document.dispatchEvent(new CustomEvent("ovd:theme"));
  }
  apply();
  document.documentElement.classList.add("has-script");
  machine.addEventListener("change", apply);
  document.addEventListener("click", function (event) {
    if (!event.target.closest("[data-theme-toggle]")) { return; }
    var next = document.documentElement.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
    try { window.localStorage.setItem("ovd-theme", next); } catch (error) { /* a private window forgets it */ }
    apply();
  });
})();
