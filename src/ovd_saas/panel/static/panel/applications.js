/* Applications: search as one types, filters kept in the address, without loading the page anew. */
(function ($) {
  "use strict";
  var timer = null;

  function go(url, isTyping) {
    if (isTyping) { window.history.replaceState(null, "", url); } else { window.history.pushState(null, "", url); }
    window.ovd.live.refreshAll();
  }
  function wanted() {
    var query = new URLSearchParams($("[data-filter]").serialize());
    if (!query.get("q")) { query.delete("q"); }
    return window.location.pathname + (query.size ? "?" + query : "");
  }
  $(document).on("input", "[data-filter] [data-search]", function () {
    window.clearTimeout(timer);
    timer = window.setTimeout(function () { go(wanted(), true); }, 200);
  });
  $(document).on("submit", "[data-filter]", function (event) {
    event.preventDefault();
    window.clearTimeout(timer);
    go(wanted(), true);
  });
  $(document).on("click", "a[data-filter-link]", function (event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) { return; }
    event.preventDefault();
    go(this.getAttribute("href"), false);
    fill();
  });
  /* The form says what the address says. */
  function fill() {
    var query = new URLSearchParams(window.location.search);
    $("[data-filter] [data-search]").val(query.get("q") || "");
    $("[data-filter] [name=show]").remove();
    if (query.get("show")) { $("<input type='hidden' name='show'>").val(query.get("show")).appendTo("[data-filter]"); }
  }
  window.addEventListener("popstate", function () { fill(); window.ovd.live.refreshAll(); });
})(jQuery);
